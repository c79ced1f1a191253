"""The exceptions of this folder: what is wrong with the data, and what to do about it."""


class DataError(ValueError):
    """Images or labels cannot be used as asked; the message names the folder, file or flag and the remedy."""


class MemoryShortage(DataError):
    """The images of a run do not fit into the free memory; the message names both sizes and the remedy."""
