"""One module a report format; they read results and nothing else."""
