"""The oracle: every public library that can read an archive has to read what vizschema reads of it.

Compared is each archive whose report names no rule of `ours.READING`: what a reader cannot agree on is a finding, and
whether values are finite or axes named makes no difference here. What a library refuses counts as a difference.
"""
