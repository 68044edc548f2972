from __future__ import annotations

import threading

import pytest

from workbench.errors import DataError
from workbench.widgets.telling import telling


def test_what_is_for_people_is_told_and_nothing_else_happens(monkeypatch):
    told, reported = [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    with telling(told.append):
        raise DataError("The chip is damaged.")
    assert told == ["The chip is damaged."]
    assert reported == []


def test_what_nobody_expected_is_told_and_reported_with_its_traceback(monkeypatch):
    told, reported = [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    with telling(told.append):
        raise ZeroDivisionError("division by zero")
    assert told == ["Unexpected ZeroDivisionError: division by zero. The log of the kernel says "
                    "where."]
    (report,) = reported
    assert report.exc_type is ZeroDivisionError
    assert report.exc_traceback is not None
    assert report.thread is threading.current_thread()


def test_an_interruption_is_nobodys_to_tell():
    with pytest.raises(KeyboardInterrupt), telling(print):
        raise KeyboardInterrupt
