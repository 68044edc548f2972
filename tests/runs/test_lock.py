from __future__ import annotations

import subprocess
import sys

import pytest

from workbench.errors import RunError
from workbench.runs import lock

HOLD = """
import pathlib, runpy, sys, time
writing = runpy.run_path(sys.argv[1])["writing"]  # without torch, which takes seconds
with writing(pathlib.Path(sys.argv[2])):
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
        [sys.executable, "-c", HOLD, lock.__file__, tmp_path], stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    assert lock.is_live(tmp_path)
    holder.kill()
    holder.communicate()
    assert not lock.is_live(tmp_path)
    with lock.writing(tmp_path):
        pass
