"""What each public library reads of an archive: a child process, of this interpreter or of another environment.

This folder is a package of its own, imported without `vizschema`: it runs where only NumPy and the library are.
"""
