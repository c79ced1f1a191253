"""The time of each layer, from the engines' own profilers."""
