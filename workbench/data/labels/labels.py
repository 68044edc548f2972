"""Labels: points and polygons with a class on one raster, saved as they are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import geopandas
import numpy as np
import numpy.typing as npt
import rasterio
import shapely

from workbench.data.dataset import Dataset
from workbench.data.info import Classes, ClassInfo, parse_classes
from workbench.data.labels import geopackage
from workbench.data.labels.burning import Covered, covered
from workbench.data.labels.imagery import Imagery, open_imagery
from workbench.data.labels.placing import placed
from workbench.errors import DataError, LabelError, unknown_name
from workbench.reprs import html_card
from workbench.storage import atomic_file

Shape: TypeAlias = shapely.Geometry | Mapping[str, Any] | tuple[float, float]
NO_LABEL = 255


class Labels:
    """Points, lines and polygons with a class on one raster.

    Every change is written to the GeoPackage at once, whole or not at all; opening it again goes
    on from there. Where labels overlap, the later one counts. A polygon labels the pixels whose
    centre it holds (all that it touches where it holds none), points and lines every pixel that
    they touch; all other pixels have no label and are never trained on.

    Args:
        raster: A GeoTIFF with a place on Earth.
        classes: Names, or (name, colour) pairs, for the class indices 0, 1, 2, …; without them
            those of the GeoPackage. Classes that come after those of the file are added.
        path: The GeoPackage; by default `<raster>.labels.gpkg` beside the raster.
        bands: Names of all bands in file order, None for one that is not used; by default what the
            file says.
        scale: Stored value * scale + offset is the physical unit, reflectance 0 to 1 for optical
            bands; by default what the file says.
        offset: See `scale`.
        nodata: Stored value of missing pixels; by default what the file says.

    Attributes:
        imagery: The raster.
        classes: The classes; class k of a mask is entry k.
        path: The GeoPackage.
        table: One row a label in the order of drawing: `class` (a name) and the geometry in the
            raster's CRS; the index is the label's number.

    Raises:
        DataError: The raster cannot be opened, or the GeoPackage is no labels.
        GridError: The raster does not say where its pixels are.
        BandError: Bands are unknown, or nobody names them.
        LabelError: No classes are given and none are saved, or others than the saved ones.
    """

    def __init__(self, raster: str | Path | Imagery, classes: Classes | None = None, *,
                 path: str | Path | None = None, bands: Sequence[str | None] | None = None,
                 scale: float | None = None, offset: float | None = None,
                 nodata: float | None = None) -> None:
        self.imagery = raster if isinstance(raster, Imagery) else open_imagery(
            raster, bands, scale=scale, offset=offset, nodata=nodata)
        beside = self.imagery.path.with_suffix(".labels.gpkg")
        self.path = beside if path is None else Path(path).expanduser().absolute()
        self._past: list[geopandas.GeoDataFrame] = []
        self._future: list[geopandas.GeoDataFrame] = []
        self._seen: int | None = None
        self.table, saved = self._open()
        self.classes = _joined(saved, classes, self.path)

    def add(self, name: str, shape: Shape, *, crs: Any = "EPSG:4326") -> int:
        """Add a label and return its number.

        Args:
            name: Its class.
            shape: A shapely geometry, GeoJSON, or one point as a pair (longitude, latitude).
            crs: What the coordinates are in; they are brought to the raster's CRS.

        Raises:
            UnknownNameError: No such class.
            LabelError: The shape is empty or no geometry.
            GridError: It lies outside the raster.
        """
        return self._add([(name, shape)], crs)[0]

    def add_table(self, table: geopandas.GeoDataFrame, column: str = "class") -> list[int]:
        """Add a label for every row of a table, whatever its CRS, and return their numbers.

        Args:
            table: Geometries and their classes, from `geopandas.read_file("shapes.shp")` say.
            column: Where the names of the classes stand.

        Raises:
            LabelError: There is no such column, no CRS, or a shape is empty.
            UnknownNameError: A row has a class that is none of these.
            GridError: A shape lies outside the raster.
        """
        if column not in table:
            raise LabelError(
                f"The table has no column {column!r}; it has {', '.join(map(str, table.columns))}. "
                "Say which one holds the class: column=…."
            )
        if table.crs is None:
            raise LabelError("The table has no CRS; set it first: table.set_crs('EPSG:…').")
        return self._add(list(zip(table[column], table.geometry, strict=True)), table.crs)

    def remove(self, number: int) -> None:
        """Take a label away.

        Raises:
            LabelError: There is no such label.
        """
        self._require(number)
        self._become(self.table.drop(index=number))

    def change(self, number: int, name: str) -> None:
        """Give a label another class.

        Raises:
            LabelError: There is no such label.
            UnknownNameError: No such class.
        """
        self._require(number)
        table = self.table.copy()
        table.loc[number, "class"] = self._known(name)
        self._become(table)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change since opening that `undo` takes back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was taken back and that `redo` makes again."""
        return bool(self._future)

    def undo(self) -> bool:
        """Take the last change back; return whether there was one since opening."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Make the change again that was taken back last; return whether there was one."""
        return self._step(self._future, self._past)

    def __len__(self) -> int:
        return len(self.table)

    def pixels(self) -> Covered:
        """Return the labelled pixels, each once."""
        index = {entry.name: place for place, entry in enumerate(self.classes)}
        return covered(list(self.table.geometry), [index[name] for name in self.table["class"]],
                       self.imagery.raster)

    def mask(self) -> npt.NDArray[np.int64]:
        """Return the labels on the raster's grid, ``(y, x)`` int64, -1 where there is none."""
        raster, found = self.imagery.raster, self.pixels()
        mask = np.full(raster.height * raster.width, -1, np.int64)
        mask[found.place] = found.kind
        return mask.reshape(raster.height, raster.width)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return how many labels and labelled pixels each class has."""
        pixels = np.bincount(self.pixels().kind, minlength=len(self.classes))
        return {entry.name: (int((self.table["class"] == entry.name).sum()), int(count))
                for entry, count in zip(self.classes, pixels, strict=True)}

    def write_mask(self, path: str | Path) -> Path:
        """Write the labels as a GeoTIFF on the raster's grid: uint8, 255 where there is none."""
        target, raster = Path(path), self.imagery.raster
        with atomic_file(target) as temporary, rasterio.open(
            temporary, "w", driver="GTiff", height=raster.height, width=raster.width, count=1,
            dtype="uint8", nodata=NO_LABEL, crs=raster.crs, transform=raster.transform,
            compress="deflate", tiled=True, blockxsize=256, blockysize=256,
        ) as file:
            file.write(np.where(self.mask() < 0, NO_LABEL, self.mask()).astype(np.uint8), 1)
            file.write_colormap(1, {place: (*bytes.fromhex(entry.color[1:]), 255)
                                    for place, entry in enumerate(self.classes)})
        return target

    def dataset(self, chip_size: int | None = None, *, name: str | None = None) -> Dataset:
        """Return the labels as a dataset with sparse masks: what has no label is ignored.

        The mask is written beside the GeoPackage under a name of its content, so that a run that
        was trained on it finds it again after more labels were drawn. Chips without any label are
        left out.

        Args:
            chip_size: Side of a chip in pixels, as for `Dataset.from_folder`.
            name: What to call it; by default the raster's name.

        Raises:
            LabelError: Nothing is labelled.
            DataError: The raster is too large for one chip and `chip_size` is not given.
        """
        if not len(self.pixels().place):
            raise LabelError(f"Nothing is labelled on {self.imagery.path.name} yet: labels.add(…).")
        imagery, stem = self.imagery, self.imagery.path.stem
        digest = hashlib.sha256(b"".join(part.tobytes() for part in self.pixels()[:2])).hexdigest()
        # Hidden: the folder of the images may be given to `from_folder` as such.
        mask = self.path.with_name(f".{self.path.stem}-{digest[:12]}.tif")
        if not mask.exists():
            self.write_mask(mask)
        return Dataset.from_folder(
            imagery.path, mask, bands=imagery.stored_bands, classes=self.classes,
            region={stem: stem}, chip_size=chip_size, scale=imagery.scale, offset=imagery.offset,
            nodata=imagery.nodata, no_label=NO_LABEL, name=name or stem,
        )

    def save(self) -> None:
        """Write the GeoPackage; every change does this by itself.

        Raises:
            DataError: Somebody else has changed it since it was read.
        """
        if _modified(self.path) != self._seen:
            raise DataError(
                f"{self.path} was changed by somebody else since these labels were read, and "
                "would be overwritten. Open the labels again: wb.Labels(…)."
            )
        geopackage.write(self.path, self.table, self.classes)
        self._seen = _modified(self.path)

    def _open(self) -> tuple[geopandas.GeoDataFrame, list[ClassInfo]]:
        self._seen = _modified(self.path)
        if self._seen is None:
            empty = geopandas.GeoDataFrame({"class": []}, geometry=[], crs=self.imagery.crs)
            return empty.astype({"class": object}), []
        table, classes = geopackage.read(self.path)
        names = [entry.name for entry in classes]
        if strange := set(table["class"]) - set(names):
            raise LabelError(
                f"{self.path} has labels of {sorted(map(str, strange))}, which are none of its "
                f"classes ({', '.join(names)})."
            )
        return table.to_crs(self.imagery.crs), classes

    def _add(self, labels: Sequence[tuple[str, Any]], crs: Any) -> list[int]:
        first = int(self.table.index.max()) + 1 if len(self.table) else 0
        names = [self._known(name) for name, _ in labels]
        shapes = placed([shape for _, shape in labels], crs, self.imagery)
        numbers = list(range(first, first + len(labels)))
        rows = [*self.table["class"], *names], [*self.table.geometry, *shapes]
        self._become(geopandas.GeoDataFrame(
            {"class": np.array(rows[0], object)}, geometry=rows[1], crs=self.imagery.crs,
            index=[*self.table.index, *numbers],
        ))
        return numbers

    def _become(self, table: geopandas.GeoDataFrame) -> None:
        before, self.table = self.table, table
        try:
            self.save()
        except BaseException:
            self.table = before  # what is shown is what is on disk
            raise
        self._past.append(before)
        self._future.clear()

    def _step(self, source: list[geopandas.GeoDataFrame],
              other: list[geopandas.GeoDataFrame]) -> bool:
        if not source:
            return False
        before, self.table = self.table, source[-1]
        try:
            self.save()
        except BaseException:
            self.table = before
            raise
        source.pop()
        other.append(before)
        return True

    def _require(self, number: int) -> None:
        if number not in self.table.index:
            shown = ", ".join(map(str, self.table.index[:20])) or "none"
            raise LabelError(f"There is no label {number!r}. labels.table lists all: {shown}.")

    def _known(self, name: str) -> str:
        names = [entry.name for entry in self.classes]
        if name not in names:
            raise unknown_name("class", str(name), names, "labels.classes")
        return name

    def __repr__(self) -> str:
        shown = " · ".join(f"{name} {labels} ({pixels} pixels)"
                           for name, (labels, pixels) in self.counts().items())
        return f"Labels on {self.imagery.path.name}: {shown}"

    def _repr_html_(self) -> str:
        rows = {name: f"{labels} labels, {pixels} pixels"
                for name, (labels, pixels) in self.counts().items()}
        return html_card(f"Labels on {self.imagery.path.name}", rows, notes=(self.path.name,))


def _joined(saved: Sequence[ClassInfo], given: Classes | None, path: Path
            ) -> tuple[ClassInfo, ...]:
    """Return the saved classes, with the colours given and the classes that come after them."""
    if given is None:
        if not saved:
            raise LabelError(
                f"Name the classes: classes=['land', 'water']. There are none saved in {path} yet."
            )
        return tuple(saved)
    classes, values = parse_classes(given)
    if values != tuple(range(len(classes))) or len(classes) >= NO_LABEL:
        raise LabelError("Classes of labels are counted 0, 1, 2, … up to 254: pass their names.")
    names, before = [entry.name for entry in classes], [entry.name for entry in saved]
    if len(set(names)) < len(names):
        raise LabelError(f"classes={names} names a class twice.")
    if names[: len(before)] != before:
        raise LabelError(
            f"{path} holds labels of the classes {', '.join(before)}; classes= names "
            f"{', '.join(names)}. Name the saved ones first, in their order, or leave classes= "
            "away; for other classes take another file: path=…."
        )
    return classes


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
