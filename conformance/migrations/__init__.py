"""Small archives of each layout that an installed mapping migrates, and what comes out of them."""
