"""The one exception of this folder: what is wrong with the data, and what to do about it."""


class DataError(ValueError):
    """Images or labels cannot be used as asked; the message names the folder, file or flag and the remedy."""
