"""Results that share the files of chunks with their source: hard links under new keys, and metadata that say how."""
