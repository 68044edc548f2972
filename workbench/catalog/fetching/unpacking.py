"""Archives, unpacked inside their folder only, file by file, each whole or not there."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, cast

from workbench.errors import DownloadError
from workbench.storage import out_of_space_explained

Keep = Callable[[str], bool]


def unpack(archives: Sequence[Path], kind: str, root: Path, *, keep: Keep,
           report: Callable[[int], None]) -> int:
    """Unpack an archive, in one or several parts, and return how many files it brought.

    A file that is there with the size it should have is left as it is, so that an interrupted
    unpacking goes on.

    Args:
        archives: The parts in order.
        kind: `tar` (plain or compressed) or `zip`.
        root: Where to.
        keep: Whether a member, by its name with slashes, is wanted.
        report: Called with the bytes of the archive that were gone through since the last call.

    Raises:
        DownloadError: A member would land outside `root`, or the archive is damaged.
        OutOfSpaceError: The disk is full.
    """
    count = 0
    try:
        with out_of_space_explained(root), _Joined(archives, report) as file:
            for name, size, content in (_tar if kind == "tar" else _zip)(file, keep):
                target = _inside(root, name, archives[0])
                if not (target.is_file() and target.stat().st_size == size):
                    _write(content, target, size)
                count += 1
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DownloadError(
            f"{archives[0]} is damaged ({error}). Delete it and download again."
        ) from error
    return count


def _tar(file: _Joined, keep: Keep) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            if member.isdir() or (member.isreg() and not keep(member.name)):
                continue
            if not member.isreg():
                raise DownloadError(
                    f"{member.name!r} in the archive is a link or a device, not a file; nothing "
                    "more was unpacked. Do not use this archive."
                )
            content = archive.extractfile(member)
            assert content is not None
            yield member.name, member.size, content


def _zip(file: _Joined, keep: Keep) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        for member in archive.infolist():
            if member.is_dir() or not keep(member.filename):
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                raise DownloadError(
                    f"{member.filename!r} in the archive is a link, not a file; nothing more was "
                    "unpacked. Do not use this archive."
                )
            with archive.open(member) as content:
                yield member.filename, member.file_size, content


def _inside(root: Path, name: str, archive: Path) -> Path:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise DownloadError(
            f"{archive} holds {name!r}, which would be written outside {root}. Nothing more was "
            "unpacked. Do not use this archive."
        )
    target = root.joinpath(*parts.parts)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise DownloadError(f"{target.parent} leads outside {root} by a link; remove that link.")
    return target


def _write(content: IO[bytes], target: Path, size: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        with open(temporary, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
            if file.tell() != size:
                raise EOFError(f"{target.name} has {file.tell()} of {size} bytes")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


class _Joined(io.RawIOBase):
    """Several files read as one; tells how far it has come."""

    def __init__(self, paths: Iterable[Path], report: Callable[[int], None]) -> None:
        self._files = [open(path, "rb") for path in paths]  # noqa: SIM115 (closed by close)
        sizes = [os.fstat(file.fileno()).st_size for file in self._files]
        self._starts = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
        self._at = self._told = 0
        self._report = report

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = max(self._starts[-1] - self._at, 0)
        pieces = []
        while size and self._at < self._starts[-1]:
            index = next(i for i, end in enumerate(self._starts[1:]) if self._at < end)
            file = self._files[index]
            file.seek(self._at - self._starts[index])
            piece = file.read(min(size, self._starts[index + 1] - self._at))
            pieces.append(piece)
            self._at += len(piece)
            size -= len(piece)
        if self._at > self._told:
            self._report(self._at - self._told)
            self._told = self._at
        return b"".join(pieces)

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
