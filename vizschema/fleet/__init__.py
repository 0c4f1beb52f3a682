"""Many archives as one job: which archives lie below a folder or a prefix, and judging them in parallel."""
