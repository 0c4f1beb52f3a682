"""`fix`: the changes that are possible, made in a copy that replaces the archive once it is shown to be no worse."""
