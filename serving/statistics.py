"""The server's own counters of a model: requests, and where their time is spent."""

from __future__ import annotations

from dataclasses import dataclass, fields

from serving.server import Server


@dataclass(frozen=True)
class Counters:
    """Sums over successful requests, and the number of failed ones; times in ns."""

    requests: int
    failed: int
    images: int
    executions: int
    queue_ns: int
    compute_input_ns: int
    compute_infer_ns: int
    compute_output_ns: int

    def __sub__(self, earlier: Counters) -> Counters:
        return Counters(*(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)))

    def lines(self) -> dict[str, str]:
        """Report lines: means over the requests."""
        requests = max(self.requests, 1)
        times = {
            "server_queue": self.queue_ns,
            "server_compute_input": self.compute_input_ns,
            "server_compute": self.compute_infer_ns,
            "server_compute_output": self.compute_output_ns,
        }
        return {
            **{name: f"{total / requests / 1e6:.3f} ms" for name, total in times.items()},
            "server_requests": str(self.requests),
            "server_executions": str(self.executions),
            "failed_requests": str(self.failed),
        }


def counters(server: Server, model: str) -> Counters:
    """The server's counters of `model` since it was loaded. Raises `ServingError`."""
    (found,) = server.ask(server.control.get_inference_statistics, model).model_stats
    parts = found.inference_stats
    return Counters(
        requests=parts.success.count,
        failed=parts.fail.count,
        images=found.inference_count,
        executions=found.execution_count,
        queue_ns=parts.queue.ns,
        compute_input_ns=parts.compute_input.ns,
        compute_infer_ns=parts.compute_infer.ns,
        compute_output_ns=parts.compute_output.ns,
    )
