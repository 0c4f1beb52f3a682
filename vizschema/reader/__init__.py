"""`vizschema.open`."""
