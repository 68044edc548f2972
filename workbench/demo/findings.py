"""What a comparison supports, in plain words, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.evaluation import Comparison, Estimate
from workbench.evaluation.verdicts import sentence
from workbench.reprs import readable_count

LABELS = {
    "lora": "LoRA", "full": "full fine-tuning", "linear-probe": "linear probe",
    "unet-scratch": "U-Net from scratch", "ndwi-0": "NDWI > 0", "ndwi-tuned": "tuned NDWI",
    "mndwi-0": "MNDWI > 0", "mndwi-tuned": "tuned MNDWI",
}  # fmt: skip
HELD_OUT, IN_REGION = "held out", "in region"


def label(run: str) -> str:
    """Return the name of a run as the report writes it."""
    return LABELS.get(run, run)


def headline(comparison: Comparison, place: str) -> str:
    """Say how LoRA does in the held-out place, against full fine-tuning and the baselines.

    Args:
        comparison: Runs with the names of `LABELS`.
        place: Name of the held-out region.
    """
    verdicts = _verdicts(comparison, HELD_OUT)
    baselines = [entry.name for entry in comparison.entries if entry.first.baseline]
    seen = f"In {place}, which no run had seen,"
    better = [name for name in baselines if verdicts["lora", name] == "better"]
    worse = [name for name in baselines if verdicts["lora", name] == "worse"]
    if verdicts["full", "lora"] == "better" and 0 < len(worse) <= 2:
        return f"{seen} {_listed(['full', *worse])} do better than LoRA."
    begin = f"{seen} " + {
        "better": "LoRA does better than full fine-tuning",
        "worse": "full fine-tuning does better than LoRA",
        "no difference shown": "no difference between LoRA and full fine-tuning is shown",
        "no verdict": "there are too few independent places to rank LoRA and full fine-tuning",
    }[verdicts["lora", "full"]]
    if len(worse) > 2:
        return f"{begin}; {len(worse)} of {len(baselines)} baselines do better than LoRA."
    if worse:
        return f"{begin}; {_listed(worse)} {'does' if len(worse) == 1 else 'do'} better than LoRA."
    if better == baselines:
        return f"{begin}; LoRA does better than every baseline."
    if better:
        return f"{begin}; LoRA does better than {_listed(better)}."
    return f"{begin}, nor is LoRA shown to do better than any baseline."


def lead(comparison: Comparison, place: str, epochs: int) -> list[str]:
    """Say what happens between training regions and the held-out place, and what to mind."""
    entry = next(entry for entry in comparison.entries if entry.name == "lora")
    inside, outside, gap = entry.pooled("test"), entry.pooled("held_out"), entry.gap
    if gap.low is None or gap.high is None:
        change = f"how sure that change is cannot be said ({gap.why})"
    elif gap.low > 0:
        change = f"a loss of {gap} points"
    elif gap.high < 0:
        change = f"a gain of {Estimate(-gap.value, -gap.high, -gap.low)} points"
    else:
        change = f"a change of {Estimate(-gap.value, -gap.high, -gap.low)} points, " \
                 "which the interval does not tell from none"
    return [
        f"From the regions it was trained on to {place}, LoRA goes from {inside.value:.1%} to "
        f"{outside.value:.1%} mIoU: {change}.".replace("%", "\N{NO-BREAK SPACE}%"),
        f"Each model was trained once and for {_epochs(epochs)} only, so that this page is made "
        "within minutes. Longer training and more seeds can change every figure and the order.",
    ]


def sentences(comparison: Comparison, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the verdict on each pair of runs, in region and held out."""
    table = comparison.differences("part")
    found = []
    for first, second in pairs:
        rows = table[(table["run"] == first) & (table["other"] == second)]
        text = sentence(label(first), label(second), rows)
        found.append(text[0].upper() + text[1:])
    return found


def pairs(comparison: Comparison) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the pairs that answer the demo's question, and all others."""
    table = comparison.differences("part").drop_duplicates(["run", "other"])
    every = list(zip(table["run"], table["other"], strict=True))
    baselines = {entry.name for entry in comparison.entries if entry.first.baseline}
    asked = [pair for pair in every if "lora" in pair or not baselines & set(pair)]
    return asked, [pair for pair in every if pair not in asked]


def _verdicts(comparison: Comparison, part: str) -> dict[tuple[str, str], str]:
    table: pd.DataFrame = comparison.differences("part")
    rows = table[table["part"] == part]
    turned = {"better": "worse", "worse": "better"}
    found = {}
    for run, other, verdict in zip(rows["run"], rows["other"], rows["verdict"], strict=True):
        found[run, other] = verdict
        found[other, run] = turned.get(verdict, verdict)
    return found


def _epochs(count: int) -> str:
    return "one epoch" if count == 1 else f"{count} epochs"


def _listed(names: Sequence[str]) -> str:
    shown = [label(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def parameters(count: int | None, whole: int | None) -> str:
    """Return trainable parameters with their share of all: `184.0 k (6.1 %)`."""
    if count is None:
        return "–"
    share = f" ({100 * count / whole:.0f} %)" if whole and count < whole else ""
    return f"{readable_count(count)}{share}"
