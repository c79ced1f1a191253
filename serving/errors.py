"""The ends of a serving run that are told in words."""


class ServingError(RuntimeError):
    """A server, a model or a client that failed on a request that is in order."""


class NoAnswer(ServingError):
    """A server that has ended, or that says nothing in the time it is given."""


class ServingRefused(ValueError):
    """A request that cannot be served; the message names option, value and remedy."""


class TritonMissing(ServingRefused):
    """There is no server here, or no client for it; the message says in one line how to get them."""
