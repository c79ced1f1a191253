"""Where host calls come from: made up once, decoded before the run, or decoded while the device computes,
by threads of ours or by an engine's own loader."""

from datasets.cached import cached
from datasets.generated import generated
from datasets.host_batch import HostBatch, Source
from datasets.loaded import loaded
from datasets.streaming import streaming

__all__ = ["HostBatch", "Source", "cached", "generated", "loaded", "streaming"]
