"""The corpus: how cases are made, frozen, certified and materialised."""
