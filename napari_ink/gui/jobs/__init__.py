"""Jobs: long work as generators of frozen events, and the worker that runs them; without widgets or layers."""
