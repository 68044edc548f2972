from __future__ import annotations

import threading
import time

from workbench.errors import DataError
from workbench.widgets.comparing.worker import Worker


def test_what_is_asked_for_comes_before_what_is_planned():
    done, gate = [], threading.Event()
    worker = Worker(print)
    worker.plan([gate.wait, lambda: done.append("planned")])
    worker.ask("view", lambda: done.append("asked"))
    gate.set()
    assert worker.wait(10)
    assert done == ["asked", "planned"]


def test_only_the_newest_of_one_kind_is_done():
    done, gate = [], threading.Event()
    worker = Worker(print)
    worker.ask("first", gate.wait)
    time.sleep(0.05)
    for number in range(5):
        worker.ask("view", lambda number=number: done.append(number))
    gate.set()
    assert worker.wait(10)
    assert done == [4]


def test_what_went_wrong_is_told_and_the_next_job_is_done():
    told, done = [], []

    def broken():
        raise DataError("The chip is damaged.")

    worker = Worker(told.append)
    worker.ask("view", broken)
    worker.ask("still", lambda: done.append(1))
    assert worker.wait(10)
    assert told == ["The chip is damaged."]
    assert done == [1]


def test_a_closed_worker_does_nothing_that_has_not_begun():
    done, gate, begun = [], threading.Event(), threading.Event()
    worker = Worker(print)
    worker.ask("first", lambda: (begun.set(), gate.wait()))
    assert begun.wait(10)
    worker.ask("view", lambda: done.append(1))
    worker.plan([lambda: done.append(2)])
    worker.close()
    gate.set()
    assert worker.wait(10)
    assert done == []


def test_its_thread_ends_and_comes_back():
    done = []
    worker = Worker(print)
    for number in range(3):
        worker.ask("view", lambda number=number: done.append(number))
        assert worker.wait(10)
    assert done == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name == "workbench-compare"]
