"""The errors of a serving run."""


class ServingError(RuntimeError):
    """A server, a model or a client that failed on a valid request."""


class NoAnswer(ServingError):
    """A server that has ended, or that does not answer in time."""


class ServingRefused(ValueError):
    """A request that cannot be served; the message names option, value and remedy."""


class TritonMissing(ServingRefused):
    """The server or its client is not installed; the one-line message contains the remedy."""
