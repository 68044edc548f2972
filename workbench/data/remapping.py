"""Classes renamed, joined or dropped, in the labels and in the index."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.data.info import ClassInfo, ClassSpec, DatasetInfo, parse_class
from workbench.errors import LabelError, unknown_name

if TYPE_CHECKING:
    from workbench.data.dataset import Dataset


def remapped(dataset: Dataset, mapping: Mapping[str, ClassSpec | None]) -> Dataset:
    """Return the same chips with other classes; see `Dataset.remap`."""
    known = [entry.name for entry in dataset.classes]
    if wrong := [name for name in mapping if name not in known]:
        raise unknown_name("class", wrong[0], known, "dataset.classes")
    classes, new_of = _joined(dataset.classes, mapping)
    if len(classes) < 2:
        left = ", ".join(entry.name for entry in classes) or "none"
        raise LabelError(
            f"{dataset.info.name} would be left with {len(classes)} class ({left}); segmentation "
            f"needs two. Of {', '.join(known)}, keep two apart at least."
        )
    chips = dataset.chips
    counts = {f"count_{new}": sum((chips[f"count_{old}"] for old, to in enumerate(new_of)
                                   if to == new), start=0 * chips["count_ignore"])
              for new in range(len(classes))}
    dropped = sum((chips[f"count_{old}"] for old, to in enumerate(new_of) if to < 0),
                  start=chips["count_ignore"])
    chips = chips.drop(columns=[f"count_{old}" for old in range(len(known))]).assign(
        **counts, count_ignore=dropped)
    empty = (chips[list(counts)].sum(axis=1) == 0).to_numpy()
    if empty.all() and len(chips):
        raise LabelError(f"No chip of {dataset.info.name} would be left with a label.")
    lost = dict.fromkeys(chips.index[empty], "no label: none of the classes that are left")
    steps = [*dataset.info.source.get("remap", ()), _plain(mapping)]
    info = _with_classes(dataset.info, classes, new_of)
    return dataclasses.replace(
        dataset, chips=chips[~empty], skipped=dataset.skipped | lost,
        info=info.model_copy(update={"source": {**info.source, "remap": steps}}),
        members=tuple(_with_classes(one, classes, new_of) for one in dataset.members),
    )


def _joined(classes: Sequence[ClassInfo], mapping: Mapping[str, ClassSpec | None]
            ) -> tuple[tuple[ClassInfo, ...], list[int]]:
    """Return the new classes, and of every old class the new one, -1 for none."""
    found: dict[str, ClassInfo] = {}
    named: list[str | None] = []
    for old in classes:
        wanted = mapping.get(old.name, old)
        # A new name alone keeps the colour that people know the class by.
        given = ClassInfo(name=wanted, color=old.color) if isinstance(wanted, str) else wanted
        entry = None if given is None else parse_class(given, 0)
        named.append(None if entry is None else entry.name)
        if entry is not None:
            first = found.setdefault(entry.name, entry)
            if not isinstance(wanted, str) and old.name in mapping and first != entry:
                found[entry.name] = entry  # a colour that was given goes before one inherited
    order = list(found)
    return tuple(found.values()), [-1 if name is None else order.index(name) for name in named]


def _with_classes(info: DatasetInfo, classes: tuple[ClassInfo, ...], new_of: Sequence[int]
                  ) -> DatasetInfo:
    class_of = tuple(-1 if old < 0 else new_of[old] for _, old in info.value_classes)
    return info.model_copy(update={"classes": classes, "class_of": class_of})


def _plain(mapping: Mapping[str, ClassSpec | None]) -> dict[str, str | list[str] | None]:
    def plain(entry: ClassSpec | None) -> str | list[str] | None:
        if entry is None or isinstance(entry, str):
            return entry
        return [entry.name, entry.color] if isinstance(entry, ClassInfo) else list(entry)

    return {name: plain(entry) for name, entry in mapping.items()}
