"""WHAT images a model is fed: finding, decoding, preprocessing them and handing them out as host calls.

Arrays are numpy, NCHW and C-contiguous. Nothing here knows about settings, models or engines: functions
take plain arguments. `datasets.get_images` fills the folder of images and needs no torch.
"""

from datasets.errors import DataError

__all__ = ["DataError"]
