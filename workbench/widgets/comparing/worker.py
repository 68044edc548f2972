"""One thread for what a view computes: what was clicked first, what may be clicked after it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from workbench.widgets.telling import telling

Job = Callable[[], object]


class Worker:
    """Does jobs in a thread of its own, which ends when there is nothing to do.

    A job that fails is told, and the next one is done; see `telling`.

    Args:
        failed: Called with what went wrong in a job.
    """

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._asked: OrderedDict[str, Job] = OrderedDict()
        self._planned: Iterator[Job] = iter(())
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, name: str, job: Job) -> None:
        """Do a job next; one of the same name that has not begun is forgotten."""
        with self._news:
            self._asked.pop(name, None)
            self._asked[name] = job
            self._start()

    def plan(self, jobs: Iterable[Job]) -> None:
        """Do jobs while nothing is asked for; what was planned before is forgotten.

        Args:
            jobs: Asked for the next one in the worker's thread, when there is time for it.
        """
        with self._news:
            self._planned = iter(jobs)
            self._start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return whether everything is done, after `timeout_s` at the latest."""
        with self._news:
            return self._news.wait_for(lambda: self._thread is None, timeout_s)

    def close(self) -> None:
        """Begin nothing any more, whatever is asked for; what has begun is not waited for."""
        with self._news:
            self._closed = True
            self._asked.clear()
            self._planned = iter(())

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="workbench-compare",
                                            daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:  # also where telling itself has failed: the next job gets a new thread
            with self._news:
                if self._thread is threading.current_thread():
                    self._ended()

    def _ended(self) -> None:
        self._thread = None
        self._news.notify_all()

    def _turn(self) -> bool:
        """Do one job; return False when there is none, and the thread has ended for `wait`."""
        with self._news:
            asked = self._asked.popitem(last=False)[1] if self._asked and not self._closed else None
            planned = self._planned
        if asked is not None:
            with telling(self._failed):
                asked()
            return True
        job = None
        with telling(self._failed):
            job = next(planned, None)
            if job is not None and not self._closed:
                job()
        with self._news:
            if job is not None or (self._asked and not self._closed) \
                    or self._planned is not planned:
                return True
            self._ended()
            return False
