"""The models of one or several runs, opened once, with what they have to know about a source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.assembly import Model, ModelDescription, select_device
from workbench.errors import RunError
from workbench.prediction.kept import kept_model, stamps
from workbench.prediction.needs import Needs
from workbench.runs import Run, checkpoints

# Window of a model that does not say what it was trained on: that of the published chips.
_WINDOW = 224


@dataclass(frozen=True)
class Trained:
    """Models that are given the same windows.

    Attributes:
        models: One for each run.
        needs: What they take, the bands of all together.
        windows: Side of the windows that each was trained on.
        facts: What is worth knowing, for the attributes of a prediction.
        names: Coordinates of the dimension `run`; None for a single run without that dimension.
        identity: What changes when the weights do; None for models that are no runs.
        folder: That of the (first) run.
    """

    models: tuple[Model, ...]
    needs: Needs
    windows: tuple[int, ...]
    facts: dict[str, Any]
    names: tuple[str, ...] | None = None
    identity: tuple[Any, ...] | None = None
    folder: Path | None = None

    @property
    def description(self) -> ModelDescription:
        """What the first model says; classes are those of all."""
        return self.models[0].description


    @property
    def means(self) -> tuple[float, ...]:
        """Mean of each band in the training data, 0 where no model knows it."""
        known = {band: mean for model in reversed(self.models) for band, mean in
                 zip(model.description.bands, model.description.mean, strict=False)}
        return tuple(known.get(band, 0.0) for band in self.needs.bands)


def open_trained(runs: Run | Model | Iterable[Run | Model], device: str) -> Trained:
    """Load one or several runs; weights that several have in common are in memory once.

    Raises:
        RunError: No run, a name that occurs twice, or runs whose answers cannot be compared.
        WeightsError: A file is damaged.
    """
    if isinstance(runs, Run):
        return _from_run(runs, device)
    if isinstance(runs, (str, Path)) or not (hasattr(runs, "description")
                                             or isinstance(runs, Iterable)):
        raise RunError(f"{runs!r} is neither a run nor a model. Open the folder of a run first: "
                       "wb.open_run('runs/<name>').")
    if hasattr(runs, "description"):
        return _from_model(runs, device)
    members: list[Trained] = []
    names: list[str] = []
    for number, entry in enumerate(runs):
        member = open_trained(entry, device)
        name = entry.name if isinstance(entry, Run) else f"model {number}"
        if members:
            _require_comparable(names[0], members[0], name, member)
        members.append(member)
        names.append(name)
    return _together(members, names)


def _from_run(run: Run, device: str) -> Trained:
    info, model = run.info, kept_model(run, device)
    needs = Needs(model.description.bands, info.stored_bands, info.scale, info.offset,
                  info.nodata, info.gsd_m, info.num_frames)
    facts = {"run": run.name, "checkpoint": "best", "simulated": int(info.simulated),
             **_dates(needs)}
    identity = checkpoints.read(run.folder / checkpoints.CHECKPOINTS / "best", stamps)
    return Trained((model,), needs, (max(info.chip_shape),), facts, identity=identity,
                   folder=run.folder)


def _from_model(given: Any, device: str) -> Trained:
    model = given if device == "auto" else given.to(select_device(device))
    said = model.description
    size = said.image_size or _WINDOW
    needs = Needs(said.bands, scale=said.scale, offset=said.offset, num_frames=said.num_frames)
    window = size if isinstance(size, int) else max(size)
    return Trained((model.eval(),), needs, (window,), _dates(needs))


def _dates(needs: Needs) -> dict[str, int]:
    return {} if needs.num_frames == 1 else {"num_frames": needs.num_frames}


def _together(members: Sequence[Trained], names: Sequence[str]) -> Trained:
    if not members:
        raise RunError("There is nothing to predict with: pass runs, such as wb.list_runs().")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RunError(
            f"Several runs are called {twice[0]!r}, so a prediction could not tell them apart. "
            "Rename the folder of one of them."
        )
    facts = {key: value for key, value in members[0].facts.items()
             if all(member.facts.get(key) == value for member in members)}
    identities = tuple(member.identity for member in members)
    bands = tuple(dict.fromkeys(band for member in members for band in member.needs.bands))
    return replace(
        members[0], needs=replace(members[0].needs, bands=bands),
        identity=None if None in identities else identities,
        models=tuple(member.models[0] for member in members), names=tuple(names),
        windows=tuple(member.windows[0] for member in members), facts=facts)


def _require_comparable(name: str, one: Trained, other_name: str, other: Trained) -> None:
    for (what, first), second in zip(_facts(one).items(), _facts(other).values(), strict=True):
        if first != second:
            raise RunError(
                f"{name!r} and {other_name!r} cannot be predicted together: their {what} differ "
                f"({', '.join(first)}; {', '.join(second)}). Predict each on its own."
            )


def _facts(member: Trained) -> dict[str, list[str]]:
    needs = member.needs
    return {
        "classes": [entry.name for entry in member.description.classes],
        "numbers of dates": [str(needs.num_frames)],
        "stored bands": [str(band) for band in needs.stored_bands],
        "units": [f"scale {needs.scale:g}", f"offset {needs.offset:g}", f"nodata {needs.nodata}"],
    }
