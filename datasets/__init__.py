"""On WHAT a model runs: finds, decodes and preprocesses images, and returns them as host calls.

Arrays are numpy, NCHW and C-contiguous. Nothing here depends on settings, models or engines: functions take plain
arguments. `datasets.get_images` fills the folder of images and needs no torch.
"""

from datasets.errors import DataError

__all__ = ["DataError"]
