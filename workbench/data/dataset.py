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
from workbench.data.footprints import centre
from workbench.data.info import ClassInfo, ClassSpec, DatasetInfo
from workbench.data.opening import Opening
from workbench.data.raster import window_transform
from workbench.data.readers import READERS
from workbench.data.reading import read_pixels
from workbench.data.sample import ChipDate, Sample
from workbench.errors import DataError, unknown_name

if TYPE_CHECKING:
    from workbench.data.areas import Area
    from workbench.data.filtering import DateRange
    from workbench.data.split import Split


class _Row(NamedTuple):
    image: str
    mask: str
    window: ChipWindow
    region: str
    cluster: str
    date: ChipDate | None
    crs: str | None
    lonlat: tuple[float, float] | None
    member: int


@dataclasses.dataclass(eq=False, repr=False)
class Dataset(Opening):
    """An index of chips; nothing is read until `read` is called.

    Attributes:
        info: Facts that hold for every chip.
        chips: One row a chip, indexed by chip id: files, window, region, cluster, date, CRS,
            valid fraction, pixels by class (`count_<k>`), pixels without a label
            (`count_ignore`), and the footprint in EPSG:4326. Of several frames `date` is the
            first one's, and `dates` holds all.
        skipped: What was left out while indexing, with the reason.
        members: Of datasets that were joined, the facts of each; the column `member` of `chips`
            says which one a chip is of.
    """

    info: DatasetInfo
    chips: geopandas.GeoDataFrame
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    members: tuple[DatasetInfo, ...] = ()

    def __post_init__(self) -> None:
        twice = self.chips.index[self.chips.index.duplicated()]
        if len(twice):
            raise DataError(
                f"{self.info.name}: the chip id {twice[0]!r} occurs more than once "
                f"({len(twice)} repeated ids). Give every chip its own id."
            )

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
        info = self.chip_info(chip_id)
        image, mask, valid = read_pixels(info, row.image, row.mask, row.window)
        grid = READERS[info.reader].grid(row.image, info).transform
        return Sample(
            image=image, mask=mask, valid=valid, chip_id=chip_id, region=row.region,
            cluster=row.cluster, date=row.date, lonlat=row.lonlat, crs=row.crs,
            transform=window_transform(grid, row.window.row_off, row.window.col_off),
        )

    def chip_info(self, chip_id: str) -> DatasetInfo:
        """Return how the files of a chip are read: `info`, or that of the member it is of."""
        return self.members[self._rows[chip_id].member] if self.members else self.info

    @property
    def num_frames(self) -> int:
        """Dates of every image: ``(band, y, x)`` of one, ``(band, time, y, x)`` of several."""
        return self.info.num_frames

    def date(self, chip_id: str) -> ChipDate | None:
        """Return the ISO date of a chip, or one for each frame; None where it is not known.

        No pixel is read.
        """
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
                chip.region, chip.cluster, self._date(chip), _text(chip.crs),
                None if shape is None else centre(shape), getattr(chip, "member", 0),
            )
        return rows

    def _date(self, chip: Any) -> ChipDate | None:
        if self.num_frames == 1:
            return _text(chip.date)
        days = _text(getattr(chip, "dates", None))
        return None if days is None else tuple(days.split())

    def select(self, chip_ids: Iterable[str] | None = None, *,
               region: str | Iterable[str] | None = None, within: Area | None = None,
               date: DateRange | None = None, holds: str | Iterable[str] | None = None) -> Dataset:
        """Return the chips that meet every condition given; no pixel is read.

        Args:
            chip_ids: These, in this order.
            region: Those of these regions, whatever their case.
            within: Those whose middle lies in an area: a box ``(west, south, east, north)`` in
                degrees, or what `with_region` takes.
            date: Those taken in a time: a year, month or day such as `"2019-09"`, or the first and
                the last one ``("2018-05", "2018-10")``, both counted in; None leaves an end open.
                Of several frames the first one decides.
            holds: Those with labelled pixels of one of these classes at least.

        Raises:
            UnknownNameError: A chip, region or class that is not there.
            DataError: An area or a date that is none. No chip meets the conditions; says how many
                meet each.
        """
        from workbench.data.filtering import filtered

        conditions = {"region": region, "within": within, "date": date, "holds": holds}
        chips = filtered(self, chip_ids, {k: v for k, v in conditions.items() if v is not None})
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
        members = tuple(one.model_copy(update={"bands": names}) for one in self.members)
        return dataclasses.replace(self, info=info, members=members)

    def remap(self, classes: Mapping[str, ClassSpec | None]) -> Dataset:
        """Return the same chips with classes renamed, joined or dropped; no pixel is read.

        Classes that get one name are one class from then on; it stands where the first of them
        stood. Chips that are left without a label are left out.

        Args:
            classes: New names, or (name, `#rrggbb`), by the present ones. None makes pixels of
                that class pixels without a label. Classes that are not named stay as they are:
                ``dataset.remap({"wheat": "grain", "canola": "grain", "no data": None})``.

        Raises:
            UnknownNameError: A class that the dataset does not have.
            LabelError: Fewer than two classes would be left.
        """
        from workbench.data.remapping import remapped

        return remapped(self, classes)

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
        """Return the same chips with what was chosen after opening: bands, classes and areas."""
        dataset = self
        for classes in source.get("remap", ())[len(self.info.source.get("remap", ())):]:
            dataset = dataset.remap(classes)
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
        units: list[Any] = []
        for info in self.members or (self.info,):
            units += [info.stored_bands, info.class_values, info.scale, info.offset,
                      info.chip_shape, *([info.class_of] if info.class_of else []),
                      *info.frames]
        table = self.chips[
            ["col_off", "row_off", "width", "height", "region", "cluster", "date"]
        ].assign(
            image=[Path(path).name for path in self.chips["image"]],
            mask=[Path(path).name for path in self.chips["mask"]],
        )
        if self.num_frames > 1 and "dates" in self.chips:
            table["dates"] = self.chips["dates"]
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
