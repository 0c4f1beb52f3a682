"""The sandboxed process that reads untrusted archives, and this end of it."""
