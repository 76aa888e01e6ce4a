"""Hands: ways to write, each with an alphabet, a pen and a layout of its own."""
