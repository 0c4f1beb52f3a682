"""Writers under faults: every file operation of a write fails, is cut short, or is the last one before a kill."""
