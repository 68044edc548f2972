"""A frozen backbone's features of chips: found on disk, or computed once and put there."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from workbench.assembly import Encode
from workbench.data import Dataset
from workbench.errors import TrainingError
from workbench.events import Event, FeaturesCached, WarningRaised
from workbench.models.arithmetic import quick_float32
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.reprs import readable_bytes
from workbench.training import augment
from workbench.training.features.identity import ChipNames, network_key
from workbench.training.features.space import SETTING
from workbench.training.features.store import FeatureStore
from workbench.training.loader import Batch, Loader, Pixels
from workbench.training.precision import Precision, autocast

# The feature maps of one chip, each (D, h, w).
Maps = list[Tensor]


def frozen_features(model: Segmenter, recipe: Recipe, device: torch.device,
                    precision: Precision) -> Frozen | None:
    """Return the features that a recipe's decoder trains from; None where the backbone learns too.

    Nothing that comes out depends on what is kept: without a cache they are computed the same way.

    Args:
        model: On its device.
        recipe: Says whether and in which format features are kept.
        device: Where the model is.
        precision: In which the backbone computes.
    """
    if model.trains_backbone:
        return None
    if recipe.feature_cache == "off":
        return Frozen(model, FeatureStore({}, budget_bytes=0), device, precision=precision)
    key = network_key(model, device, precision=precision, kept=recipe.feature_cache)
    kept = torch.float16 if recipe.feature_cache == "fp16" else torch.float32
    return Frozen(model, FeatureStore(key), device, precision=precision, kept=kept)


class Frozen:
    """What a frozen backbone makes of images, kept in a store.

    A chip's features depend on nothing but the chip: on a CPU each is computed alone, because the
    last digits of a product depend on how many are computed together.

    Args:
        model: On its device; its backbone is frozen.
        store: Where features are kept.
        device: Where the model is.
        precision: In which the backbone computes.
        kept: Number format of what is kept, and so of what the decoder gets.
    """

    def __init__(self, model: Segmenter, store: FeatureStore, device: torch.device, *,
                 precision: Precision = "fp32", kept: torch.dtype = torch.float32) -> None:
        self.store = store
        self._chips, self._seconds = 0, 0.0
        self._told = False
        self._model = model
        self._device = device
        self._precision = precision
        self._kept = kept

    def find(self, name: str) -> Maps | None:
        """Return the features kept under a name."""
        tensors = self.store.get(name)
        return None if tensors is None else [tensors[str(place)] for place in range(len(tensors))]

    def compute(self, names: Sequence[str], image: Tensor, time_: Tensor | None = None,
                location: Tensor | None = None, *, leaving: int = 0) -> list[Maps]:
        """Return the features of images, on the model's device, and keep them.

        Args:
            names: What they are found under.
            image: ``(B, C, ..., y, x)`` in physical units.
            time_: As the model takes it.
            location: Likewise.
            leaving: As in `FeatureStore.put`.
        """
        begun = time.perf_counter()
        maps: list[Maps] = []
        together = 1 if self._device.type == "cpu" else len(names)
        for start in range(0, len(names), together):
            part = slice(start, start + together)
            coords = (None if entry is None else entry[part] for entry in (time_, location))
            maps += self._forward(image[part], *coords)
        for name, entry in zip(names, maps, strict=True):
            if self.store.keeps:
                tensors = {str(place): one.cpu() for place, one in enumerate(entry)}
                self.store.put(name, tensors, leaving=leaving)
        self._chips += len(names)
        self._seconds += time.perf_counter() - begun
        return maps

    def events(self, **now: int) -> Iterator[Event]:
        """Yield what has happened since the last call: features computed, and why none are kept.

        Args:
            **now: Step and epoch.
        """
        if self._chips and self.store.keeps:
            yield FeaturesCached(**now, chips=self._chips, duration_s=self._seconds,
                                 disk_bytes=self.store.size_bytes)  # fmt: skip
        self._chips, self._seconds = 0, 0.0
        trouble = self.store.problem or (_full(self.store) if self.store.full else "")
        if trouble and not self._told:
            self._told = True
            yield WarningRaised(**now, message=trouble)

    @quick_float32()
    def _forward(self, *given: Tensor | None) -> list[Maps]:
        image, *coords = (None if entry is None else entry.to(self._device) for entry in given)
        assert image is not None
        with torch.no_grad(), autocast(self._precision, self._device):
            features = self._model.features(image, *coords)
        kept = [entry.to(self._kept) for entry in features]
        if self._kept == torch.float16 and not all(bool(entry.isfinite().all()) for entry in kept):
            raise TrainingError(
                "Features of the backbone are too large for half precision (above 65 504). Use "
                "recipe.but(feature_cache='fp32')."
            )
        return [list(chip) for chip in zip(*kept, strict=True)]


class FeatureLoader(Loader):
    """A loader whose batches hold features; it reads images only of chips that have none yet.

    Args:
        dataset: As for `Loader`, like the following three.
        batch_size: Chips a batch.
        cache: Keep images that had to be read.
        encode: Makes the metadata.
        frozen: Finds and computes features.
        leaving: Keep features only if so many more would find room.
    """

    # One reads features as fast as a decoder trains on them.
    readers = 1

    def __init__(self, dataset: Dataset, batch_size: int, *, cache: bool,
                 encode: Encode | None = None, frozen: Frozen, leaving: int = 0) -> None:
        super().__init__(dataset, batch_size, cache=cache, encode=encode)
        self._frozen = frozen
        self._leaving = leaving
        self._names = ChipNames(dataset, told=encode is not None)

    def _begin(self, pool: ThreadPoolExecutor, chip_ids: Sequence[str],
               symmetries: dict[str, int]) -> Callable[[], Batch]:
        return pool.submit(self._batch, chip_ids, symmetries).result

    def _batch(self, chip_ids: Sequence[str], symmetries: dict[str, int]) -> Batch:
        turns = [symmetries.get(chip_id, 0) for chip_id in chip_ids]
        names = [self._names.image(*chip) for chip in zip(chip_ids, turns, strict=True)]
        maps = [self._frozen.find(name) for name in names]
        read = {chip_id: self._read(chip_id)
                for chip_id, found in zip(chip_ids, maps, strict=True) if found is None}
        masks = [read[chip_id][1] if chip_id in read else self._mask(chip_id)
                 for chip_id in chip_ids]
        return self._joined(
            chip_ids, [augment.transform(*chip) for chip in zip(masks, turns, strict=True)],
            image=torch.empty(0),
            features=self._features(chip_ids, turns, names, maps, read),
        )

    def _features(self, chip_ids: Sequence[str], turns: Sequence[int], names: Sequence[str],
                  maps: Sequence[Maps | None], read: dict[str, Pixels]) -> Callable[[], Maps]:
        """Return what gives the batch's features: here if all were found, else when it is asked."""
        known = [found for found in maps if found is not None]
        if len(known) == len(maps):
            stacked = _stacked(known)
            return lambda: stacked
        lacking = [place for place, found in enumerate(maps) if found is None]
        images = [augment.transform(read[chip_ids[place]][0], turns[place]) for place in lacking]
        compute = functools.partial(
            self._frozen.compute, [names[place] for place in lacking],
            torch.from_numpy(np.stack(images)),
            *self._metadata([chip_ids[place] for place in lacking]), leaving=self._leaving,
        )

        def complete() -> Maps:
            computed = compute()
            if not known:
                return _stacked(computed)
            rest = iter([[one.cpu() for one in chip] for chip in computed])
            return _stacked([next(rest) if found is None else found for found in maps])

        return complete

    def _read(self, chip_id: str) -> Pixels:
        image, mask = self._chip(chip_id)
        self._frozen.store.put(self._names.mask(chip_id), {"mask": torch.from_numpy(mask)})
        return image, mask

    def _mask(self, chip_id: str) -> np.ndarray:
        """Return a chip's mask without reading its image, where that was done before."""
        found = self._frozen.store.get(self._names.mask(chip_id))
        return self._read(chip_id)[1] if found is None else found["mask"].numpy()


def open_loader(dataset: Dataset, batch_size: int, *, cache: bool, encode: Encode | None,
                frozen: Frozen | None, leaving: int = 0) -> Loader:
    """Return a loader of features where a backbone is frozen, else one of images.

    The arguments are those of `Loader` and `FeatureLoader`.
    """
    if frozen is None:
        return Loader(dataset, batch_size, cache=cache, encode=encode)
    return FeatureLoader(
        dataset, batch_size, cache=cache, encode=encode, frozen=frozen, leaving=leaving
    )


def _full(store: FeatureStore) -> str:
    size, budget = readable_bytes(store.size_bytes), readable_bytes(store.budget_bytes)
    return (
        f"The features of this run do not all fit into the cache ({size} of them are there; all "
        f"runs together may have {budget}); the rest is computed every time. "
        f"{SETTING}=… allows more gigabytes, recipe.but(feature_cache='fp16') halves them, and "
        "wb.clear_features() deletes those of other runs."
    )


def _stacked(maps: Sequence[Maps]) -> Maps:
    return [torch.stack(chips) for chips in zip(*maps, strict=True)]
