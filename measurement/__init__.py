"""HOW a run is measured: settings, the timed loop, statistics and the report lines."""
