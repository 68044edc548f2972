"""Batches of chips: read once where they fit in memory, prepared while the model computes."""

from __future__ import annotations

import collections
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from workbench.assembly import Encode
from workbench.data import Dataset, DatasetInfo
from workbench.models.segmenter import Segmenter
from workbench.training import augment

# Chips below this stay in memory after their first epoch.
CACHE_BYTES = 2 * 1000**3
# Batches that are read while the model computes one.
_AHEAD = 2
# Reading and numpy let go of the GIL; beyond four, disks and open files are what is short.
_READERS = min(4, os.cpu_count() or 1)


# Image and mask of a chip.
Pixels = tuple[npt.NDArray, npt.NDArray]


class Batch(NamedTuple):
    """Chips on their way to the model; `pixels` counts the labelled ones.

    Where `features` gives the backbone's feature maps, `image` is empty.
    """

    image: Tensor
    mask: Tensor
    regions: Tensor
    pixels: int
    time: Tensor | None = None
    location: Tensor | None = None
    features: Callable[[], list[Tensor]] | None = None

    def logits(self, model: nn.Module, moved: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what a model says of the chips, ``(B, K, y, x)``.

        Args:
            model: From its decoder on, where there are features.
            moved: Brings a tensor to the model's device.
        """
        if self.features is None:
            return model(*self.inputs(moved))
        assert isinstance(model, Segmenter)
        maps = [entry if entry.is_cuda else moved(entry) for entry in self.features()]
        return model.decode([entry.float() for entry in maps], self.mask.shape[-2:])

    def inputs(self, moved: Callable[[Tensor], Tensor]) -> tuple[Tensor | None, ...]:
        """Return what the model is called with: the image, and metadata where it is told any.

        Args:
            moved: Brings a tensor to the model's device.
        """
        if self.time is None and self.location is None:
            return (moved(self.image),)
        coords = (None if entry is None else moved(entry) for entry in (self.time, self.location))
        return (moved(self.image), *coords)


class Loader:
    """The chips of one part of a split, in batches.

    Args:
        dataset: The part's chips.
        batch_size: Chips a batch; the last one of an epoch may be smaller.
        cache: Keep what was read; the caller knows whether it fits.
        encode: Makes the metadata of a model that is told when and where chips were taken.

    Attributes:
        readers: Threads that read chips.
    """

    readers: ClassVar[int] = _READERS

    def __init__(self, dataset: Dataset, batch_size: int, *, cache: bool,
                 encode: Encode | None = None) -> None:
        self.dataset = dataset
        self._encode = encode
        self.batch_size = batch_size
        self.chip_ids = [str(chip_id) for chip_id in dataset]
        self.regions = sorted({str(name) for name in dataset.chips["region"]})
        self._region = {
            str(chip_id): self.regions.index(str(name))
            for chip_id, name in dataset.chips["region"].items()
        }
        self._kept: dict[str, Pixels] | None = {} if cache else None

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self.chip_ids) // self.batch_size)

    def in_order(self) -> Iterator[Batch]:
        """Yield every chip once as it is, in the order of the index."""
        return self._batches(self._chunks(self.chip_ids), {})

    def shuffled(self, seed: int, epoch: int, *, augmented: bool, skip: int = 0) -> Iterator[Batch]:
        """Yield every chip once, in an order and with symmetries drawn from (seed, epoch).

        Args:
            seed: The recipe's.
            epoch: The epoch under way.
            augmented: Whether to flip and turn chips.
            skip: Batches of this epoch that were trained before an interruption.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self.chip_ids))
        chip_ids = [self.chip_ids[place] for place in order]
        symmetries = {chip: augment.draw(seed, epoch, chip) for chip in chip_ids if augmented}
        return self._batches(self._chunks(chip_ids)[skip:], symmetries)

    def _chunks(self, chip_ids: Sequence[str]) -> list[Sequence[str]]:
        size = self.batch_size
        return [chip_ids[start : start + size] for start in range(0, len(chip_ids), size)]

    def _batches(self, chunks: Sequence[Sequence[str]], symmetries: dict[str, int],
                 ) -> Iterator[Batch]:
        """Prepare the next batches in threads; what is ready comes in order."""
        pool = ThreadPoolExecutor(self.readers, "workbench-loader")
        waiting: collections.deque[Callable[[], Batch]] = collections.deque()
        try:
            for chunk in chunks:
                waiting.append(self._begin(pool, chunk, symmetries))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()()
            while waiting:
                yield waiting.popleft()()
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, chip_ids: Sequence[str],
               symmetries: dict[str, int]) -> Callable[[], Batch]:
        """Let readers fill a batch, chip by chip, and return what waits for it."""
        info = self.dataset.info
        image = np.empty((len(chip_ids), *info.image_shape), np.float32)
        mask = np.empty((len(chip_ids), *info.chip_shape), np.int64)
        reading = [
            pool.submit(self._fill, image[place], mask[place], chip_id, symmetries.get(chip_id, 0))
            for place, chip_id in enumerate(chip_ids)
        ]
        return lambda: self._filled(chip_ids, image, mask, reading)

    def _fill(self, image: npt.NDArray, mask: npt.NDArray, chip_id: str, symmetry: int) -> None:
        for place, pixels in zip((image, mask), self._chip(chip_id), strict=True):
            augment.write(pixels, symmetry, place)

    def _filled(self, chip_ids: Sequence[str], image: npt.NDArray, mask: npt.NDArray,
                reading: Sequence[Future[None]]) -> Batch:
        for read in reading:
            read.result()
        time, location = self._metadata(chip_ids)
        return self._joined(chip_ids, mask, image=torch.from_numpy(image), time=time,
                            location=location)

    def _joined(self, chip_ids: Sequence[str], masks: Sequence[npt.NDArray] | npt.NDArray, *,
                image: Tensor, **more: Any) -> Batch:
        mask = np.asarray(masks, np.int64)
        return Batch(
            image=image,
            mask=torch.from_numpy(mask),
            regions=torch.tensor([self._region[chip_id] for chip_id in chip_ids]),
            pixels=int((mask >= 0).sum()),
            **more,
        )

    def _metadata(self, chip_ids: Sequence[str]) -> tuple[Tensor | None, Tensor | None]:
        if self._encode is None:
            return None, None
        return self._encode([self.dataset.date(chip_id) for chip_id in chip_ids],
                            [self.dataset.lonlat(chip_id) for chip_id in chip_ids])

    def _chip(self, chip_id: str) -> Pixels:
        if self._kept is not None and chip_id in self._kept:
            return self._kept[chip_id]
        sample = self.dataset.read(chip_id)
        pixels = sample.image, sample.mask.astype(np.int16)
        if self._kept is not None:
            self._kept[chip_id] = pixels
        return pixels


def chip_bytes(info: DatasetInfo) -> int:
    """Return what a chip that was read takes in memory."""
    return 4 * math.prod(info.image_shape) + 2 * math.prod(info.chip_shape)


def fits_in_memory(*parts: Dataset) -> bool:
    """Return whether the pixels of all parts together stay below the cache's size."""
    total = 0
    for part in parts:
        total += len(part) * chip_bytes(part.info)
    return total < CACHE_BYTES
