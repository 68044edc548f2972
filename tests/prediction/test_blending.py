from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.prediction.blending import ReadWindow, Tiling, blended

torch.manual_seed(0)
# Two 3x3 convolutions: the answer at a pixel depends on its neighbours up to 2 pixels away.
CONVOLUTIONS = torch.nn.Sequential(
    torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 3, padding=1))
REACH = 2


@torch.inference_mode()
def convolve(windows: npt.NDArray[np.float32], corners: object = ()) -> npt.NDArray[np.float32]:
    return CONVOLUTIONS(torch.from_numpy(windows).nan_to_num()).softmax(1).numpy()


def blend(image: npt.NDArray[np.float32], window: int, overlap: int, batch_size: int = 3,
          forward: object = convolve, panel: int = 2048, read: object = None
          ) -> npt.NDArray[np.float32]:
    """Blend all panels, each after the one to its left."""
    tiling = Tiling(*image.shape[1:], window, overlap, batch_size, panel)
    carry: dict[int, npt.NDArray[np.float32]] = {}
    done = []
    for panel_ in tiling.panels:
        carried = (lambda top, rows, known=dict(carry): known[top]) if done else None
        parts = list(blended(read or reader(image), forward, 3, tiling, panel_,  # type: ignore
                             carried))
        assert [part.top for part in parts] == tiling.tops
        carry = {part.top: part.carry for part in parts}
        done.append(np.concatenate([part.probabilities for part in parts], axis=1))
    return np.concatenate(done, axis=2)


def reader(image: npt.NDArray[np.float32]) -> ReadWindow:
    return lambda top, left, rows, columns: image[:, top : top + rows, left : left + columns]


def scene(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(2, height, width)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 70), width=st.integers(1, 70), overlap=st.integers(4 * REACH, 14),
       extra=st.integers(1, 20), batch_size=st.integers(1, 7), panel=st.integers(1, 80),
       seed=st.integers(0, 5))
def test_windows_equal_the_whole_where_the_receptive_field_fits_the_overlap(
        height: int, width: int, overlap: int, extra: int, batch_size: int, panel: int, seed: int
        ) -> None:
    image = scene(height, width, seed)
    found = blend(image, overlap + extra, overlap, batch_size, panel=panel)
    np.testing.assert_allclose(found, convolve(image[None])[0], atol=1e-6, rtol=0)


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 40), width=st.integers(1, 40), window=st.integers(2, 16),
       data=st.data())
def test_nodata_stays_where_it_is_and_reaches_no_further(
        height: int, width: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    image = scene(height, width)
    missing = np.random.default_rng(1).random((height, width)) < data.draw(
        st.sampled_from([0.02, 0.5, 0.98]))
    image[1, missing] = np.nan
    blended = blend(image, window, overlap)
    assert (np.isnan(blended) == missing).all()
    np.testing.assert_allclose(blended.sum(0)[~missing], 1, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 60), width=st.integers(1, 60), window=st.integers(2, 16),
       panel=st.integers(1, 70), data=st.data())
def test_a_window_is_answered_once_and_a_row_of_a_panel_read_once(
        height: int, width: int, window: int, panel: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    image, reads, asked = scene(height, width), [], []

    def read(top: int, left: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
        reads.append((left, top, rows))
        return reader(image)(top, left, rows, columns)

    def forward(windows: npt.NDArray[np.float32], corners: list[tuple[int, int]]) -> object:
        asked.extend(corners)
        return convolve(windows)

    blend(image, window, overlap, forward=forward, panel=panel, read=read)
    tiling = Tiling(height, width, window, overlap, 3, panel)
    assert sorted(asked) == sorted(itertools.product(tiling.tops, tiling.lefts))
    for part in tiling.panels:
        rows = [np.arange(top, top + rows) for left, top, rows in reads if left == part.left]
        assert np.concatenate(rows).tolist() == list(range(height))


@settings(deadline=None, max_examples=40)
@given(height=st.integers(20, 60), first=st.integers(0, 9), panel=st.integers(1, 50))
def test_begun_at_a_later_strip_it_is_the_same_to_the_bit(
        height: int, first: int, panel: int) -> None:
    image = scene(height, 40)
    tiling = Tiling(height, 40, 16, 10, 3, panel)
    first = min(first, len(tiling.tops) - 1)
    part = tiling.panels[0]
    whole = list(blended(reader(image), convolve, 3, tiling, part, None))[first:]
    with ThreadPoolExecutor(1) as ahead:
        rest = list(blended(reader(image), convolve, 3, tiling, part, None, first, ahead))
    assert [one.top for one in rest] == tiling.tops[first:]
    for one, other in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.carry, other.carry)


def test_panels_are_no_wider_than_said_and_cover_the_raster() -> None:
    panels = Tiling(50, 5000, 224, 56, 4, 2048).panels
    assert [panel.left for panel in panels] == [0, *(panel.stop for panel in panels[:-1])]
    assert panels[-1].stop == panels[-1].right == 5000
    assert all(panel.right - panel.left <= 2048 for panel in panels)


def test_no_panel_or_batch_is_left_with_few_windows() -> None:
    assert [len(panel.lefts) for panel in Tiling(224, 4096, 224, 56, 5).panels] == [9, 8, 8]
    assert len(Tiling(224, 2048, 224, 56, 5).panels) == 1, "the last window is moved back"
    asked = []

    def forward(windows: npt.NDArray[np.float32], corners: object) -> npt.NDArray[np.float32]:
        asked.append(len(windows))
        return convolve(windows)

    blend(scene(16, 16 + 5 * 8), 16, 8, batch_size=5, forward=forward)
    assert asked == [3, 3]


def test_windows_without_any_value_are_not_given_to_the_model() -> None:
    image = scene(32, 48)
    image[:, :, 16:] = np.nan
    seen = []

    def forward(windows: npt.NDArray[np.float32], corners: object) -> npt.NDArray[np.float32]:
        seen.append(len(windows))
        return convolve(windows)

    blend(image, 16, 0, forward=forward)
    assert sum(seen) == 2


def test_a_raster_without_any_value_is_all_nodata() -> None:
    assert np.isnan(blend(np.full((2, 20, 20), np.nan, np.float32), 16, 4)).all()


def test_no_seam_shows_where_windows_meet() -> None:
    # A model that answers by its place in the window is the worst case: the blend stays smooth.
    def forward(windows: npt.NDArray[np.float32], corners: object) -> npt.NDArray[np.float32]:
        slope = np.broadcast_to(np.linspace(0, 1, windows.shape[-1], dtype=np.float32),
                                (len(windows), *windows.shape[-2:]))
        return np.stack([slope, 1 - slope, 0 * slope], 1)

    jumps = np.abs(np.diff(blend(scene(32, 128), 32, 16, forward=forward)[0], axis=1))
    assert jumps.max() < 0.2  # butted windows jump by 1
