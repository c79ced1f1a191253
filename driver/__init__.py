"""Assembles a run: the only folder that uses models, datasets, backends and measurement together."""
