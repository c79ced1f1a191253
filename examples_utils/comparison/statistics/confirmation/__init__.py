"""How many confirmation repetitions a suspect of a night gets."""
