"""The runner of the suite: it brings cases to an implementation and reports what it did."""
