"""HDF5, by the low-level interface of h5py."""
