"""ASDF: a YAML tree, and blocks behind it."""
