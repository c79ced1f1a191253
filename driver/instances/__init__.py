"""Runs of many processes: launchers, rendezvous, communication and failure detection."""
