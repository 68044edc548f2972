from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from workbench.errors import RunError
from workbench.runs import checkpoints


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "last"


def write(path: Path, value: int) -> None:
    with checkpoints.replacing(path) as folder:
        (folder / "one").write_text(str(value))
        (folder / "two").write_text(str(value))


def value(folder: Path) -> int:
    one, two = (int((folder / name).read_text()) for name in ("one", "two"))
    assert one == two
    return one


def test_a_checkpoint_replaces_the_one_before(path):
    for number in range(3):
        write(path, number)
    assert checkpoints.read(path, value) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["last"]


def test_without_a_checkpoint_the_error_says_what_to_do(path):
    with pytest.raises(RunError, match=r"no checkpoint 'last'.*wb\.resume"):
        checkpoints.read(path, value)


def test_a_failure_while_writing_leaves_the_old_one(path):
    write(path, 1)

    def broken() -> None:
        with checkpoints.replacing(path) as folder:
            (folder / "one").write_text("2")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert checkpoints.read(path, value) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["last"]


class Killed(BaseException):
    """Stands for a process that is gone: nothing after it runs."""


@pytest.mark.parametrize("first", [True, False], ids=["first checkpoint", "later checkpoint"])
def test_killed_before_any_system_call_some_whole_checkpoint_is_there(path, first, monkeypatch):
    killed = 0
    for moment in range(20):
        shutil.rmtree(path.parent, ignore_errors=True)
        if not first:
            write(path, 1)
        calls = iter(range(1000))

        def dying(call, moment=moment, calls=calls):
            def wrapped(*arguments, **options):
                if next(calls) >= moment:
                    raise Killed
                return call(*arguments, **options)
            return wrapped

        with monkeypatch.context() as patch:
            for module, name in ((os, "replace"), (os, "fsync"), (shutil, "rmtree")):
                patch.setattr(module, name, dying(getattr(module, name)))
            try:
                write(path, 2)
            except Killed:
                killed += 1
        if checkpoints.find(path) is None:
            assert first
        else:
            assert checkpoints.read(path, value) in ((2,) if first else (1, 2))
        write(path, 3)
        assert checkpoints.read(path, value) == 3
        assert [entry.name for entry in path.parent.iterdir()] == ["last"]
    assert killed >= 4


def test_a_reader_never_sees_a_mixture_or_a_gap(path):
    write(path, 0)
    done = threading.Event()
    seen: set[tuple[str, str]] = set()

    def both(folder: Path) -> tuple[str, str]:
        return (folder / "one").read_text(), (folder / "two").read_text()

    def watch() -> None:
        while not done.is_set():
            seen.add(checkpoints.read(path, both))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(60):
        write(path, number)
    done.set()
    watcher.join()
    assert len(seen) > 1
    assert all(one == two for one, two in seen)
