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
    done, threads = [], []
    worker = Worker(print)
    for number in range(3):
        worker.ask("view", lambda number=number: threads.append(threading.current_thread())
                   or done.append(number))
        assert worker.wait(10)
    assert done == [0, 1, 2]
    for thread in threads:  # the last one may still be on its way out
        thread.join(10)
        assert not thread.is_alive()


def test_what_nobody_expected_is_told_and_reported_and_the_next_job_is_done(monkeypatch):
    told, reported, done = [], [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    def planned():
        yield lambda: done.append("planned")
        raise ZeroDivisionError("of the plan")

    worker = Worker(told.append)
    worker.ask("view", lambda: {}["chip"])
    worker.ask("still", lambda: done.append("asked"))
    worker.plan(planned())
    assert worker.wait(10)
    assert done == ["asked", "planned"]
    assert [text.split(".")[0] for text in told] == [
        "Unexpected KeyError: 'chip'", "Unexpected ZeroDivisionError: of the plan"]
    assert [report.exc_type for report in reported] == [KeyError, ZeroDivisionError]
    worker.ask("view", lambda: done.append("again"))
    assert worker.wait(10)
    assert done[-1] == "again"


def test_a_thread_that_cannot_even_tell_is_followed_by_another(monkeypatch):
    done, reported = [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    def speechless(text):
        raise RuntimeError("no panel")

    worker = Worker(speechless)
    worker.ask("view", lambda: 1 / 0)
    assert worker.wait(10)
    worker.ask("view", lambda: done.append(1))
    assert worker.wait(10)
    assert done == [1]
    while not reported:  # the first thread is still on its way out
        time.sleep(0.01)
    assert reported[0].exc_type is RuntimeError


def test_nothing_is_begun_after_the_end():
    done = []
    worker = Worker(print)
    worker.close()
    worker.ask("view", lambda: done.append(1))
    worker.plan([lambda: done.append(2)])
    assert worker.wait(10)
    assert done == []
