"""Decoders of chunks, each given the decoded size beforehand."""
