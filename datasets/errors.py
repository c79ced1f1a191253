"""The exceptions of this folder."""


class DataError(ValueError):
    """Unusable images or labels; the message names the folder, file or flag and the remedy."""


class MemoryShortage(DataError):
    """The images of a run do not fit into the free memory; the message names both sizes and the remedy."""
