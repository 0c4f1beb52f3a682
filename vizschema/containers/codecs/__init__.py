"""Decoders of chunks, each told its size before it decodes."""
