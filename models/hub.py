"""Files of timm's hub: from the local caches, or downloaded."""

from __future__ import annotations

import http.client
import logging
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# The whole probe, including name resolution, ends within this time, so an unreachable hub is reported within 5 s. The
# client itself has no such limit: it retries a 503 for 23 s, and waits for a name server as long as the system does.
PROBE_TIMEOUT_S = 3.5

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class WeightsUnavailable(Exception):
    """Pretrained weights are not available: the message is the reason, `remedy` what to do about it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def hub_file(timm_name: str) -> Path:
    """The file of pretrained weights for `timm_name`, downloaded if no cache contains it.

    Searches the Hugging Face cache and torch.hub's, and uses the network only if necessary and allowed
    (`HF_HUB_OFFLINE`, `HF_ENDPOINT`). Raises `WeightsUnavailable`, within 5 s if the hub does not answer.
    """
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(timm_name)
    if config is None or not (config.hf_hub_id or config.url):
        raise WeightsUnavailable("timm has none for this model", "Use --weights random or a file.")
    cached = _hugging_face_cached(config) or _torch_hub_cached(config)
    if cached:
        return cached
    _require_online()
    return _fetch_from_hugging_face(config) if config.hf_hub_id else _fetch_by_url(config)


def _hugging_face_cached(config: Any) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    if not config.hf_hub_id:
        return None
    repository, revision = _repository(config)
    for file in _file_names(config):
        found = try_to_load_from_cache(repository, file, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return None


def _torch_hub_cached(config: Any) -> Path | None:
    if not config.url:
        return None
    path = _torch_hub_path(config)
    return path if path.is_file() else None


def _torch_hub_path(config: Any) -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(config.url).path).name


def _repository(config: Any) -> tuple[str, str | None]:
    repository, _, revision = config.hf_hub_id.partition("@")
    return repository, revision or None


def _file_names(config: Any) -> Sequence[str]:
    return (config.hf_hub_filename,) if config.hf_hub_filename else _WEIGHT_FILES


def _require_online() -> None:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise WeightsUnavailable(
            "HF_HUB_OFFLINE is set and no cache contains them",
            "Unset HF_HUB_OFFLINE, or give --weights random or a file.",
        )


def _fetch_from_hugging_face(config: Any) -> Path:
    from huggingface_hub import constants, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, revision = _repository(config)
    for file in _file_names(config):
        _require_answer(hf_hub_url(repository, file, revision=revision))
        try:
            return Path(hf_hub_download(repository, file, revision=revision, etag_timeout=PROBE_TIMEOUT_S))
        # The client's error if neither the hub nor a cache has the file: not the same as a 404.
        except LocalEntryNotFoundError as error:
            raise _fetch_failed(constants.ENDPOINT, error) from error
        except EntryNotFoundError:
            continue
        # The client raises its own errors, httpx's and the file system's.
        except Exception as error:
            raise _fetch_failed(constants.ENDPOINT, error) from error
    raise WeightsUnavailable(
        f"{repository} on {constants.ENDPOINT} contains none of {', '.join(_file_names(config))}",
        "Use --weights random or a file.",
    )


def _fetch_by_url(config: Any) -> Path:
    import torch

    _require_answer(config.url)
    path = _torch_hub_path(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(config.url, str(path), progress=False)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        raise _fetch_failed(config.url, error) from error
    return path


def _fetch_failed(place: str, error: Exception) -> WeightsUnavailable:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return WeightsUnavailable(
        f"downloading them from {place} failed: {reason}", "Try again, or use --weights random or a file."
    )


def _require_answer(url: str) -> None:
    """Raises `WeightsUnavailable` unless the server of `url` answers within PROBE_TIMEOUT_S."""
    problems: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # In a thread, because name resolution takes no timeout.
    threading.Thread(target=lambda: problems.put(_probe(url)), daemon=True).start()
    try:
        problem = problems.get(timeout=PROBE_TIMEOUT_S)
    except queue.Empty:
        problem = f"no answer within {PROBE_TIMEOUT_S:g} s"
    if problem:
        parts = urlsplit(url)
        hub = f"{parts.scheme}://{parts.netloc}" if parts.netloc else url
        raise WeightsUnavailable(
            f"the hub at {hub} cannot be reached: {problem}",
            "Check the network and HF_ENDPOINT, or use --weights random or a file.",
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: following it would only take time."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _probe(url: str) -> str | None:
    """The problem with the server of `url`, or None if it answers. Honours the proxy variables."""
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        opener.open(urllib.request.Request(url, method="HEAD"), timeout=PROBE_TIMEOUT_S).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return f"it answers {answer.code}" if answer.code >= 500 else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        logging.getLogger(__name__).debug("probe of %s failed", url, exc_info=True)
        return str(getattr(error, "reason", error)) or type(error).__name__
    return None
