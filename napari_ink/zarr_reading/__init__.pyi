from .arrays import child_names, chunks_stored, has_chunks, naming, open_node, sound_array

__all__ = ["child_names", "chunks_stored", "has_chunks", "naming", "open_node", "sound_array"]
