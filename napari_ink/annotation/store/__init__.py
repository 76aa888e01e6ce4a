"""Labels on disk: the store, its journal, locks and versions."""
