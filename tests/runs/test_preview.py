from __future__ import annotations

import numpy as np

from workbench.runs.preview import PREVIEW, Preview, read_preview, write_preview


def preview(epoch: int = 3) -> Preview:
    classes = np.array([[[0, 1], [1, -1]]], np.int16)
    return Preview(epoch=epoch, chip_ids=np.array(["ghana_1"]), regions=np.array(["ghana"]),
                   bands=np.array(["RED", "GREEN", "BLUE"]),
                   image=np.full((1, 3, 2, 2), 0.5, np.float16), label=classes,
                   prediction=classes.clip(0))


def test_what_was_written_is_read(tmp_path):
    write_preview(tmp_path, preview())
    read = read_preview(tmp_path)
    assert read is not None
    assert read.epoch == 3
    assert len(read) == 1
    assert list(read.bands) == ["RED", "GREEN", "BLUE"]
    assert read.image.dtype == np.float16
    np.testing.assert_array_equal(read.label, preview().label)


def test_before_the_first_epoch_ends_there_is_none(tmp_path):
    assert read_preview(tmp_path) is None


def test_a_file_that_is_no_preview_is_none(tmp_path):
    (tmp_path / PREVIEW).write_bytes(b"PK\x03\x04 torn")
    assert read_preview(tmp_path) is None
    np.savez(tmp_path / PREVIEW, label=np.zeros(1))
    assert read_preview(tmp_path) is None
