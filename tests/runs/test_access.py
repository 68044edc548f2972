from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from workbench.errors import RunError
from workbench.runs import control
from workbench.runs.lock import LOCK, Lock, is_live, writing


def refused(code: int):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_read_only_says_so_instead_of_being_trained(tmp_path, monkeypatch, code):
    opened = os.open

    def read_only(path, flags, *more):
        return refused(code)() if flags & os.O_RDWR else opened(path, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(RunError, match=r"not yours to write to .*copy it and go on with the copy"):
        Lock.take(tmp_path)


@pytest.mark.parametrize("wish", [control.PAUSE, control.STOP, control.UNPAUSE])
def test_who_may_only_read_a_run_is_told_that_it_cannot_be_steered(tmp_path, monkeypatch, wish):
    control.request(tmp_path, control.PAUSE)
    monkeypatch.setattr(Path, "touch", refused(errno.EACCES))
    monkeypatch.setattr(Path, "unlink", refused(errno.EACCES))
    with pytest.raises(RunError, match="neither trained, steered nor scored"):
        control.request(tmp_path, wish)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_drive_without_locks_is_refused_with_a_way_out(tmp_path, monkeypatch, code):
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refused(code))
        with pytest.raises(RunError, match=r"has no locks .*another disk: root=…"):
            Lock.take(tmp_path)
        assert not is_live(tmp_path)
    assert (tmp_path / LOCK).read_bytes() == b""
    with writing(tmp_path):
        assert is_live(tmp_path)
