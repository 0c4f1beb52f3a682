"""Versions, profiles and rules: how a description is judged. Sees no array and no container."""
