"""Asking a training to stop, from a signal handler or another thread."""

from __future__ import annotations


class Control:
    """The wishes of whoever watches a training; the loop looks after every step."""

    def __init__(self) -> None:
        self.stop_reason: str | None = None

    def stop(self, reason: str = "asked to stop") -> None:
        """Stop after the step under way, with its checkpoint written."""
        self.stop_reason = reason
