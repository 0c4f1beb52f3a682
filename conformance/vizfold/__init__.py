"""VizFold's own readers on what `export` writes; they are taken from a clone of its repository."""
