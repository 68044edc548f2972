"""Dataset: an index of chips that reads them one by one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import geopandas
import shapely

from workbench.data.bands import positions
from workbench.data.chipping import ChipWindow
from workbench.data.dates import DateSpec
from workbench.data.files import FileSpec
from workbench.data.folder import index_folder
from workbench.data.footprints import centre
from workbench.data.info import Classes, ClassInfo, DatasetInfo
from workbench.data.raster import window_transform
from workbench.data.readers import READERS
from workbench.data.reading import read_pixels
from workbench.data.regions import RegionSpec
from workbench.data.sample import Sample
from workbench.errors import DataError, unknown_name

if TYPE_CHECKING:
    from workbench.data.areas import Area
    from workbench.data.split import Split


class _Row(NamedTuple):
    image: str
    mask: str
    window: ChipWindow
    region: str
    cluster: str
    date: str | None
    crs: str | None
    lonlat: tuple[float, float] | None


@dataclasses.dataclass(eq=False, repr=False)
class Dataset:
    """An index of chips; nothing is read until `read` is called.

    Attributes:
        info: Facts that hold for every chip.
        chips: One row a chip, indexed by chip id: files, window, region, cluster, date, CRS,
            valid fraction, pixels by class (`count_<k>`), pixels without a label
            (`count_ignore`), and the footprint in EPSG:4326.
        skipped: What was left out while indexing, with the reason.
    """

    info: DatasetInfo
    chips: geopandas.GeoDataFrame
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = self.chips.index[self.chips.index.duplicated()]
        if len(twice):
            raise DataError(
                f"{self.info.name}: the chip id {twice[0]!r} occurs more than once "
                f"({len(twice)} repeated ids). Give every chip its own id."
            )

    @staticmethod
    def from_folder(images: FileSpec, masks: FileSpec, *, bands: Sequence[str | None],
                    classes: Classes | None = None, region: RegionSpec = None,
                    chip_size: int | None = None, scale: float = 1.0, offset: float = 0.0,
                    nodata: float | None = None, no_label: int | Sequence[int] = (-1,),
                    name: str | None = None, date: DateSpec = None) -> Dataset:
        """Index pairs of GeoTIFFs of any size; pixels stay in the files.

        Args:
            images: Folder (with subfolders), glob pattern, file or list of files.
            masks: The same for masks, one band of class indices on the grid of their image.
                They are paired by name, apart from the word in which the names differ
                (`a_S2Hand.tif` and `a_LabelHand.tif`).
            bands: Names of the bands in file order; None for one that is not used.
            classes: Names of the mask values 0, 1, 2, …, or ``{0: "land", 255: "water"}``;
                without it the values found in the masks.
            region: The region of all chips, or a regular expression with a group or a template
                with ``{region}`` on the file's stem, a mapping of stem to region, polygons (or
                their file) with a column `region`. Without it the folder, else the file's stem.
                Chips that straddle polygons or lie in none are left out.
            chip_size: Side of a chip in pixels; scenes are cut into chips without overlap, and
                chips at the edge are padded. Without it each image is one chip.
            scale: Stored value * scale + offset is the physical unit, reflectance 0 to 1 for
                optical bands (1e-4 for Sentinel-2 and HLS integers).
            offset: See `scale`.
            nodata: Stored value of missing pixels; without it what each file says.
            no_label: Mask values that mean "no label here".
            name: What to call the dataset; without it the folder's name.
            date: When images were taken, for models that are told: one ISO date, a mapping of
                stem to date, or a regular expression with a group on the file's stem.

        Raises:
            BandError: Bands are unknown, too few, too many or in another order than files say.
            DataError: No file matches, no pair fits, or no chip can be used.
            GridError: An image and its mask differ in shape, CRS or position.
            LabelError: A mask holds a value that is neither a class nor a no-label value.

        Warns:
            ChipWarning: Some chips cannot be used and are left out; said once, with their number.
        """
        info, chips, skipped = index_folder(
            images, masks, bands=bands, classes=classes, region=region, chip_size=chip_size,
            scale=scale, offset=offset, nodata=nodata, no_label=no_label, name=name, date=date,
        )
        return Dataset(info, chips, skipped)

    @property
    def bands(self) -> tuple[str, ...]:
        """Canonical names of the bands of every sample, in order."""
        return self.info.bands

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes; class k of a mask is entry k."""
        return self.info.classes

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.info.classes)

    @property
    def regions(self) -> list[str]:
        """Names of the regions, sorted."""
        return sorted(self.chips["region"].unique().tolist())

    def __len__(self) -> int:
        return len(self.chips)

    def __iter__(self) -> Iterator[str]:
        return iter(self.chips.index)

    def __contains__(self, chip_id: object) -> bool:
        return chip_id in self.chips.index

    def read(self, chip_id: str) -> Sample:
        """Read one chip.

        Raises:
            UnknownNameError: No such chip.
            DataError: A file has gone or is damaged.
            LabelError: The mask has changed and holds a value that is no class.
        """
        try:
            row = self._rows[chip_id]
        except KeyError:
            raise unknown_name("chip", chip_id, self._rows, "list(dataset)") from None
        image, mask, valid = read_pixels(self.info, row.image, row.mask, row.window)
        grid = READERS[self.info.reader].grid(row.image, self.info).transform
        return Sample(
            image=image, mask=mask, valid=valid, chip_id=chip_id, region=row.region,
            cluster=row.cluster, date=row.date, lonlat=row.lonlat, crs=row.crs,
            transform=window_transform(grid, row.window.row_off, row.window.col_off),
        )

    def date(self, chip_id: str) -> str | None:
        """Return the ISO date of a chip, where it is known; reads no pixels."""
        return self._rows[chip_id].date

    def lonlat(self, chip_id: str) -> tuple[float, float] | None:
        """Return longitude and latitude of a chip's centre in degrees, where they are known."""
        return self._rows[chip_id].lonlat

    @cached_property
    def _rows(self) -> dict[str, _Row]:
        footprints = self.chips.geometry
        rows = {}
        for chip, shape in zip(self.chips.itertuples(), footprints, strict=True):
            rows[str(chip.Index)] = _Row(
                chip.image, chip.mask,
                ChipWindow(0, 0, chip.row_off, chip.col_off, chip.height, chip.width),
                chip.region, chip.cluster, _text(chip.date), _text(chip.crs),
                None if shape is None else centre(shape),
            )
        return rows

    def select(self, chip_ids: Iterable[str] | None = None, *,
               region: str | Iterable[str] | None = None) -> Dataset:
        """Return the subset with these chips, in this order, or of these regions.

        Raises:
            UnknownNameError: A chip or region that is not there.
        """
        chips = self.chips
        if chip_ids is not None:
            wanted = list(chip_ids)
            for chip in wanted:
                if chip not in chips.index:
                    raise unknown_name("chip", chip, chips.index, "list(dataset)")
            chips = chips.loc[wanted]
        if region is not None:
            names = [region] if isinstance(region, str) else list(region)
            chips = chips[chips["region"].isin([self.find_region(name) for name in names])]
        return dataclasses.replace(self, chips=chips)

    def find_region(self, name: str) -> str:
        """Return the region's name as the dataset spells it, whatever the case given.

        Raises:
            UnknownNameError: No such region; names the nearest.
        """
        for region in self.regions:
            if region.lower() == str(name).lower():
                return region
        raise unknown_name("region", name, self.regions, "dataset.regions")

    def with_bands(self, bands: Sequence[str]) -> Dataset:
        """Return the same chips with only these bands, by name or alias, in this order.

        A pixel is valid where all of these bands are.

        Raises:
            BandError: A band that the dataset does not have.
        """
        order = positions(bands, self.bands, self.info.name)
        names = tuple(self.bands[place] for place in order)
        source = {**self.info.source, "select_bands": list(names)}
        info = self.info.model_copy(update={"bands": names, "source": source})
        return dataclasses.replace(self, info=info)

    def with_region(self, name: str, within: Area) -> Dataset:
        """Return the same chips where those whose middle lies in an area are one region.

        A piece of a country, a valley, whatever is drawn on a map can be held out like any other
        region. Chips at its border have neighbours across it: `buffer_km` of `split` keeps them
        apart.

        Args:
            name: What to call the region.
            within: A box ``(west, south, east, north)`` in degrees, whose west is above its east
                where it crosses the antimeridian; corners ``[(longitude, latitude), …]``; a
                polygon of shapely or its GeoJSON.

        Raises:
            DataError: It is no area, or no chip lies in it.
        """
        from workbench.data.areas import parse_area
        from workbench.data.areas import within as lying_within

        inside = lying_within(self.chips, within)
        if not inside.any():
            raise DataError(
                f"No chip of {self.info.name} has its middle within the area of {name!r}. Draw it "
                "larger, or look where the chips are: wb.plot(dataset, 'world')."
            )
        known = {region.lower(): region for region in self.regions}
        spelled = known.get(name.lower(), name)
        inside &= (self.chips["region"] != spelled).to_numpy()
        region = self.chips["region"].where(~inside, spelled)
        cluster = self.chips["cluster"].where(~inside, self.chips["cluster"] + f"@{spelled}")
        area = json.loads(shapely.to_geojson(parse_area(within)))
        areas = [*self.info.source.get("areas", ()), {"name": name, "within": area}]
        info = self.info.model_copy(update={"source": {**self.info.source, "areas": areas}})
        return dataclasses.replace(self, info=info,
                                   chips=self.chips.assign(region=region, cluster=cluster))

    def again(self, source: Mapping[str, Any]) -> Dataset:
        """Return the same chips with what was chosen after opening: bands and drawn regions."""
        dataset = self
        if bands := source.get("select_bands"):
            dataset = dataset.with_bands(bands)
        for area in source.get("areas", ())[len(self.info.source.get("areas", ())):]:
            dataset = dataset.with_region(area["name"], area["within"])
        return dataset

    def split(self, hold_out: Iterable[str] | str = (), *, train: Iterable[str] | str = (),
              val: Iterable[str] | str = (), test: Iterable[str] | str = (),
              by: str = "cluster", fractions: tuple[float, float, float] = (0.6, 0.15, 0.25),
              buffer_km: float | None = None, seed: int = 0) -> Split:
        """Assign whole clusters, regions, tiles or blocks to train, val and test.

        Clusters and blocks are dealt out region by region: a region with three or more is in all
        three parts. Of many random assignments the one is taken that spreads the classes most
        evenly.

        Args:
            hold_out: Regions that training never sees, whatever their case.
            train: Regions all of whose chips are trained on; what is named nowhere is shared out.
            val: Regions all of whose chips validate.
            test: Regions all of whose chips test.
            by: What stays whole: `cluster`; `region`; `tile`, of the MGRS; `block`, a piece of a
                region, cut by position; or `published` for the split that the dataset comes with.
            fractions: Shares of train, val and test. A quarter for the test leaves five clusters,
                the fewest that intervals are drawn over, to regions of twenty.
            buffer_km: Least distance between chips of different parts. Chips that are nearer are
                left out: of train before val, of val before test, held-out ones never. Without
                it there is no buffer, and half a chip's side by `block`, so that none touch.
            seed: Chooses the assignment: the same seed gives the same split.

        Raises:
            SplitError: A region does not exist or is named twice, chips have no position or no
                published part where one is needed, or a part would be empty.
        """
        from workbench.data.split import split_dataset
        from workbench.data.splitting import SplitRule, names

        rule = SplitRule(by, fractions, buffer_km, seed, names(train), names(val), names(test))
        return split_dataset(self, hold_out, rule)

    @cached_property
    def layout_hash(self) -> str:
        """SHA-256 of which chips there are: file names, windows, regions, clusters, dates, units.

        Folders and order are left out, so that a dataset that moved is the same dataset.
        """
        info = self.info
        units = [info.stored_bands, info.class_values, info.scale, info.offset, info.chip_shape]
        table = self.chips[
            ["col_off", "row_off", "width", "height", "region", "cluster", "date"]
        ].assign(
            image=[Path(path).name for path in self.chips["image"]],
            mask=[Path(path).name for path in self.chips["mask"]],
        )
        return _sha256(json.dumps(units), table.sort_index().to_csv())

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the layout and of how many pixels of each class every chip has."""
        counts = self.chips[[name for name in self.chips if name.startswith("count_")]]
        return _sha256(self.layout_hash, counts.sort_index().to_csv())

    def class_counts(self) -> list[int]:
        """Return the number of labelled pixels of each class."""
        return [int(self.chips[f"count_{index}"].sum()) for index in range(self.num_classes)]

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __repr__(self) -> str:
        from workbench.data.summary import dataset_text

        return dataset_text(self)

    def _repr_html_(self) -> str:
        from workbench.data.summary import dataset_html

        return dataset_html(self)


def _sha256(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
