"""Conformance suites: cases, fixtures, benchmarks, and the runner that brings them to an implementation."""
