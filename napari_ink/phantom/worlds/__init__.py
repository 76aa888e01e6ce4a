"""Worlds: ways to simulate papyri that share nothing but the frame, so that a model can be judged on one left out."""
