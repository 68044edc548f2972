"""One file over HTTP: resumed where it stopped, tried again where that may help, checked."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from workbench.errors import DownloadError, OutOfSpaceError
from workbench.reprs import readable_bytes
from workbench.storage import NO_ROOM, NoRoom, read_json, write_json

# Seconds to connect, and seconds without a byte.
PATIENCE_S = (10.0, 60.0)
# Attempts in a row that bring no new byte.
ATTEMPTS = 5
# The longest that a server may send us away for before we say so instead of waiting.
LONGEST_WAIT_S = 120.0
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 1 << 20


class Session:
    """Requests that wait and try again; `sleep` is what waits."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = requests.Session()
        # Compressed transfer would make sizes and ranges those of something else.
        self._http.headers["Accept-Encoding"] = "identity"
        self._sleep = sleep

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def json(self, url: str, parameters: dict[str, str]) -> Any:
        """Return what a server answers in JSON.

        Raises:
            DownloadError: It cannot be reached, refuses, or does not answer in JSON.
        """
        for attempt in range(ATTEMPTS):
            try:
                answer = self._http.get(url, params=parameters, timeout=PATIENCE_S)
                if answer.status_code not in _TRY_AGAIN:
                    _require_success(answer, url)
                    return answer.json()
            except requests.exceptions.JSONDecodeError as error:
                raise DownloadError(f"{url} does not answer in JSON; check the proxy.") from error
            except requests.ConnectionError as error:
                self._give_up_or_wait(url, attempt, None, error)
            else:
                self._give_up_or_wait(url, attempt, answer, None)
        raise AssertionError  # the last attempt raises

    def fetch(self, url: str, target: Path, *, size_bytes: int | None, checksum: str | None,
              report: Callable[[int], None]) -> dict[str, Any]:
        """Bring `url` to `target`, whole and checked or not at all.

        What an earlier call left is gone on with, as long as the file at the server is the same.

        Args:
            url: Where it lies.
            target: Where it goes; replaced when it is there.
            size_bytes: As stated, or None.
            checksum: `sha256:…` or `md5:…` as stated, or None.
            report: Called with the number of bytes that came since the last call; negative
                where the server made us begin again.

        Returns:
            `size_bytes` and `checksum` of what came: SHA-256 where none was stated.

        Raises:
            DownloadError: The server cannot be reached, refuses, or sends another file.
            OutOfSpaceError: The disk is full; what came so far stays for the next call.
        """
        part = target.with_name(f".{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        report(part.stat().st_size if part.exists() else 0)
        attempt = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            answer: requests.Response | None = None
            error: Exception | None = None
            try:
                answer = self._stream(url, part, before, report)
                if answer is None:
                    break
            except (requests.ConnectionError, requests.Timeout, HTTPError) as cut:
                error = cut
            except OSError as full:
                if full.errno not in NO_ROOM:
                    raise
                raise OutOfSpaceError(
                    full.errno, _full(target, size_bytes, NO_ROOM[full.errno])) from full
            came = part.stat().st_size if part.exists() else 0
            attempt = 0 if came > before else attempt
            self._give_up_or_wait(url, attempt, answer, error)
            attempt += 1
        return _finish(url, part, target, size_bytes, checksum)

    def _stream(self, url: str, part: Path, offset: int,
                report: Callable[[int], None]) -> requests.Response | None:
        """Append what is missing; returns None when done, the answer where it asks to wait."""
        tag = _tag(part)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and tag:
            headers["If-Range"] = tag
        with self._http.get(url, headers=headers, stream=True, timeout=PATIENCE_S) as answer:
            if answer.status_code == 416:  # all of it came already, or more than there is
                if answer.headers.get("Content-Range", "").endswith(f"/{offset}"):
                    return None
                report(-offset)
                _discard(part)
                return answer
            if answer.status_code in _TRY_AGAIN:
                return answer
            _require_success(answer, url)
            if offset and answer.status_code != 206:  # no ranges here, or another file by now
                report(-offset)
                offset = 0
            _note_tag(part, answer)
            length = answer.headers.get("Content-Length")
            with open(part, "r+b" if part.exists() else "wb") as file:
                file.truncate(offset)
                file.seek(offset)
                # read1 gives what has come: a cut loses nothing of it, as whole chunks would.
                while chunk := answer.raw.read1(_CHUNK):
                    file.write(chunk)
                    report(len(chunk))
                came = file.tell() - offset
            if length is not None and came < int(length):
                raise requests.ConnectionError(f"cut after {came} of {length} bytes")
        return None

    def _give_up_or_wait(self, url: str, attempt: int, answer: requests.Response | None,
                         error: Exception | None) -> None:
        wait = 2.0**attempt * random.uniform(0.5, 1.0)
        if answer is not None:
            asked = answer.headers.get("Retry-After", "")
            wait = float(asked) if asked.isdigit() else wait
        if attempt + 1 >= ATTEMPTS or wait > LONGEST_WAIT_S:
            raise DownloadError(_unreachable(url, answer, error, wait)) from error
        self._sleep(wait)


def _require_success(answer: requests.Response, url: str) -> None:
    if answer.ok:
        return
    code = answer.status_code
    if code in (401, 403):
        raise DownloadError(
            f"{url} may not be read without permission (the server answered {code}). Download it "
            "in a browser after signing in, and put it where `collection.assets` says."
        )
    raise DownloadError(
        f"{url} is not there (the server answered {code}): it has moved or the collection names "
        "it wrongly."
    )


def _unreachable(url: str, answer: requests.Response | None, error: Exception | None,
                 wait_s: float) -> str:
    if answer is not None:
        why = f"the server answered {answer.status_code} again and again"
        if wait_s > LONGEST_WAIT_S:
            why = f"the server answered {answer.status_code} and asks to wait {wait_s:.0f} s"
    else:
        why = f"the connection failed: {str(error).splitlines()[0][:200]}"
    return (
        f"{url} cannot be downloaded now; {why}. Check the connection and call again: it goes on "
        "where it stopped."
    )


def _full(target: Path, size_bytes: int | None, why: NoRoom) -> str:
    free = shutil.disk_usage(target.parent).free
    need = f", {readable_bytes(size_bytes)} in all," if size_bytes else ""
    return (
        f"{why.cause.format(target.parent)} ({readable_bytes(free)} free): {target.name}{need} "
        f"does not fit. {why.remedy}, or pass another root=, then call again: it goes on where "
        "it stopped."
    )


def _finish(url: str, part: Path, target: Path, size_bytes: int | None,
            checksum: str | None) -> dict[str, Any]:
    size = part.stat().st_size
    found = digest(part, checksum.partition(":")[0] if checksum else "sha256")
    if size_bytes is not None and size != size_bytes:
        _discard(part)
        raise DownloadError(
            f"{url} came with {size:,} bytes; {size_bytes:,} were stated. It was removed: call "
            "again, and if that does not help, the file at the server has changed."
        )
    if checksum and found != checksum:
        _discard(part)
        raise DownloadError(
            f"{url} came as {found}; {checksum} was stated. It was removed: call again, and if "
            "that does not help, the file at the server has changed."
        )
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)
    _tag_file(part).unlink(missing_ok=True)
    return {"size_bytes": size, "checksum": found}


def digest(path: Path, algorithm: str) -> str:
    """Return `sha256:…` or `md5:…` of a file."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _tag(part: Path) -> str | None:
    """Return the version that the server gave the partial file; weak ones are no good here."""
    file = _tag_file(part)
    return read_json(file)["etag"] if file.exists() else None


def _note_tag(part: Path, answer: requests.Response) -> None:
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        write_json(_tag_file(part), {"etag": tag})
    else:
        _tag_file(part).unlink(missing_ok=True)
