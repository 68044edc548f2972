"""One thread for what a view computes: what was clicked first, what may be clicked after it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from workbench.errors import WorkbenchError

Job = Callable[[], object]


class Worker:
    """Does jobs in a thread of its own, which ends when there is nothing to do.

    Args:
        failed: Called with what went wrong in a job.
    """

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._asked: OrderedDict[str, Job] = OrderedDict()
        self._planned: Iterator[Job] = iter(())
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

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
        """Forget everything that has not begun."""
        with self._news:
            self._asked.clear()
            self._planned = iter(())

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="workbench-compare",
                                            daemon=True)
            self._thread.start()

    def _next(self) -> Job | None:
        while True:
            with self._news:
                if self._asked:
                    return self._asked.popitem(last=False)[1]
                planned = self._planned
            if job := next(planned, None):
                return job
            with self._news:
                if not self._asked and self._planned is planned:
                    self._thread = None
                    self._news.notify_all()
                    return None

    def _run(self) -> None:
        while job := self._next():
            try:
                job()
            except WorkbenchError as error:
                self._failed(str(error))
