"""Edits that know about edges: livewire, edge brush, fill, grow and line fragments."""
