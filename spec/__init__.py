"""The released specification: data only."""
