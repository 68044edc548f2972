"""The demo on simulated floods, offline."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from workbench.data import Dataset, load
from workbench.data.simulated.generate import VERSION
from workbench.data.simulated.regions import HELD_OUT
from workbench.data.split import display_name
from workbench.demo.scene import SCENE_SIDE, make_scene
from workbench.demo.subject import Progress, Subject, Words

PLACE = display_name(HELD_OUT)
WORDS = Words(
    kind="simulated data",
    minutes="About five minutes on two cores.",
    caution="",
    intervals="bootstrap over regions where regions are pooled, over scenes within one. Where bars "
              "of two runs overlap, only the paired verdicts above say whether they differ. "
              f"{PLACE} is one event: its interval says nothing about other places.",
    scene_title="A scene outside every chip",
    scene=f"A simulated scene of {SCENE_SIDE} × {SCENE_SIDE} pixels in {PLACE}, which overlaps no "
          "chip",
    scene_caution="Against the simulator's own label the prediction reaches {score} mIoU. One "
                  "scene is an illustration, not a measurement.",
    origin=(
        ("Simulated:", "every pixel, every label and every scene on this page. A generator draws "
         "terrain, water, land cover, clouds, haze and sensor noise for eleven regions that lie "
         "where the Sen1Floods11 flood events were; the places and dates are theirs, the ground "
         "is not."),
        ("Favoured:", "the backbone workbench_tiny was pre-trained without labels on scenes of the "
         "same simulator, of other places. Pre-training and task share their physics here, which "
         "real missions do not grant; how much pre-training helps on this page says little about "
         "real data."),
        ("Real:", "the code. The same calls fine-tune Prithvi-EO weights on your own GeoTIFFs: "
         "workbench demo --real does it on a hand-labelled Sentinel-2 chip, where there is a "
         "network."),
    ),
)


def simulated(dataset: Dataset | None = None, seed: int = 0) -> Subject:
    """Return the simulated floods as a subject.

    Args:
        dataset: Other data with a region `bolivia` to hold out.
        seed: Of the simulation.
    """

    def opened(folder: Path, progress: Progress) -> Dataset:
        return dataset or load(seed=seed, progress=progress)

    return Subject(
        hold_out=HELD_OUT, place=PLACE, backbone="workbench_tiny",
        # Chosen by measurement so that the whole demo takes less than five minutes on two cores.
        epochs=4, folder="workbench-demo",
        data_stage="Simulated floods (made once, then cached)", open=opened,
        make_scene=partial(make_scene, seed=seed),
        code='\nfloods = wb.load("simulated-floods")', words=WORDS, made_by={"simulator": VERSION},
    )  # fmt: skip
