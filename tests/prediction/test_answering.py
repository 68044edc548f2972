"""Batches fill the device, and are smaller where its memory is full."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import xarray as xr

from tests.prediction.conftest import stored_scene, write_scene
from tests.prediction.test_scene import MODEL, Convolutions
from workbench.errors import RunError
from workbench.prediction import job, predict
from workbench.prediction.kept import one_pass

OPTIONS = {"overlap": 8, "window": 24}


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene.tif", stored_scene(60, 400))


def on_a_device_of(windows: int, error: Callable[[], BaseException]
                   ) -> tuple[torch.nn.Module, list[int]]:
    """The usual model on a device whose memory holds a few windows, and the batches it got."""
    model = Convolutions()
    model.load_state_dict(MODEL.state_dict())
    forward, asked = model.forward, []

    def limited(image: torch.Tensor) -> torch.Tensor:
        asked.append(len(image))
        if len(image) > windows:
            raise error()
        return forward(image)

    model.forward = limited  # type: ignore[method-assign]
    return model, asked


FULL = (lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        lambda: RuntimeError("MPS backend out of memory"), MemoryError)


@pytest.mark.parametrize("error", FULL, ids=["CUDA", "MPS", "host"])
def test_batches_are_halved_until_they_fit_and_stay_so(
        scene: Path, error: Callable[[], BaseException]) -> None:
    model, asked = on_a_device_of(5, error)
    found = predict(model, scene, batch_size=24, **OPTIONS)
    # 25 windows a strip: one at first, for the number of classes.
    assert asked[:4] == [1, 13, 6, 3]
    assert set(asked[4:]) <= {1, 3}
    xr.testing.assert_allclose(found, predict(MODEL, scene, **OPTIONS), atol=1e-6)


@pytest.mark.parametrize("error", FULL, ids=["CUDA", "MPS", "host"])
def test_a_device_that_holds_no_window_is_told(
        scene: Path, error: Callable[[], BaseException]) -> None:
    model, _ = on_a_device_of(0, error)
    with pytest.raises(RunError, match=r"One window of 24 × 24 .*memory.*window=128.*'cpu'"):
        predict(model, scene, **OPTIONS)


def test_other_errors_of_a_model_are_its_own(scene: Path) -> None:
    model, asked = on_a_device_of(0, lambda: RuntimeError("mat1 and mat2 shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        predict(model, scene, **OPTIONS)
    assert len(asked) == 1


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_accelerator_is_given_more_windows_at_once(
        scene: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = on_a_device_of(10_000, MemoryError)
    monkeypatch.setattr(job, "device_of", lambda _: torch.device(device))
    found = predict(model, scene, **OPTIONS)
    assert max(asked) == 25, "a whole strip"
    xr.testing.assert_allclose(found, predict(MODEL, scene, **OPTIONS), atol=1e-6)


def test_a_strip_is_as_wide_as_a_large_batch(tmp_path: Path) -> None:
    wide = write_scene(tmp_path / "wide.tif", stored_scene(24, 3000))
    model, asked = on_a_device_of(10_000, MemoryError)
    predict(model, wide, batch_size=200, **OPTIONS)
    assert asked == [1, 187], "2048 columns hold 127 windows"


def test_of_two_threads_that_ask_one_model_the_second_waits_for_the_first(scene: Path) -> None:
    model = Convolutions()
    forward, entered = model.forward, []

    def noticed(image: torch.Tensor) -> torch.Tensor:
        with ThreadPoolExecutor(1) as other:
            entered.append(other.submit(one_pass.acquire, blocking=False).result())
        return forward(image)

    model.forward = noticed  # type: ignore[method-assign]
    predict(model, scene, **OPTIONS)
    assert entered
    assert not any(entered)
