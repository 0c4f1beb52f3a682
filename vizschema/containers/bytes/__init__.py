"""Bytes of files: read by handle and range, packed or flat."""
