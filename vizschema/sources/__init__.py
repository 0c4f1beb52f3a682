"""Sources of other layouts as one tree of items: archives, files, and folders of both; nothing in them is executed."""
