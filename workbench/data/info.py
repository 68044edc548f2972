"""What a dataset says of itself: bands, classes, units, and how to open it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from workbench.data.bands import canonical_all
from workbench.errors import LabelError

# Paul Tol's "bright" scheme: told apart with any colour vision (SRON/EPS/TN/09-002).
PALETTE = ("#ccbb44", "#4477aa", "#228833", "#ee6677", "#66ccee", "#aa3377", "#bbbbbb")


class ClassInfo(BaseModel):
    """A class: its name and its colour as `#rrggbb`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")


class DatasetInfo(BaseModel):
    """Facts that hold for every chip of a dataset.

    Attributes:
        name: What the dataset is called in tables and reports.
        collection: Id of its collection in the catalogue, or None.
        bands: Canonical names of the bands that `read` returns, in order.
        num_frames: Dates of an image.
        classes: Class k of a mask is `classes[k]`.
        scale: With `offset`, stored value * scale + offset is the physical unit.
        offset: See `scale`.
        nodata: Stored value of missing pixels; None for what each file says itself.
        no_label: Mask values that mean "no label here".
        gsd_m: Ground sampling distance in metres, where it is known.
        simulated: Whether the pixels were computed, not measured.
        source: How to open it again, as plain data (`open_dataset`).
        stored_bands: Bands of the files in file order, of one date where they hold several; None
            for one that is not used.
        class_values: Mask value of each class.
        class_of: Of each value of `class_values` the class that it means, -1 for none, where
            classes were joined or dropped; empty where value k is class k.
        chip_shape: Rows and columns of every chip; smaller windows are padded to it.
        reader: The layout of the files, a name of `workbench.data.readers.READERS`.
        notes: What its reader does to the pixels that people should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    collection: str | None = None
    bands: tuple[str, ...]
    classes: tuple[ClassInfo, ...]
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    no_label: tuple[int, ...] = (-1,)
    gsd_m: float | None = None
    simulated: bool = False
    source: dict[str, Any]
    stored_bands: tuple[str | None, ...]
    class_values: tuple[int, ...]
    class_of: tuple[int, ...] = ()
    num_frames: int = Field(default=1, ge=1)
    chip_shape: tuple[int, int]
    reader: str = "geotiff"
    notes: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _plain(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is of one date reads as it did before there were several.
        return {name: value for name, value in dump(self).items()
                if (name, value) != ("num_frames", 1)}

    @property
    def frames(self) -> tuple[int, ...]:
        """The axis of an image between its bands and its rows: ``(time,)``, none for one date."""
        return () if self.num_frames == 1 else (self.num_frames,)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of every image: ``(band, y, x)``, or ``(band, time, y, x)``."""
        return len(self.bands), *self.frames, *self.chip_shape

    @property
    def num_layers(self) -> int:
        """Bands of a file that holds all dates."""
        return self.num_frames * len(self.stored_bands)

    @property
    def value_classes(self) -> tuple[tuple[int, int], ...]:
        """Return the mask values, each with the class that it means, -1 for none."""
        return tuple(zip(self.class_values, self.class_of or range(len(self.class_values)),
                         strict=True))


def count_dates(num_frames: int) -> str:
    """Return `1 date`, `3 dates`."""
    return f"{num_frames} date{'s' if num_frames > 1 else ''}"


ClassSpec = str | tuple[str, str] | ClassInfo
Classes = Sequence[ClassSpec] | Mapping[int, ClassSpec]


def parse_classes(classes: Classes) -> tuple[tuple[ClassInfo, ...], tuple[int, ...]]:
    """Return the classes and their mask values.

    Args:
        classes: Names, (name, colour) pairs or `ClassInfo` for the mask values 0, 1, 2, …; or a
            mapping of mask value to name, such as ``{0: "land", 255: "water"}``.
    """
    if isinstance(classes, Mapping):
        if wrong := [value for value in classes if not isinstance(value, int)]:
            raise LabelError(
                f"classes={dict(classes)} must map mask values to names, such as "
                f"{{0: 'land', 255: 'water'}}; {wrong[0]!r} is not a whole number."
            )
        values = tuple(classes)
        named = list(classes.values())
    else:
        if isinstance(classes, str):
            raise LabelError(f"classes={classes!r} is one string; pass a list of names.")
        if not isinstance(classes, Iterable):
            raise LabelError(f"classes={classes!r} is no list of names, such as ['land', 'water'].")
        classes = list(classes)
        values, named = tuple(range(len(classes))), list(classes)
    if len(named) < 2:
        raise LabelError(f"classes={classes!r} names {len(named)}; segmentation needs two.")
    return tuple(parse_class(entry, index) for index, entry in enumerate(named)), values


def parse_class(entry: ClassSpec, index: int) -> ClassInfo:
    """Return a class; one without a colour gets the palette's at `index`."""
    if isinstance(entry, ClassInfo):
        return entry
    if isinstance(entry, str):
        return ClassInfo(name=entry, color=PALETTE[index % len(PALETTE)])
    name, color = entry
    return ClassInfo(name=name, color=color)


def parse_bands(bands: Iterable[str | None]) -> tuple[str | None, ...]:
    """Return canonical names in file order; None stays for a band that is not used."""
    if isinstance(bands, str):
        canonical_all(bands)  # refuses a string
    given = list(bands)
    names = iter(canonical_all([name for name in given if name is not None]))
    return tuple(None if name is None else next(names) for name in given)
