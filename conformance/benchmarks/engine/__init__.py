"""Benchmarks of vizschema itself; a checkout has them, the wheel does not."""
