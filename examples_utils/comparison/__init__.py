"""Statistics of runs that are held against each other: pure functions on arrays and values."""
