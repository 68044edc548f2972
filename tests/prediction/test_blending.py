from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.prediction.blending import Tiling, blended_rows

torch.manual_seed(0)
# Two 3x3 convolutions: the answer at a pixel depends on its neighbours up to 2 pixels away.
CONVOLUTIONS = torch.nn.Sequential(
    torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 3, padding=1))
REACH = 2


@torch.inference_mode()
def convolve(windows: npt.NDArray[np.float32], corners: object = ()) -> npt.NDArray[np.float32]:
    return CONVOLUTIONS(torch.from_numpy(windows).nan_to_num()).softmax(1).numpy()


def blend(image: npt.NDArray[np.float32], window: int, overlap: int, batch_size: int = 3,
          forward: object = convolve) -> npt.NDArray[np.float32]:
    tiling = Tiling(*image.shape[1:], window, overlap, batch_size)
    bands = list(blended_rows(lambda top, rows: image[:, top : top + rows], forward,  # type: ignore
                              3, tiling))
    assert [band.top for band in bands] == tiling.tops
    return np.concatenate([band.probabilities for band in bands], axis=1)


def scene(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(2, height, width)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 70), width=st.integers(1, 70), overlap=st.integers(4 * REACH, 14),
       extra=st.integers(1, 20), batch_size=st.integers(1, 7), seed=st.integers(0, 5))
def test_windows_equal_the_whole_where_the_receptive_field_fits_the_overlap(
        height: int, width: int, overlap: int, extra: int, batch_size: int, seed: int) -> None:
    image = scene(height, width, seed)
    blended = blend(image, overlap + extra, overlap, batch_size)
    np.testing.assert_allclose(blended, convolve(image[None])[0], atol=1e-6, rtol=0)


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


def test_each_row_is_read_once_and_only_one_strip_is_held() -> None:
    image, reads = scene(50, 30), []

    def read(top: int, rows: int) -> npt.NDArray[np.float32]:
        reads.append((top, rows))
        return image[:, top : top + rows]

    list(blended_rows(read, convolve, 3, Tiling(50, 30, 16, 8, 4)))
    assert reads[0] == (0, 16)
    assert [top for top, _ in reads[1:]] == list(np.cumsum([rows for _, rows in reads])[:-1])
    assert sum(rows for _, rows in reads) == 50


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
