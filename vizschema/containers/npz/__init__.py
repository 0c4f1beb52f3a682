"""NPZ: .npy members of a zip file, and the document beside them."""
