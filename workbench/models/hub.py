"""Weights from the Hugging Face hub: in its own cache, checked against what was published or seen.

Of a file without a published SHA-256 the first download's is recorded in a small JSON file, with
the commit it came from; whoever loads it again gets the same file or an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from workbench.errors import OutOfSpaceError, WeightsError
from workbench.models.backbones import Source
from workbench.storage import cache_dir, out_of_space_explained, read_json, write_json

# A hub that can be reached answers within a second; HF_HUB_ETAG_TIMEOUT waits longer.
PATIENCE_S = 3.0
# Of one download; the library would go on for ever with a server that always sends the first half.
MAX_INTERRUPTIONS = 5


def download(source: Source) -> Path:
    """Return the local path of a file on the hub, downloading it once and checking it each time.

    Raises:
        WeightsError: There is no such file, the hub cannot be reached or is out of order, or what
            came is not the file that was published or recorded; such a file is removed.
        OutOfSpaceError: The disk is full.
    """
    record = recorded(source)
    revision = source.full_revision or (record or {}).get("revision")
    path = _cached(source, revision) or _fetch(source, revision)
    _check(path, source, record)
    return path


def forget(source: Source, path: Path) -> None:
    """Remove a downloaded file that turned out not to be whole, and what was recorded of it."""
    _discard(path)
    record_path(source).unlink(missing_ok=True)


def recorded(source: Source) -> dict[str, Any] | None:
    """Return what was seen at the first download: revision, size and SHA-256; None before it."""
    path = record_path(source)
    return read_json(path) if path.is_file() else None


def standing(source: Source) -> str:
    """Return what a file is checked against: `pinned`, `recorded` or `not yet downloaded`."""
    if source.sha256:
        return "pinned"
    return "recorded" if recorded(source) else "not yet downloaded"


def size_bytes(source: Source) -> int | None:
    """Return the size of a file as published or recorded; None before it is known."""
    return source.size_bytes or (recorded(source) or {}).get("size_bytes")


def record_path(source: Source) -> Path:
    """Return where the first download of a file is recorded."""
    return cache_dir() / "weights" / f"{source.repo}/{source.file}.json".replace("/", "--")


def _cached(source: Source, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repo, source.file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _fetch(source: Source, revision: str | None) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    if constants.HF_HUB_OFFLINE:
        raise WeightsError(
            f"{source} is not in the local cache, and HF_HUB_OFFLINE is set: the hub cannot be "
            f"reached. Unset it to download once, {_ELSEWHERE}."
        )
    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT).rstrip("/")
    limit = _limit()
    try:
        with _quiet(source), out_of_space_explained(Path(constants.HF_HUB_CACHE)):
            _transfer(source, _ask(source, revision, endpoint, limit), endpoint)
            # It finds the file in its place, and links it by its name and commit.
            return Path(hf_hub_download(
                source.repo, source.file, revision=revision, endpoint=endpoint, etag_timeout=limit
            ))  # fmt: skip
    except OutOfSpaceError:
        raise
    except HfHubHTTPError as error:
        raise _refused(source, endpoint, error) from error
    except (HTTPError, TimeoutError, ConnectionError) as error:
        raise WeightsError(
            f"{source} is not in the local cache and the hub at {endpoint} cannot be reached "
            f"({_first_line(error) or f'no answer within {limit:g} s'}). Connect once, "
            f"{_ELSEWHERE}."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"The download of {source} from {endpoint} broke off: {_first_line(error)} "
            "Call again to go on where it stopped."
        ) from error


def _ask(source: Source, revision: str | None, endpoint: str, limit: float) -> Any:
    """Return the hub's facts of a file, at once: the library would retry for half a minute."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(source.repo, source.file, revision=revision, endpoint=endpoint)
    # A thread, because no timeout of a request bounds the look-up of the host's name.
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        facts = pool.submit(get_hf_file_metadata, url, timeout=limit).result(limit)
    finally:
        pool.shutdown(wait=False)
    if not facts.etag or not facts.commit_hash:
        raise WeightsError(
            f"What answers at {endpoint} is no Hugging Face hub. Check HF_ENDPOINT and the proxy, "
            f"{_ELSEWHERE}."
        )
    if source.size_bytes and facts.size and facts.size != source.size_bytes:
        raise WeightsError(
            f"{source} has {facts.size:,} bytes at {endpoint}; published were "
            f"{source.size_bytes:,}. It was not downloaded. {_ON_PURPOSE}"
        )
    return facts


def _transfer(source: Source, facts: Any, endpoint: str) -> None:
    """Bring a file into the library's cache, going on with what an earlier call left of it.

    The library goes on within a call only, and starts anew in the next.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    folder = repo_folder_name(repo_id=source.repo, repo_type="model")
    place = Path(constants.HF_HUB_CACHE) / folder / "blobs" / facts.etag
    part = place.with_name(f"{place.name}.workbench.incomplete")
    place.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(facts.location).netloc != urlsplit(endpoint).netloc:
        headers.pop("authorization", None)  # The token is for the hub, not for its storage.
    record_path(source).parent.mkdir(parents=True, exist_ok=True)
    with FileLock(record_path(source).with_suffix(".lock")):
        if place.exists():
            return
        with open(part, "ab") as file:
            if facts.size and file.tell() > facts.size:
                file.seek(0)
                file.truncate()
            http_get(facts.location, file, resume_size=file.tell(), headers=headers,
                     expected_size=facts.size, displayed_filename=source.file)  # fmt: skip
        # Large files go by their SHA-256 at the hub.
        if len(facts.etag) == 64 and (digest := _sha256(part)) != facts.etag:
            part.unlink()
            raise WeightsError(
                f"{source} came with the SHA-256 {digest}; the hub states {facts.etag}. It was "
                "removed: call again to download it anew."
            )
        os.replace(part, place)


def _limit() -> float:
    from huggingface_hub import constants

    given = "HF_HUB_ETAG_TIMEOUT" in os.environ
    return float(constants.HF_HUB_ETAG_TIMEOUT) if given else PATIENCE_S


def _refused(source: Source, endpoint: str, error: Any) -> WeightsError:
    """Return what an answer of the hub means."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    code = error.response.status_code
    if isinstance(error, GatedRepoError) or code == 403:
        return WeightsError(
            f"{source} is only for those who were granted access. Ask for it at "
            f"{endpoint}/{source.repo}, run `hf auth login`, and call again."
        )
    if isinstance(error, RepositoryNotFoundError) or code in (401, 404, 410):
        return WeightsError(
            f"The hub at {endpoint} has no {source} (it answered {code}). Pass weights= the path "
            "of a file you have."
        )
    return WeightsError(
        f"The hub at {endpoint} is there but out of order: it answered {code} for {source}. Try "
        f"again later, {_ELSEWHERE}."
    )


def _check(path: Path, source: Source, record: dict[str, Any] | None) -> None:
    """Check size and SHA-256; record them the first time, remove a file that differs."""
    size, digest = path.stat().st_size, _sha256(path)
    if source.size_bytes and size != source.size_bytes:
        _discard(path)
        raise WeightsError(
            f"{source} had {size:,} bytes here; published were {source.size_bytes:,}. The file "
            f"was removed: call again to download it anew. {_ON_PURPOSE}"
        )
    expected, origin = source.sha256, "published"
    if record and digest.startswith(expected or ""):
        expected, origin = record["sha256"], f"recorded in {record_path(source)}"
    if expected and not digest.startswith(expected):
        _discard(path)
        raise WeightsError(
            f"{source} has the SHA-256 {digest} here; {origin} was {expected}"
            f"{'…' if len(expected) < 64 else ''}. The file was removed: call again to download "
            f"it anew. {_ON_PURPOSE}"
        )
    if not record:
        write_json(record_path(source), {
            "repo": source.repo,
            "file": source.file,
            # The cache keeps files under snapshots/<commit>/.
            "revision": path.parents[source.file.count("/")].name,
            "size_bytes": size,
            "sha256": digest,
            "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        })  # fmt: skip


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _discard(path: Path) -> None:
    """Remove a file of the hub's cache: the link by its name and what it points to."""
    while path.is_symlink():
        target = path.parent / os.readlink(path)
        path.unlink()
        path = target
    path.unlink(missing_ok=True)


class _Interruptions(logging.Handler):
    """Takes the library's chatter and ends a download that is interrupted again and again."""

    def __init__(self, source: Source) -> None:
        super().__init__(logging.WARNING)
        self.source = source
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.name.endswith("file_download")
        if self.count > MAX_INTERRUPTIONS:
            raise WeightsError(
                f"The download of {self.source} was interrupted {self.count} times: the hub sends "
                "only part of the file. Call again to go on where it stopped."
            )


@contextlib.contextmanager
def _quiet(source: Source) -> Iterator[None]:
    library = logging.getLogger("huggingface_hub")
    before = library.handlers, library.propagate, library.level
    library.handlers, library.propagate = [_Interruptions(source)], False
    library.setLevel(logging.WARNING)
    try:
        yield
    finally:
        library.handlers, library.propagate = before[:2]
        library.setLevel(before[2])


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


_ELSEWHERE = "or pass weights=<the path of a copy>, or use the shipped 'workbench_tiny'"
_ON_PURPOSE = "To use another version on purpose, pass weights= its path."
