"""The disk that kept features may fill: its budget, marks of use, and what goes first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.storage import features_dir

SETTING = "WORKBENCH_FEATURES_GB"
# A thousand chips of a ViT-Base at 224 pixels in all eight symmetries, for a linear decoder.
BUDGET_BYTES = 20 * 1000**3
_MARK = "in_use"
_WRITING = "writing"


def budget_bytes(root: Path) -> int:
    """Return how much all features together may take.

    `WORKBENCH_FEATURES_GB` decides (0 keeps nothing); without it 20 GB, and never more than half of
    what the disk has free.

    Raises:
        WorkbenchError: The setting is not a number.
    """
    if (given := os.environ.get(SETTING)) is not None:
        try:
            return max(0, int(float(given) * 1000**3))
        except (ValueError, OverflowError):
            raise WorkbenchError(
                f"{SETTING}={given!r} is not a number of gigabytes, such as 50; 0 keeps nothing."
            ) from None
    there = next(place for place in (root, *root.parents) if place.exists())
    return min(BUDGET_BYTES, (shutil.disk_usage(there).free + used_bytes(root)) // 2)


def used_bytes(folder: Path) -> int:
    """Return the size of all files below a folder, 0 where there is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # another process deletes or renames
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def hold(folder: Path) -> int:
    """Make a key's folder, mark it as in use, and return what `release` takes.

    The mark is an operating-system lock that many may share: it dies with its process.
    """
    while True:
        (folder / _WRITING).mkdir(parents=True, exist_ok=True)
        mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT, 0o666)
        if _lock(mark, fcntl.LOCK_EX):  # nobody else writes: what is half written stays so
            for leftover in (folder / _WRITING).iterdir():
                leftover.unlink(missing_ok=True)
        _lock(mark, fcntl.LOCK_SH)
        if _is_still(folder / _MARK, mark):
            os.utime(mark)
            return mark
        os.close(mark)  # deleted between our look and our lock


def release(mark: int) -> None:
    """Give a mark back; from now on counts as last use."""
    with contextlib.suppress(OSError):
        os.utime(mark)
    os.close(mark)


def make_room(root: Path, limit_bytes: int) -> int:
    """Delete keys that nobody uses, least recently used first, down to a limit.

    Returns:
        The bytes that remain; more than the limit where the rest is in use.
    """
    sizes = {folder: used_bytes(folder) for folder in _keys(root)}
    total = sum(sizes.values())
    for folder in sorted(sizes, key=_last_used):
        if total <= limit_bytes:
            break
        if _delete(folder):
            total -= sizes[folder]
    return total


def clear_features() -> int:
    """Delete all kept features that no training uses, and return how many bytes that freed."""
    root = features_dir()
    before = used_bytes(root)
    return before - make_room(root, 0)


def write_whole(folder: Path, path: Path, data: bytes) -> None:
    """Write a file of a key's folder under another name first; it is not synced.

    Whoever reads checks it: a file that a power failure left empty is computed again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder / _WRITING / uuid.uuid4().hex
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _keys(root: Path) -> list[Path]:
    return [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []


def _last_used(folder: Path) -> float:
    try:
        return (folder / _MARK).stat().st_mtime
    except OSError:  # somebody was killed while deleting it
        return 0.0


def _delete(folder: Path) -> bool:
    try:
        mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return False
    try:
        if not _lock(mark, fcntl.LOCK_EX):
            return False
        # Under another name at once, so that nobody opens it half deleted.
        gone = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)
        return not gone.exists()
    except OSError:
        return False
    finally:
        os.close(mark)


def _lock(mark: int, kind: int) -> bool:
    """Lock a descriptor and return whether it is; sharing waits for a deletion under way."""
    try:
        fcntl.flock(mark, kind if kind == fcntl.LOCK_SH else kind | fcntl.LOCK_NB)
    except OSError:  # in use, or a file system without locks, where nothing is ever deleted
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
