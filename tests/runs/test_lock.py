from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import pytest

from workbench.errors import RunError, RunExistsError
from workbench.recipe import SpectralIndex
from workbench.runs import create, create_locked, lock

HOLD = """
import pathlib, sys, time
from workbench.runs.lock import writing
with writing(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_live_while_it_is_held(tmp_path):
    assert not lock.is_live(tmp_path)
    with lock.writing(tmp_path):
        assert lock.is_live(tmp_path)
    assert not lock.is_live(tmp_path)


def test_a_second_writer_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE_S", 0.05)
    with (
        lock.writing(tmp_path),
        pytest.raises(RunError, match="is being trained by another process"),
        lock.writing(tmp_path),
    ):
        pass


def test_the_lock_dies_with_its_process(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert holder.stdout.readline() == b"held\n"
    assert lock.is_live(tmp_path)
    holder.kill()
    holder.communicate()
    assert not lock.is_live(tmp_path)
    with lock.writing(tmp_path):
        pass


def test_a_lock_is_handed_to_a_process_without_a_moment_in_which_nobody_holds_it(tmp_path):
    mine = lock.Lock.take(tmp_path)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(mine.file,))
    mine.hand_over()
    assert lock.is_live(tmp_path)
    child.kill()
    child.wait()
    assert not lock.is_live(tmp_path)


def test_a_process_that_inherits_the_lock_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE_S", 0.05)
    mine = lock.Lock.take(tmp_path)
    inherited = lock.Lock.inherited(tmp_path, os.dup(mine.file))
    mine.hand_over()
    with pytest.raises(RunError):
        lock.Lock.take(tmp_path)
    inherited.release()
    assert (tmp_path / lock.LOCK).read_bytes() == b""


def test_who_died_with_the_lock_is_known_to_the_next_one_only(tmp_path):
    mine = lock.Lock.take(tmp_path)
    assert mine.found_dead is None
    mine.hand_over()  # to nobody: as if the process had died
    after = lock.Lock.take(tmp_path)
    assert after.found_dead == os.getpid()
    after.release()
    third = lock.Lock.take(tmp_path)
    assert third.found_dead is None
    third.release()


def test_those_who_look_are_no_writers_to_each_other(tmp_path):
    lock.Lock.take(tmp_path).release()
    look = os.open(tmp_path / lock.LOCK, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    assert not lock.is_live(tmp_path)
    os.close(look)



def test_of_two_who_make_one_folder_the_later_is_refused(split, tmp_path, monkeypatch):
    def first_an_instant_before(folder):
        monkeypatch.undo()
        create(tmp_path / "one", SpectralIndex(), split, {"bands": [], "device": "cpu"})
        lock.Lock.take(tmp_path / "one").release()
        return taken(folder)

    taken = lock.Lock.take
    monkeypatch.setattr(lock.Lock, "take", staticmethod(first_an_instant_before))
    with pytest.raises(RunExistsError):
        create_locked(tmp_path / "one", SpectralIndex(), split, {"bands": [], "device": "cpu"})
    assert not lock.is_live(tmp_path / "one")
