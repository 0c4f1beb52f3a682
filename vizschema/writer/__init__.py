"""`vizschema.create`, `write` and `convert`."""
