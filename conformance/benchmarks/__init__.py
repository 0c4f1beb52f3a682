"""Benchmarks: each prints what it measured, how often and on what."""
