"""False alarms and power of the comparison, on simulated nights (`make bench-statistics`)."""
