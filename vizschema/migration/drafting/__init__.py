"""`migrate --suggest`: the draft of a mapping for a layout without a mapping."""
