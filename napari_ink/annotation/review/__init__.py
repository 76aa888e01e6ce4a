"""Review: regions and their states, ranking, notes and statistics."""
