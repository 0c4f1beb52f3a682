"""`migrate`: archives of other layouts become archives of the specification, by mappings that are data."""
