"""`export`: archives of the specification in another layout again, by the mappings that `migrate` goes by."""
