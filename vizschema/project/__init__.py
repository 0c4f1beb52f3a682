"""What a project configures: version, profile, accepted findings, baseline."""
