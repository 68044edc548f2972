from __future__ import annotations

import numpy as np

from workbench.training import augment


def test_the_eight_symmetries_differ_and_the_first_changes_nothing():
    pixels = np.arange(9).reshape(1, 3, 3)
    seen = {augment.transform(pixels, symmetry).tobytes() for symmetry in range(8)}
    assert len(seen) == 8
    assert np.array_equal(augment.transform(pixels, 0), pixels)


def test_image_and_mask_move_together():
    mask = np.arange(20).reshape(4, 5)
    image = np.stack([mask, 2 * mask])
    for symmetry in range(8):
        moved = augment.transform(image, symmetry)
        assert np.array_equal(moved[0], augment.transform(mask, symmetry))
        assert np.array_equal(moved[1], 2 * moved[0])


def test_chips_that_are_not_square_keep_their_shape():
    assert {augment.transform(np.zeros((2, 4, 5)), number).shape for number in range(8)} == {
        (2, 4, 5)
    }


def test_written_in_strips_or_at_once_is_the_same():
    pixels = np.random.default_rng(0).random((2, 70, 70))
    for symmetry in range(8):
        place = np.empty_like(pixels)
        augment.write(pixels, symmetry, place)
        assert np.array_equal(place, augment.transform(pixels, symmetry))


def test_the_draw_depends_on_seed_epoch_and_chip_alone_and_is_even():
    draws = [augment.draw(0, epoch, f"chip_{chip}") for epoch in range(40) for chip in range(40)]
    assert draws == [augment.draw(0, epoch, f"chip_{chip}") for epoch in range(40)
                     for chip in range(40)]  # fmt: skip
    counts = np.bincount(draws, minlength=8)
    assert counts.min() > 150
    assert counts.max() < 250
    assert draws != [augment.draw(1, epoch, f"chip_{chip}") for epoch in range(40)
                     for chip in range(40)]  # fmt: skip


def test_every_date_of_a_chip_is_turned_alike():
    frames = np.random.default_rng(0).random((2, 3, 8, 8))
    for symmetry in range(8):
        turned = augment.transform(frames, symmetry)
        for date in range(3):
            np.testing.assert_array_equal(turned[:, date],
                                          augment.transform(frames[:, date], symmetry))
