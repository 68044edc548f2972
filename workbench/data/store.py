"""The index of a collection's chips on disk: made once, gone on with after a break, kept true.

A chip's row carries a stamp: paths, sizes and times of its files, and what their names tell. Rows
whose stamps are those of the files are kept, the others read again. While chips are read, each
finished one is a line of `<index>.jsonl`; the index itself appears whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd
from filelock import FileLock

from workbench.data.chipping import ChipWindow
from workbench.data.folder import ChipWarning, count_kinds
from workbench.data.footprints import footprints
from workbench.data.index import count_pixels, merge_clusters
from workbench.data.indexfile import facts_of, read_chips, write_chips
from workbench.data.info import DatasetInfo
from workbench.data.progress import Progress
from workbench.data.readers import READERS, Found
from workbench.errors import DataError, GridError, LabelError
from workbench.storage import cache_dir

# Raised when rows mean something else than before.
VERSION = 1
_GRID = ["a", "b", "c", "d", "e", "f"]


def index_path(root: Path, images: str | None) -> Path:
    """Return where the index lies: below the root, or in the cache where that is read-only."""
    folder = root / ".workbench"
    if not os.access(folder if folder.exists() else root, os.W_OK):
        folder = cache_dir() / "indexes" / hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return folder / f"index-{images or 'images'}.parquet"


def stored_shape(path: Path) -> tuple[int, int] | None:
    """Return rows and columns of the chips of an index, None where there is none."""
    facts = facts_of(path)
    return None if facts is None else (facts["chip_shape"][0], facts["chip_shape"][1])


def open_index(path: Path, root: Path, found: Sequence[Found], info: DatasetInfo,
               progress: Progress) -> geopandas.GeoDataFrame:
    """Return a row for each chip found, by reading those that the index does not know yet.

    Args:
        path: Where the index is kept.
        root: The dataset's folder; the index holds paths relative to it.
        found: The chips, in order of their ids.
        info: How they are read.
        progress: Called with the number of chips read and to be read, from this thread.

    Returns:
        `Dataset.chips` with the columns `split`, `stamp` and `reason`: why a chip is of no use.

    Raises:
        LabelError: A mask holds a value that is neither a class nor a no-label value; the chips
            read so far are kept.
    """
    stamps = dict(_stamps(root, found))
    table = _known(path, info)
    if not _has(table, stamps):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            table = _known(path, info)
            if not _has(table, stamps):
                table = _complete(path, root, found, stamps, info, table, progress)
    assert table is not None
    ids = list(stamps)
    chips = table if table.index.tolist() == ids else table.loc[ids]
    return chips.assign(**{
        kind: [f"{root}/{name}" for name in chips[kind].tolist()] for kind in ("image", "mask")
    })


def _stamps(root: Path, found: Sequence[Found]) -> Iterator[tuple[str, str]]:
    start = len(str(root)) + 1
    for chip in found:
        files = "|".join(f"{path[start:]}|{_state(path)}" for path in dict.fromkeys(chip[1:3]))
        yield chip.chip_id, f"{files}|{chip.region}|{chip.cluster}|{chip.date}|{chip.split}"


def _state(path: str) -> str:
    try:
        facts = os.stat(path)
    except OSError:
        return "none"
    return f"{facts.st_size}|{facts.st_mtime_ns}"


def _has(table: geopandas.GeoDataFrame | None, stamps: Mapping[str, str]) -> bool:
    if table is None:
        return False
    # Lists at once: columns of Arrow strings are slow to walk.
    known = dict(zip(table.index.tolist(), table["stamp"].tolist(), strict=True))
    return all(known.get(chip) == stamp for chip, stamp in stamps.items())


def _facts(info: DatasetInfo) -> dict[str, Any]:
    facts = info.model_dump(mode="json", include={
        "reader", "stored_bands", "class_values", "no_label", "nodata", "chip_shape"
    })
    return {"version": VERSION, **facts}


def _known(path: Path, info: DatasetInfo) -> geopandas.GeoDataFrame | None:
    return read_chips(path) if facts_of(path) == _facts(info) else None


def _complete(path: Path, root: Path, found: Sequence[Found], stamps: Mapping[str, str],
              info: DatasetInfo, table: geopandas.GeoDataFrame | None, progress: Progress
              ) -> geopandas.GeoDataFrame:
    """Read what is not known, write the index and return it."""
    kept: dict[str, dict[str, Any]] = {}
    if table is not None:
        plain = pd.DataFrame(table.drop(columns="geometry"))
        known = plain.reset_index().to_dict("records")
        kept = {str(row["chip_id"]): {str(key): row[key] for key in row} for row in known}
    journal = path.with_suffix(".jsonl")
    done = _read_journal(journal, info)
    wanted = [chip for chip in found
              if (done.get(chip.chip_id) or kept.get(chip.chip_id) or {}).get("stamp")
              != stamps[chip.chip_id]]
    progress(0, len(wanted))
    with (
        open(journal, "a", encoding="utf-8") as file,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1), "workbench-index") as pool,
    ):
        if not file.tell():
            print(json.dumps(_facts(info)), file=file, flush=True)
        tasks = [pool.submit(_row, root, chip, stamps[chip.chip_id], info) for chip in wanted]
        try:
            for count, task in enumerate(as_completed(tasks), start=1):
                row = task.result()
                print(json.dumps(row), file=file, flush=True)
                done[row["chip_id"]] = row
                progress(count, len(wanted))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    rows = kept | done
    cluster = {chip.chip_id: chip.cluster for chip in found}
    for chip_id, row in rows.items():
        row["cluster"] = cluster.get(chip_id, row["cluster"])
    table = _table([rows[chip_id] for chip_id in sorted(rows)])
    write_chips(path, table, _facts(info))
    journal.unlink()
    _tell(table.loc[[chip.chip_id for chip in wanted], "reason"].dropna().to_dict(), len(wanted))
    return table


def _tell(bad: dict[str, str], total: int) -> None:
    if bad:
        chip, reason = next(iter(bad.items()))
        warnings.warn(
            f"{len(bad)} of {total} chips are left out ({count_kinds(bad)}); dataset.skipped lists "
            f"them. The first, {chip}: {reason}",
            ChipWarning,
            stacklevel=6,
        )


def _read_journal(path: Path, info: DatasetInfo) -> dict[str, dict[str, Any]]:
    """Return the rows of an index that was not finished; a line half written is cut off."""
    rows: dict[str, dict[str, Any]] = {}
    whole = 0
    if not path.is_file():
        return rows
    with open(path, "r+b") as file:
        for number, line in enumerate(file):
            try:
                row = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                row = None
            if row is None or (number == 0 and row != _facts(info)):
                break
            whole += len(line)
            if number:
                rows[row["chip_id"]] = row
        file.truncate(whole)
    return rows


def _row(root: Path, chip: Found, stamp: str, info: DatasetInfo) -> dict[str, Any]:
    reader, start = READERS[info.reader], len(str(root)) + 1
    height, width = info.chip_shape
    row = {
        "chip_id": chip.chip_id, "stamp": stamp, "reason": None, "image": chip.image[start:],
        "mask": chip.mask[start:], "col_off": 0, "row_off": 0, "width": width, "height": height,
        "region": chip.region, "cluster": chip.cluster, "date": chip.date, "split": chip.split,
        "crs": None, **dict.fromkeys(_GRID, 0.0), "valid_fraction": 0.0,
        **{f"count_{index}": 0 for index in range(len(info.classes))}, "count_ignore": 0,
    }  # fmt: skip
    try:
        if not os.path.isfile(chip.mask):
            return row | {"reason": f"no mask: {chip.image} has none at {chip.mask}"}
        grid = reader.grid(chip.image, info)
        reader.check_mask(chip.mask, grid)
        if grid.height > height or grid.width > width:
            return row | {"reason": f"another size: {chip.image} has {grid.height} × {grid.width} "
                                    f"pixels, chips have {height} × {width}"}
        window = ChipWindow(0, 0, 0, 0, grid.height, grid.width)
        counts = count_pixels(info, grid, chip.mask, window)
        date = chip.date or reader.date(chip.image)
    except LabelError:
        raise
    except GridError as error:
        return row | {"reason": f"another grid: {error}"}
    except (DataError, OSError) as error:
        return row | {"reason": f"unreadable: {error}"}
    if isinstance(counts, str):
        return row | {"reason": counts}
    place = dict(zip(_GRID, map(float, grid.transform[:6]), strict=True))
    return row | counts | place | {
        "width": grid.width, "height": grid.height, "date": date, "crs": grid.crs,
    }  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> geopandas.GeoDataFrame:
    plain = pd.DataFrame(rows).set_index("chip_id")
    shapes = footprints(plain, plain[_GRID].to_numpy())
    chips = geopandas.GeoDataFrame(plain, geometry=shapes, crs="EPSG:4326")
    good = merge_clusters(chips[chips["reason"].isna()])
    chips.loc[good.index, "cluster"] = good["cluster"]
    return chips
