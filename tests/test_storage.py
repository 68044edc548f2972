from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from workbench import storage
from workbench.errors import OutOfSpaceError, WorkbenchError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with storage.atomic_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.suffix == ".txt", "writers such as GDAL look at the suffix"
    assert path.read_text() == "half"
    assert names(path.parent) == ["b.txt"]


def test_a_file_has_the_permissions_of_an_ordinary_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    storage.write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(
        tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "kept.txt"
    storage.write_text(path, "old")

    def interrupted() -> None:
        with storage.atomic_file(path) as temporary:
            temporary.write_text("new")
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["kept.txt"]


def test_a_full_disk_is_explained_once_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "inner.txt"
    with (pytest.raises(OutOfSpaceError, match=r"inner\.txt.*run the same call again") as caught,
          storage.atomic_folder(tmp_path / "outer"), storage.atomic_file(path)):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert "outer" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("code", "said"), [
    (errno.EDQUOT, r"Your quota on the disk of .*x is used up\..* have it raised and run the same"),
    (errno.EFBIG, r"A file for .*x would be larger than .*Raise the limit \(`ulimit -f unlimited`"),
])
def test_a_spent_quota_and_a_limit_of_files_are_told_by_their_names(
        tmp_path: Path, code: int, said: str) -> None:
    with pytest.raises(OutOfSpaceError, match=said), storage.atomic_file(tmp_path / "x"):
        raise OSError(code, os.strerror(code))


def test_other_errors_of_the_system_pass_through(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), storage.atomic_file(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "no")


def test_files_in_a_folder_are_as_readable_as_ordinary_ones(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with storage.atomic_folder(tmp_path / "new") as temporary:
        save_file({"weights": np.ones(2)}, temporary / "weights.safetensors")
    written = tmp_path / "new" / "weights.safetensors"
    assert written.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with storage.atomic_folder(tmp_path / "new") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_text("x")
        assert names(tmp_path) == [temporary.name]
    assert (tmp_path / "new" / "inner" / "file").read_text() == "x"
    assert names(tmp_path) == ["new"]


def fill(folder: Path, text: str) -> None:
    (folder / "file").write_text(text)


def test_the_folder_that_is_there_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "cached"
    for text in ("first", "second"):
        with storage.atomic_folder(path) as temporary:
            fill(temporary, text)
    assert (path / "file").read_text() == "first"
    assert names(tmp_path) == ["cached"]


def test_two_writers_of_one_cache_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "cached"
    with storage.atomic_folder(path) as slow:
        fill(slow, "slow")
        with storage.atomic_folder(path) as fast:
            fill(fast, "fast")
    assert (path / "file").read_text() == "fast"
    assert names(tmp_path) == ["cached"]


def test_a_rename_that_comes_an_instant_late_does_no_harm(tmp_path: Path) -> None:
    late, there = tmp_path / "late", tmp_path / "there"
    for folder in (late, there):
        folder.mkdir()
        fill(folder, folder.name)
    storage._rename_unless_there(late, there)
    assert (there / "file").read_text() == "there"


def test_replacing_a_folder_keeps_no_trace_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "made"
    for text in ("first", "second"):
        with storage.atomic_folder(path, replace=True) as temporary:
            fill(temporary, text)
    assert (path / "file").read_text() == "second"
    assert names(tmp_path) == ["made"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_replacement_keeps_the_old_folder(
        tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "made"
    with storage.atomic_folder(path) as temporary:
        fill(temporary, "old")

    def interrupted() -> None:
        with storage.atomic_folder(path, replace=True) as temporary:
            fill(temporary, "new")
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert (path / "file").read_text() == "old"
    assert names(tmp_path) == ["made"]


def test_an_exchange_that_fails_midway_puts_the_old_folder_back(tmp_path: Path) -> None:
    old = tmp_path / "made"
    old.mkdir()
    fill(old, "old")
    with pytest.raises(FileNotFoundError):
        storage._exchange(tmp_path / "never-written", old)
    assert (old / "file").read_text() == "old"
    assert names(tmp_path) == ["made"]


def test_json_comes_back_as_written_and_readable(tmp_path: Path) -> None:
    value = {"región": ["Bolivia", 1, 2.5, None, True]}
    path = tmp_path / "value.json"
    storage.write_json(path, value)
    assert storage.read_json(path) == value
    assert "región" in path.read_text(encoding="utf-8")
    assert path.read_text().endswith("}\n")


def test_json_never_holds_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        storage.write_json(tmp_path / "bad.json", {"loss": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b'{"half": ', b"\xff\xfe"])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"recipe\.json is not valid JSON"):
        storage.read_json(path)


def test_the_cache_is_where_the_variable_says(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "x" / ".." / "cache"))
    assert storage.cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("WORKBENCH_CACHE")
    assert storage.cache_dir().name == "workbench"


def test_shipped_folders_are_found_and_missing_ones_named() -> None:
    assert (storage.shipped("data_catalog")).is_dir()
    with pytest.raises(WorkbenchError, match="lacks its folder 'nothing'"):
        storage.shipped("nothing")


def test_writing_where_one_may_not_write_is_the_systems_own_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        storage.write_text(tmp_path / "file" / "below.json", json.dumps(1))
    assert os.listdir(tmp_path) == ["file"]
