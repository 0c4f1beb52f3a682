"""Profiles as tables: what a table says, checked, and the schemas and facts that are built from it.

Reads the files of a table and nothing else of `spec/`: what it has to know of `trace` is passed in as its `Vocabulary`.
"""
