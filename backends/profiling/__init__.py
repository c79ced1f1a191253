"""What each layer costs, as the engines' own profilers tell it."""
