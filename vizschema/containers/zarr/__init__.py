"""Zarr, versions 2 and 3: folders, zip files, and stores on the network."""
