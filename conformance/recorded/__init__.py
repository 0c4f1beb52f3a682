"""Recordings of small models with random weights, compared with hooks written by hand. Needs torch and transformers."""
