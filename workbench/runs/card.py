"""card.md: what a run is, for the people who come across its folder."""

from __future__ import annotations

from typing import Any

from workbench.peft import Tuner
from workbench.recipe import Recipe
from workbench.reprs import readable_percent
from workbench.runs import folder as layout
from workbench.runs.checkpoints import CHECKPOINTS
from workbench.runs.run import Run
from workbench.storage import read_json, write_text

CARD = "card.md"

_SIMULATED = (
    "The data are **simulated**: pixels were computed, not measured. Scores say how methods "
    "compare on this simulator, not how they would do on satellite images."
)
_LIMITS = (
    "The checkpoint `best` was chosen by the validation loss on training regions; held-out "
    "regions were scored once, at the end. Chips of one scene are not independent places, so "
    "scores come with intervals over clusters (`wb.evaluate(run).table()`), and none where there "
    "are fewer than five. Other places, seasons and sensors may score lower."
)


def write_card(run: Run) -> None:
    """Write the card of a run from what its folder says now."""
    write_text(run.folder / CARD, card(run))


def card(run: Run) -> str:
    """Return the card as Markdown."""
    info = run.info
    environment = read_json(run.folder / layout.ENVIRONMENT)
    classes, bands = ", ".join(entry.name for entry in run.classes), ", ".join(run.bands)
    dates = f" on {info.num_frames} dates" if info.num_frames > 1 else ""
    lines = [f"# {run.name}", "", f"Segmentation of {classes} from {bands}{dates}.", ""]
    lines += ["## Data", "", f"{info.name}: {run.split!r}"]
    if info.simulated:
        lines += ["", _SIMULATED]
    lines += ["", "## Recipe", "", "```python", repr(run.recipe), "```", "", "## Result", ""]
    lines += [f"- {key}: {value}" for key, value in run.facts().items() if key != "folder"]
    lines += [f"- {line}" for line in _scores(run.scores())]
    lines += ["", "## Limits", "", _LIMITS, "", "## Open it", "", *_opening(run)]
    lines += ["", "## Made with", ""]
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    lines += [f"Python {environment['python']} on {environment['platform']}; {packages}; device "
              f"{environment['device']}.", ""]
    return "\n".join(lines)


def _opening(run: Run) -> list[str]:
    """Return the code that opens the model; an adapter's files also in Hugging Face peft alone."""
    code = ["import workbench as wb", "", f"model = wb.load_model({str(run.folder)!r})"]
    if isinstance(run.recipe, Recipe) and isinstance(run.recipe.peft, Tuner):
        code += _in_peft(run, run.recipe, run.recipe.peft)
    return ["```python", *code, "```"]


def _in_peft(run: Run, recipe: Recipe, tuner: Tuner) -> list[str]:
    weights = "" if recipe.weights is None else f"weights={recipe.weights!r}, "
    frames = f", num_frames={run.info.num_frames}" if run.info.num_frames > 1 else ""
    code = [
        "", "# The adapter's two files are Hugging Face peft's own.",
        "import peft", "from workbench.models import load_backbone",
        f"backbone = load_backbone({recipe.backbone!r}, {weights}bands={list(run.bands)},",
        f"                         image_size={tuple(run.info.chip_shape)}{frames})",
    ]  # fmt: skip
    if {"q", "k", "v"} & set(tuner.targets):
        split = "split_qkv(backbone)  # one layer for query, key and value becomes three"
        code += ["from workbench.peft import split_qkv", split]
    best = str(run.folder / CHECKPOINTS / "best")
    return [*code, f"adapted = peft.PeftModel.from_pretrained(backbone, {best!r})"]


def _scores(scores: dict[str, Any]) -> list[str]:
    lines = []
    for part in ("test", "held_out"):
        said, name = scores.get(part, {}), part.replace("_", " ")
        if said.get("low") is not None:
            lines.append(
                f"{name}: mIoU between {readable_percent(said['low'])} and "
                f"{readable_percent(said['high'])} (95 % interval over {said['clusters']} clusters)"
            )
        elif said:
            lines.append(f"{name}: no interval, {said['why']}")
        lines += [f"{name}, {region}: mIoU {readable_percent(miou)}"
                  for region, miou in said.get("regions", {}).items()]
    return lines
