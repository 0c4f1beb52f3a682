"""One module a container, behind one Protocol."""
