from __future__ import annotations

import threading

import pytest
import torch

from workbench.errors import DataError
from workbench.training import loader as module
from workbench.training.loader import Loader, fits_in_memory


@pytest.fixture
def loader(split) -> Loader:
    return Loader(split.train, 4, cache=True)


def images(batches) -> list[torch.Tensor]:
    return [image for batch in batches for image in batch.image]


def test_every_chip_comes_once_in_order(loader, split):
    batches = list(loader.in_order())
    assert [len(batch.image) for batch in batches] == [4, 4, 2]
    assert len(loader) == 3
    chips = [split.train.read(chip_id) for chip_id in split.train]
    for image, chip in zip(images(batches), chips, strict=True):
        assert image.numpy().tobytes() == chip.image.tobytes()
    regions = [loader.regions[place] for batch in batches for place in batch.regions]
    assert regions == [chip.region for chip in chips]
    assert sum(batch.pixels for batch in batches) == sum((chip.mask >= 0).sum() for chip in chips)
    assert batches[0].mask.dtype == torch.int64


def test_an_epoch_is_a_function_of_seed_and_epoch(loader, split):
    def epoch(of: Loader, seed: int, number: int) -> list[bytes]:
        chips = images(of.shuffled(seed, number, augmented=True))
        return [image.numpy().tobytes() for image in chips]

    other = Loader(split.train, 4, cache=False)
    assert epoch(loader, 0, 1) == epoch(loader, 0, 1) == epoch(other, 0, 1)
    assert epoch(loader, 0, 1) != epoch(loader, 0, 2)
    assert epoch(loader, 0, 1) != epoch(loader, 1, 1)


def test_an_interrupted_epoch_goes_on_with_the_same_batches(loader):
    whole = list(loader.shuffled(0, 3, augmented=True))
    rest = list(loader.shuffled(0, 3, augmented=True, skip=2))
    assert len(rest) == 1
    assert torch.equal(rest[0].mask, whole[2].mask)


def test_image_and_mask_are_turned_together(loader):
    for batch in loader.shuffled(0, 0, augmented=True):
        # Nodata is NaN in the image and has no label.
        assert (batch.mask[torch.isnan(batch.image[:, 0])] == -1).all()


def test_without_augmentation_chips_come_as_they_are(loader, split):
    plain = {image.numpy().tobytes() for image in images(loader.shuffled(0, 0, augmented=False))}
    assert plain == {split.train.read(chip_id).image.tobytes() for chip_id in split.train}


@pytest.mark.parametrize("cache", [True, False])
def test_what_fits_is_read_once(split, cache, monkeypatch):
    loader = Loader(split.train, 4, cache=cache)
    reads: list[str] = []
    read = type(split.train).read
    monkeypatch.setattr(
        type(split.train), "read", lambda self, chip: reads.append(chip) or read(self, chip)
    )
    for epoch in range(3):
        list(loader.shuffled(0, epoch, augmented=True))
    assert len(reads) == len(split.train) * (1 if cache else 3)


def test_a_chip_that_has_gone_is_an_error_that_names_it(loader, split, monkeypatch):
    chips = split.train.chips.copy()
    chips.loc[chips.index[5], "image"] = "/gone/chip.tif"
    broken = Loader(module.Dataset(split.dataset.info, chips), 4, cache=True)
    with pytest.raises(DataError, match=r"/gone/chip\.tif cannot be read"):
        list(broken.in_order())


def test_a_reader_that_leaves_early_leaves_no_thread(loader):
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    for _ in loader.shuffled(0, 0, augmented=True):
        break
    assert set(threading.enumerate()) <= before


def test_readers_are_only_a_few_batches_ahead(split, monkeypatch):
    loader = Loader(split.train, 1, cache=False)
    reads: list[str] = []
    read = type(split.train).read
    monkeypatch.setattr(
        type(split.train), "read", lambda self, chip: reads.append(chip) or read(self, chip)
    )
    batches = loader.in_order()
    next(batches)
    batches.close()
    assert len(reads) <= 1 + module._AHEAD
    assert len(reads) < len(split.train)


def test_an_error_of_one_chip_leaves_no_thread(split, monkeypatch):
    before = set(threading.enumerate())
    monkeypatch.setattr(type(split.train), "read", lambda self, chip: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(Loader(split.train, 4, cache=True).in_order())
    assert set(threading.enumerate()) <= before


def test_what_does_not_fit_is_not_kept(split, monkeypatch):
    assert fits_in_memory(split.train, split.val)
    monkeypatch.setattr(module, "CACHE_BYTES", 12 * 32 * 32 * 26)
    assert not fits_in_memory(split.train, split.val)
