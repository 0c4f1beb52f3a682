"""Archives by URL."""
