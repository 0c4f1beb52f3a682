"""Zip files: the directory, and every byte accounted for."""
