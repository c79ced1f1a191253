"""Pure functions on arrays: levels, intervals, tests, steps and the drift of the machine."""
