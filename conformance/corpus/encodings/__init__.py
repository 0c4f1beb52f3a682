"""Encodings of an archive: how its bytes are laid out, whatever it holds; a level for each factor of its container."""
