"""What features follow from: the network that made them and the pixels they were made of."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import torch

from workbench import models
from workbench.data import Dataset, raster, reading
from workbench.data.readers import READERS
from workbench.models.segmenter import Segmenter
from workbench.models.weights import state_hash
from workbench.training import augment

# Raised when what is in the files changes.
FORMAT = 1


def network_key(model: Segmenter, device: torch.device, **how: Any) -> dict[str, Any]:
    """Return everything but the pixels that the features of a frozen backbone follow from.

    Args:
        model: Tensors are hashed, and so is the code of its layers.
        device: Processors and libraries round differently.
        **how: What else they follow from, as plain data.
    """
    said = model.description
    cpu = device.type == "cpu"
    return {
        "format": FORMAT, "torch": torch.__version__, "code": _code_hash(model),
        "backbone": model.backbone.name, "weights": state_hash(model.backbone),
        "input": state_hash(model.normalize), "bands": model.bands,
        "coords": model.coords, "blocks": model.decoder.blocks,
        "image": model.decoder.sees_image,
        "method": said.recipe.peft.to_json(), "architecture": said.architecture,
        "image_size": said.image_size, "num_frames": said.num_frames,
        "device": device.type, "matmul": torch.get_float32_matmul_precision(),
        "instructions": torch.backends.cpu.get_cpu_capability() if cpu else
        torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        "threads": torch.get_num_threads() if cpu else 0,
        **how,
    }  # fmt: skip


def _code_hash(model: Segmenter) -> str:
    """Return the SHA-256 of the code from pixels to features, layers of other packages included."""
    layers = (*model.normalize.modules(), *model.backbone.modules())
    modules = {sys.modules.get(type(layer).__module__) for layer in layers}
    places = {getattr(module, "__file__", None) for module in (*modules, raster, reading, augment)}
    files = {Path(place) for place in places if place}
    files.update(Path(str(models.__file__)).parent.rglob("*.py"))
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class ChipNames:
    """Names for what is read of chips; a name changes when what it is read from does.

    Files are told by path, size and times: no pixel is read.

    Args:
        dataset: The chips, with the bands that are read.
        told: Whether the model is told when and where a chip was taken.
    """

    def __init__(self, dataset: Dataset, *, told: bool) -> None:
        columns = ["image", "mask", "row_off", "col_off", "height", "width"]
        rows = dataset.chips[columns].itertuples(name=None)
        self._rows = {str(chip_id): tuple(row) for chip_id, *row in rows}
        self._dataset = dataset
        self._told = told
        self._files: dict[str, str] = {}

    def image(self, chip_id: str, symmetry: int) -> str:
        """Return the name of a chip's image in one of its eight symmetries."""
        data, told = self._dataset, self._told
        said = (data.date(chip_id), data.lonlat(chip_id)) if told else None
        return repr(("image", self._pixels(chip_id), said, symmetry))

    def mask(self, chip_id: str) -> str:
        """Return the name of a chip's mask, which has no label where the image is not valid."""
        info = self._dataset.chip_info(chip_id)
        labels = self._state(self._rows[chip_id][1], info.reader)
        classes = info.class_values, info.no_label
        joined = (info.class_of,) if info.class_of else ()
        return repr(("mask", self._pixels(chip_id), labels, classes, *joined))

    def _pixels(self, chip_id: str) -> tuple[object, ...]:
        image, _, *window = self._rows[chip_id]
        info = self._dataset.chip_info(chip_id)
        units = (info.bands, info.stored_bands, info.scale, info.offset, info.nodata,
                 info.chip_shape, *info.frames)
        return self._state(image, info.reader), window, units

    def _state(self, path: str, reader: str) -> str:
        if path not in self._files:
            files = READERS[reader].files(path)
            self._files[path] = repr([_stamp(file) for file in files])
        return self._files[path]


def _stamp(file: str) -> tuple[str, int, int, int]:
    # The time of the last change of anything too: archives restore that of the last modification.
    facts = os.stat(file)
    return os.path.realpath(file), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
