"""The prediction store on disk: creating, writing block by block and reading it, and its provenance."""
