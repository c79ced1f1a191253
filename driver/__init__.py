"""One run put together: the only folder that knows models, datasets, backends and measurement at once."""
