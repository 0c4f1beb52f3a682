"""The specification, validator and conformance suites for archives of traced neural networks."""
