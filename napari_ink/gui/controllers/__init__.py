"""Controllers: each handles one part of the work, changes layers and stores, and updates the state."""
