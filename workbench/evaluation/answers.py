"""What runs say of chips, pixel by pixel: computed once, kept in the folder of the run."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from workbench.assembly import encoder, require_same_frames
from workbench.data import Dataset
from workbench.data.bands import positions
from workbench.models.arithmetic import quick_float32
from workbench.prediction.kept import kept_model, one_pass, stamps
from workbench.runs import Run
from workbench.storage import atomic_file
from workbench.training.loader import Loader

# Memory for the answers of one run; what is beyond is read from its folder again.
_MOST_BYTES = 256 * 1000**2
_FOLDER = Path("predictions") / "chips"


class Answer(NamedTuple):
    """Classes ``(y, x)`` uint8 and probabilities ``(class, y, x)`` float16 of a chip."""

    classes: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float16]

    @property
    def nbytes(self) -> int:
        """Return its size in memory."""
        return self.classes.nbytes + self.probabilities.nbytes


class Answers:
    """What one run says of the chips of a dataset, as its evaluation asked it.

    They are kept in `predictions/chips` of the run, under a name that changes with the checkpoint
    and the dataset; where the folder cannot be written they are in memory alone. Threads may ask
    at once.

    Args:
        run: Its best checkpoint answers.
        dataset: The chips.
    """

    def __init__(self, run: Run, dataset: Dataset) -> None:
        self.run, self.dataset = run, dataset
        self._folder = run.folder / _FOLDER / _key(run, dataset)
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.RLock()

    def __getitem__(self, chip_id: str) -> Answer:
        return self.of([chip_id])[chip_id]

    def of(self, chip_ids: Sequence[str]) -> dict[str, Answer]:
        """Return the answers to chips, those that are not known yet in one batch.

        Raises:
            RunError: The run has no checkpoint.
            BandError: The dataset lacks a band that the run needs.
            DataError: A chip cannot be read.
        """
        with self._lock:
            found = {chip: known for chip in chip_ids if (known := self._known(chip))}
            new = [chip for chip in chip_ids if chip not in found]
            for chip, answer in zip(new, self._asked(new), strict=True):
                self._keep(chip, answer)
                self._write(chip, answer)
                found[chip] = answer
        return {chip: found[chip] for chip in chip_ids}

    def knows(self, chip_id: str) -> bool:
        """Return whether the answer to a chip needs no model any more."""
        return chip_id in self._kept or self._path(chip_id).exists()

    def _known(self, chip: str) -> Answer | None:
        if chip in self._kept:
            self._kept.move_to_end(chip)
            return self._kept[chip]
        try:
            with self._path(chip).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                answer = Answer(stored["classes"], stored["probabilities"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        if answer.classes.shape != tuple(self.dataset.info.chip_shape):
            return None
        self._keep(chip, answer)
        return answer

    def _keep(self, chip: str, answer: Answer) -> None:
        self._kept[chip] = answer
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)

    def _write(self, chip: str, answer: Answer) -> None:
        try:
            with atomic_file(self._path(chip)) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **answer._asdict())
        except OSError:
            pass  # somebody else's run, or a full disk: it is only a cache

    def _path(self, chip: str) -> Path:
        # A chip's id may hold what no file name may.
        return self._folder / f"{hashlib.sha256(chip.encode()).hexdigest()[:24]}.npz"

    @torch.inference_mode()
    def _asked(self, chips: Sequence[str]) -> Iterable[Answer]:
        if not chips:
            return []
        model, found = kept_model(self.run, "auto"), []
        require_same_frames(model, self.dataset)
        channels = list(positions(model.description.bands, self.dataset.bands,
                                  self.dataset.info.name))
        device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())),
                      torch.device("cpu"))
        loader = Loader(self.dataset.select(chips), min(len(chips), 8), cache=False,
                        encode=encoder(model))
        for batch in loader.in_order():
            batch = batch._replace(image=batch.image[:, channels])
            with quick_float32(), one_pass:
                logits = model(*batch.inputs(lambda tensor: tensor.to(device)))
            classes = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
            shares = logits.float().softmax(dim=1).cpu().numpy().astype(np.float16)
            found += [Answer(*pair) for pair in zip(classes, shares, strict=True)]
        return found


class Relay:
    """What the runs of one method say of chips, each of those that it was scored on.

    Of a chip that one run held out and others saw the region of, the one that held it out answers.

    Args:
        runs: One of each split.
        dataset: The chips.
    """

    def __init__(self, runs: Sequence[Run], dataset: Dataset) -> None:
        self._answers = [Answers(run, dataset) for run in runs]
        self.run, self.dataset = runs[0], dataset
        self._by_chip: dict[str, Answers] = {}
        for part in ("test", "held_out"):
            for answers in reversed(self._answers):
                self._by_chip |= dict.fromkeys(answers.run.split.parts[part], answers)

    def of(self, chip_ids: Sequence[str]) -> dict[str, Answer]:
        """Return the answers to chips; see `Answers.of`."""
        found: dict[str, Answer] = {}
        for answers in self._answers:
            found |= answers.of([chip for chip in chip_ids if self._of(chip) is answers])
        return {chip: found[chip] for chip in chip_ids}

    def knows(self, chip_id: str) -> bool:
        """Return whether the answer to a chip needs no model any more."""
        return self._of(chip_id).knows(chip_id)

    def _of(self, chip: str) -> Answers:
        return self._by_chip.get(chip, self._answers[0])


def _key(run: Run, dataset: Dataset) -> str:
    weights = stamps(run.checkpoint("best"))
    text = json.dumps([weights, dataset.hash, list(dataset.bands)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
