"""What is kept on disk is whole or not there, whoever is killed, runs out of space or shares it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from workbench.errors import WorkbenchError
from workbench.training.features import FeatureStore, budget_bytes, clear_features, space

KEY = {"backbone": "tiny", "weights": "0" * 64}
SIZE = 1000 * 4
WRITER = """
import sys, torch
from pathlib import Path
from workbench.training.features import FeatureStore
store = FeatureStore({"backbone": "tiny", "weights": "0" * 64}, root=Path(sys.argv[1]),
                     budget_bytes=10**9)
print("ready", flush=True)
for number in range(*map(int, sys.argv[2:])):
    store.put(str(number), {"0": torch.full((200_000,), float(number))})
print("done", flush=True)
"""


def value(number: float, size: int = 1000) -> dict[str, torch.Tensor]:
    return {"0": torch.full((size,), float(number))}


def opened(root: Path, key: object = KEY, budget: int = 10**6) -> FeatureStore:
    return FeatureStore(key, root=root, budget_bytes=budget)


def test_what_was_put_is_found_by_another_store_of_the_same_key_alone(tmp_path):
    maps = {"0": torch.randn(3, 4, 5), "1": torch.randn(2, 2).half(), "mask": torch.arange(6)}
    opened(tmp_path).put("chip/0", maps)
    found = opened(tmp_path).get("chip/0")
    assert found.keys() == maps.keys()
    assert all(torch.equal(found[name], maps[name]) for name in maps)
    assert opened(tmp_path).get("chip/1") is None
    assert opened(tmp_path, {**KEY, "bands": ["RED"]}).get("chip/0") is None


def test_transposed_maps_come_back_as_they_were(tmp_path):
    maps = {"0": torch.randn(5, 4, 3).permute(2, 1, 0)}
    opened(tmp_path).put("chip", maps)
    assert torch.equal(opened(tmp_path).get("chip")["0"], maps["0"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[:-8] + b"\1" * 8,
        lambda data: data[:9] + b"!" + data[10:],
    ],
    ids=["truncated", "empty", "zeros", "flipped bits", "broken header"],
)
def test_a_damaged_file_is_not_there_and_is_written_anew(tmp_path, damage):
    opened(tmp_path).put("chip", value(7))
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(damage(file.read_bytes()))
    store = opened(tmp_path)
    assert store.get("chip") is None
    store.put("chip", value(7))
    assert torch.equal(opened(tmp_path).get("chip")["0"], value(7)["0"])


def test_a_writer_that_is_killed_leaves_whole_values_only_and_the_next_one_sweeps(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, "0", "100000"],
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert writer.stdout.readline() == "ready\n"
    while len(list(tmp_path.rglob("*.safetensors"))) < 20:
        time.sleep(0.005)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    (tmp_path / opened(tmp_path).folder.name / "writing" / "half").write_bytes(b"of a value")
    store = opened(tmp_path)
    assert list((store.folder / "writing").iterdir()) == []
    found = {number: store.get(str(number)) for number in range(20)}
    assert all(torch.equal(found[number]["0"], value(number, 200_000)["0"]) for number in found)
    assert len(list(tmp_path.rglob("*.safetensors"))) == sum(
        store.get(str(number)) is not None for number in range(10_000)
    )


@pytest.mark.slow
def test_two_processes_fill_one_key_together(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, *span],
                         stdout=subprocess.PIPE, text=True)
        for span in (("0", "60"), ("30", "90"))
    ]  # fmt: skip
    assert [writer.communicate()[0] for writer in writers] == ["ready\ndone\n"] * 2
    store = opened(tmp_path)
    assert all(store.get(str(number))["0"][0] == number for number in range(90))


def test_a_store_in_use_is_not_swept(tmp_path):
    first = opened(tmp_path)
    half = first.folder / "writing" / "half"
    half.write_bytes(b"of a value")
    opened(tmp_path)
    assert half.exists()


def test_the_budget_bounds_what_is_kept_and_the_rest_is_not_there(tmp_path):
    store = opened(tmp_path, budget=10 * SIZE)
    for number in range(20):
        store.put(str(number), value(number))
    kept = sum(store.get(str(number)) is not None for number in range(20))
    assert 7 <= kept < 10
    assert store.full
    assert store.problem is None
    assert space.used_bytes(tmp_path) <= 10 * SIZE


def test_a_value_may_have_to_leave_room_for_others(tmp_path):
    store = opened(tmp_path, budget=10 * SIZE)
    for number in range(20):
        store.put(str(number), value(number), leaving=4)
    assert len(list(tmp_path.rglob("*.safetensors"))) < 6
    store.put("other", value(0))
    assert store.get("other") is not None


def test_the_key_that_was_not_used_for_longest_makes_room(tmp_path):
    for age, name in ((300, "old"), (200, "older"), (100, "new")):
        store = opened(tmp_path, {"key": name}, budget=40 * SIZE)
        for number in range(5):
            store.put(str(number), value(number))
        store.close()
        past = time.time() - (1000 if name == "older" else age)
        os.utime(store.folder / "in_use", (past, past))
    store = opened(tmp_path, budget=20 * SIZE)
    for number in range(5):
        store.put(str(number), value(number))
    assert all(store.get(str(number)) is not None for number in range(5))
    there = {name for name in ("old", "older", "new") if opened(tmp_path, {"key": name}).get("0")}
    assert there == {"old", "new"}


def test_a_key_in_use_is_never_deleted(tmp_path):
    used = opened(tmp_path, {"key": "used"})
    used.put("0", value(0))
    store = opened(tmp_path, budget=SIZE // 2)
    store.put("0", value(1))
    assert store.full
    assert used.get("0") is not None
    used.close()
    opened(tmp_path, {"key": "third"}, budget=2 * SIZE).put("0", value(2))
    assert used.get("0") is None


def test_a_full_disk_is_a_problem_in_words_and_no_error(tmp_path, monkeypatch):
    store = opened(tmp_path)
    store.put("0", value(0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(space.os, "replace", full)
    store.put("1", value(1))
    monkeypatch.undo()
    assert "No space left on device" in store.problem
    assert "WORKBENCH_CACHE" in store.problem
    assert store.get("0") is not None
    assert store.get("1") is None
    assert list((store.folder / "writing").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_problem_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = opened(tmp_path / "file" / "features")
    store.put("0", value(0))
    assert store.get("0") is None
    assert "cannot be kept" in store.problem


def test_without_a_budget_nothing_is_made(tmp_path):
    store = opened(tmp_path / "features", budget=0)
    store.put("0", value(0))
    assert store.get("0") is None
    assert not (tmp_path / "features").exists()


def test_the_setting_decides_the_budget_and_half_of_the_free_disk_bounds_the_default(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("WORKBENCH_FEATURES_GB", raising=False)
    assert 0 < budget_bytes(tmp_path / "not" / "there") <= space.BUDGET_BYTES
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "0.5")
    assert budget_bytes(tmp_path) == 500_000_000
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "plenty")
    with pytest.raises(WorkbenchError, match="WORKBENCH_FEATURES_GB='plenty' is not a number"):
        budget_bytes(tmp_path)


def test_clearing_deletes_what_nobody_uses_and_says_how_much(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "1")
    used, unused = FeatureStore({"key": 1}), FeatureStore({"key": 2})
    for store in (used, unused):
        store.put("0", value(0))
    unused.close()
    assert clear_features() > SIZE
    assert used.get("0") is not None
    used.close()
    assert clear_features() > SIZE
    assert list((tmp_path / "features").iterdir()) == []
    assert clear_features() == 0
