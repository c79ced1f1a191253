"""Which values are secret, and their replacement in everything that is kept."""
