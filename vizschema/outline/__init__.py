"""An archive at a glance, in characters: its tree, its nodes in words, small pictures. Sees descriptions only."""
