"""`vizschema view`: one archive and the page, for the browser of this machine alone."""
