"""The prediction store on disk: made, written block by block, read, and its provenance."""
