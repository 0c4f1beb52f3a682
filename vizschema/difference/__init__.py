"""Whether two archives differ, and where first: nodes, attributes, and values within tolerances."""
