"""Values read once, on threads or a cluster, into facts and hashes."""
