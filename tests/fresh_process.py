"""Processes that have loaded torch and nothing else of ours: forked from one, as each would take seconds to load it."""

import multiprocessing

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["torch", "torchvision"])
