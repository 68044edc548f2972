"""What a demo is about: its data, its backbone, and the words that its page needs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data import Dataset

Progress = Callable[[int, int], None]
# What is said in bold, and the sentence after it.
Said = tuple[str, str]


@dataclass(frozen=True)
class Words:
    """Sentences of the report that hold for one kind of data only.

    Attributes:
        kind: What the data are, in two or three words.
        minutes: How long it takes.
        caution: The last sentence of the lead; empty for none.
        intervals: What the intervals of the regions' scores are over, and what they do not say.
        scene_title: What the predicted scene is.
        scene: The same in a sentence.
        scene_caution: What the scene's score is worth.
        origin: What is real and what is not, a paragraph each.
    """

    kind: str
    minutes: str
    caution: str
    intervals: str
    scene_title: str
    scene: str
    scene_caution: str
    origin: tuple[Said, ...]


@dataclass(frozen=True)
class Subject:
    """The data of a demo and what is trained on them.

    Attributes:
        hold_out: The region that is held out.
        place: What people call it.
        backbone: Which backbone is fine-tuned.
        epochs: Of every training, where nobody says otherwise.
        folder: Where a demo is written, where nobody says otherwise.
        data_stage: What making the data ready is called.
        open: Makes the data ready in the demo's folder, with progress.
        make_scene: Writes `scene.tif` into the folder; returns its label, -1 where there is none.
        code: The lines of Python that open the data as `floods`.
        made_by: What a folder must have been made by to be gone on with.
        words: Of the page.
    """

    hold_out: str
    place: str
    backbone: str
    epochs: int
    folder: str
    data_stage: str
    open: Callable[[Path, Progress], Dataset]
    make_scene: Callable[[Path, Dataset], np.ndarray]
    code: str
    words: Words
    made_by: Mapping[str, Any] = field(default_factory=dict)
