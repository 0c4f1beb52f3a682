"""One module or folder a container, behind one Protocol."""
