"""Downloading a collection: only what is needed, resumed, checked, unpacked safely."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench.catalog.catalog import open_catalog
from workbench.catalog.collection import Asset, Collection
from workbench.catalog.fetching.locations import Remote, remotes
from workbench.catalog.fetching.transfer import Session, digest
from workbench.catalog.fetching.unpacking import Keep, unpack
from workbench.errors import DownloadError, OutOfSpaceError, unknown_name
from workbench.reprs import readable_bytes
from workbench.storage import cache_dir, read_json, write_json

RECORDS = ".downloads"
# Small files of a bucket wait for each other's round trips.
_AT_ONCE = 4
Report = Callable[[int], None]


def default_root(collection: Collection) -> Path:
    """Return where a collection's files lie when nobody says otherwise."""
    return cache_dir() / "datasets" / collection.id


def download(collection: Collection | str, root: str | Path | None = None, *, sample: bool = False,
             assets: Iterable[str] | None = None, keep: Keep | None = None,
             show: bool = True, session: Session | None = None) -> Path:
    """Download a collection and return its root; what is there already is checked and kept.

    Every file is whole or not there. It is compared with the size and hash that its source
    states; where none is stated, the first download's are recorded and compared ever after.
    Interrupted downloads and unpackings go on where they stopped.

    Args:
        collection: What to download, or its id in the catalogue.
        root: Where to; by default a folder in the cache.
        sample: Take only the smallest real piece there is.
        assets: Names in `collection.assets`; by default all that training needs.
        keep: Whether a file of an archive, by its name there, is wanted.
        show: Say licence and size first, and show progress with the time left.
        session: How to reach servers.

    Raises:
        DownloadError: A server cannot be reached or refuses, or a file is not the stated one.
        OutOfSpaceError: The disk is too small; nothing is lost.
        UnknownNameError: No such asset.
    """
    if isinstance(collection, str):
        collection = open_catalog()[collection]
    place = default_root(collection) if root is None else Path(root).expanduser().absolute()
    chosen = _chosen(collection, sample, assets)
    with session or Session() as http:
        files = {asset.name: remotes(asset, http) for asset in chosen}
        missing = {
            asset.name: [] if _unpacked(place, asset, chosen)
            else [remote for remote in files[asset.name] if not _there(place, asset, remote)]
            for asset in chosen
        }  # fmt: skip
        every = [remote for entries in missing.values() for remote in entries]
        _check_space(place, every)
        if show:
            _announce(collection, place, every)
        with _Bar(sum(remote.size_bytes or 0 for remote in every), show and bool(every)) as bar:
            for asset in chosen:
                _fetch(place, asset, missing[asset.name], http, bar)
    for asset in chosen:
        if asset.unpack and not asset.part_of:
            _unpack(place, asset, [a for a in chosen if a.part_of == asset.name], keep, show)
    return place


def interrupted(root: Path) -> list[str]:
    """Return the names of the archives below `root` whose unpacking has not ended."""
    return sorted(path.stem for path in (root / RECORDS).glob("*.unpacking"))


def _chosen(collection: Collection, sample: bool, names: Iterable[str] | None) -> list[Asset]:
    known = collection.assets
    if not known:
        raise DownloadError(
            f"{collection.id} has nothing to download"
            + ("; workbench.load generates it." if collection.simulated else ".")
        )
    if names is not None:
        wanted = list(names)
        for name in wanted:
            if name not in known:
                listed_by = f"open_catalog()[{collection.id!r}].assets"
                raise unknown_name("asset", name, known, listed_by)
        return [asset for asset in known.values()
                if asset.name in wanted or asset.part_of in wanted]
    chosen = [asset for asset in known.values()
              if ("sample" in asset.roles) == sample and (sample or not asset.optional)]
    if not chosen:
        raise DownloadError(
            f"{collection.id} has no sample; its smallest piece is the whole, "
            f"{readable_bytes(collection.size_bytes)}."
        )
    return chosen


def _record(root: Path, asset: Asset) -> Path:
    return root / RECORDS / f"{asset.name}.json"


def _recorded(root: Path, asset: Asset) -> dict[str, Any]:
    path = _record(root, asset)
    return read_json(path) if path.exists() else {"files": {}}


def _unpacked(root: Path, asset: Asset, chosen: Sequence[Asset]) -> bool:
    first = next((entry for entry in chosen if entry.name == asset.part_of), asset)
    return bool(_recorded(root, first).get("unpacked"))


def _there(root: Path, asset: Asset, remote: Remote) -> bool:
    """Return whether a file is there and is the one stated or recorded; another is refused."""
    path = root / remote.path
    if not path.is_file():
        return False
    known = _recorded(root, asset)["files"].get(remote.path, {})
    expected = remote.checksum or known.get("checksum")
    size = remote.size_bytes or known.get("size_bytes")
    if size is not None and path.stat().st_size != size:
        return False
    if expected and digest(path, expected.partition(":")[0]) != expected:
        return False
    return bool(expected) or size is not None


def _check_space(root: Path, files: Sequence[Remote]) -> None:
    need = sum(remote.size_bytes or 0 for remote in files)
    existing = next(place for place in (root, *root.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if need > free:
        raise OutOfSpaceError(
            28, f"The disk of {root} has {readable_bytes(free)} free; {readable_bytes(need)} are "
            "to be downloaded. Free some space, or pass another root=."
        )  # fmt: skip


def _announce(collection: Collection, root: Path, files: Sequence[Remote]) -> None:
    licence = "not stated" if collection.licence == "other" else collection.licence
    known = sum(remote.size_bytes or 0 for remote in files)
    unknown = sum(remote.size_bytes is None for remote in files)
    size = readable_bytes(known) if known else ""
    more = f"{unknown} of unknown size" if unknown else ""
    what = ", ".join(filter(None, [f"{len(files)} files", size, more])) if files else "complete"
    print(f"{collection.title} · licence: {licence} · {what} · {root}", file=sys.stderr)


def _fetch(root: Path, asset: Asset, files: Sequence[Remote], session: Session,
           bar: _Bar) -> None:
    record = _recorded(root, asset)
    writing = threading.Lock()

    def fetch(remote: Remote) -> None:
        known = record["files"].get(remote.path, {})
        came = session.fetch(
            remote.url, root / remote.path, size_bytes=remote.size_bytes or known.get("size_bytes"),
            checksum=remote.checksum or known.get("checksum"), report=bar.add,
        )  # fmt: skip
        with writing:
            record["files"][remote.path] = {"url": remote.url, **came}
            write_json(_record(root, asset), record)

    with ThreadPoolExecutor(_AT_ONCE, "workbench-download") as pool:
        tasks = [pool.submit(fetch, remote) for remote in files]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _unpack(root: Path, asset: Asset, parts: Sequence[Asset], keep: Keep | None,
            show: bool) -> None:
    record = _recorded(root, asset)
    if record.get("unpacked"):
        return
    archives = [root / entry.path for entry in (asset, *parts)]
    marker = root / RECORDS / f"{asset.name}.unpacking"
    marker.touch()
    with _Bar(sum(path.stat().st_size for path in archives), show, "unpacking") as bar:
        count = unpack(archives, asset.unpack or "tar", root, keep=keep or (lambda name: True),
                       report=bar.add)
    if not count:
        raise DownloadError(f"{archives[0]} holds none of the files that are wanted.")
    write_json(_record(root, asset), {**record, "unpacked": count})
    marker.unlink()
    for path in archives:
        path.unlink()


class _Bar:
    """Bytes done, in all, and the time left; tqdm where there is something to show."""

    def __init__(self, total: int, show: bool, what: str = "download") -> None:
        self._total, self._show, self._what = total, show, what
        self._bar: Any = None
        self._lock = threading.Lock()

    def __enter__(self) -> _Bar:
        if self._show:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._total or None, unit="B", unit_scale=True, desc=self._what)
        return self

    def add(self, count: int) -> None:
        if self._bar is not None:
            with self._lock:
                self._bar.update(count)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
