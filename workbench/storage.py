"""Files that are never half written, and where the workbench keeps its own."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from workbench.errors import DataError, OutOfSpaceError, WorkbenchError


def cache_dir() -> Path:
    """Return the folder for generated and downloaded data (`WORKBENCH_CACHE`, else the user's)."""
    if given := os.environ.get("WORKBENCH_CACHE"):
        return Path(given).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_cache_dir("workbench", appauthor=False))


def features_dir() -> Path:
    """Return the folder of the features that frozen backbones made, kept for the next epoch."""
    return cache_dir() / "features"


def shipped(name: str) -> Path:
    """Return a folder that travels with the package: `data_catalog` or `notebooks`.

    A wheel holds it inside the package; a checkout holds it beside the package.
    """
    package = Path(__file__).parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise WorkbenchError(
        f"The installation of workbench lacks its folder {name!r}; install it again with pip."
    )


class NoRoom(NamedTuple):
    """Why nothing more can be written, `{}` being the place, and what to do."""

    cause: str
    remedy: str


# By the system's number of the error.
NO_ROOM = {
    errno.ENOSPC: NoRoom(
        "No space left on the disk of {}", "Free some space (`workbench doctor` shows the caches)"
    ),
    errno.EDQUOT: NoRoom(
        "Your quota on the disk of {} is used up",
        "Delete what you need no more (`workbench doctor` shows the caches), or have it raised",
    ),
    errno.EFBIG: NoRoom(
        "A file for {} would be larger than this process or its disk allows",
        "Raise the limit (`ulimit -f unlimited`; a batch system has its own), or write to another "
        "disk",
    ),
}


@contextlib.contextmanager
def out_of_space_explained(path: Path) -> Iterator[None]:
    """Turn a full disk, a spent quota and a limit of files into an error that says what to do."""
    try:
        yield
    except OutOfSpaceError:
        raise
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        cause, remedy = NO_ROOM[error.errno]
        raise OutOfSpaceError(
            error.errno,
            f"{cause.format(path)}. What was written before is whole. {remedy} and run the same "
            "call again.",
        ) from error


@contextlib.contextmanager
def unwritable_explained(place: str, remedy: str) -> Iterator[None]:
    """Turn what keeps results from being written into an error that says where and what to do.

    Raises:
        DataError: Nothing can be written there.
        OutOfSpaceError: There is no room.
    """
    try:
        yield
    except OutOfSpaceError:
        raise
    except OSError as error:
        raise DataError(
            f"Nothing can be written into {place} ({error.strerror}). {remedy}"
        ) from error


def require_writable(folder: Path) -> None:
    """Make a file in a folder and delete it: work is not begun whose result could not be kept.

    The folder is made if it is not there.

    Raises:
        OSError: It cannot be made, or nothing can be written there.
        OutOfSpaceError: There is no room for a file.
    """
    with out_of_space_explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


# Read once, before there are threads: it can only be read by changing it, for all of them.
_UMASK = _umask()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it once written and synced.

    Whatever fails inside leaves `path` as it was and no temporary file behind.
    """
    path = Path(path)
    with out_of_space_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}", dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_UMASK)
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _exchange(new: Path, path: Path) -> None:
    """Put `new` in the place of `path`; on failure `path` is what it was."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    try:
        os.replace(path, aside / path.name)
        try:
            os.replace(new, path)
        except BaseException:
            os.replace(aside / path.name, path)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _rename_unless_there(new: Path, path: Path) -> None:
    try:
        os.replace(new, path)
    except OSError as error:
        # Another writer of the same content came first between our look and our rename.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes `path` once everything in it is written.

    Args:
        path: Where the finished folder will stand.
        replace: Put an existing folder aside and delete it; otherwise the one that is there
            first wins, which makes two writers of the same cached content harmless.
    """
    path = Path(path)
    with out_of_space_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with open(file, "rb") as opened:
                        os.fsync(opened.fileno())
                    # Some libraries, safetensors among them, write for the owner alone.
                    file.chmod(0o666 & ~_UMASK)
            temporary.chmod(0o777 & ~_UMASK)
            if replace and path.exists():
                _exchange(temporary, path)
            elif not path.exists():
                _rename_unless_there(temporary, path)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON (no NaN: JSON has none), whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; say which file and line is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WorkbenchError(f"{path} is not valid JSON ({error}); it was not written by "
                             "the workbench or has been damaged.") from error
