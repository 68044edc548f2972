"""From an asset's href to the files behind it: plain URLs, Google Cloud buckets, the hub."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from workbench.catalog.collection import Asset
from workbench.catalog.fetching.transfer import Session
from workbench.errors import DownloadError


@dataclass(frozen=True)
class Remote:
    """One file to fetch.

    Attributes:
        url: Where it lies.
        path: Where it goes, below the root, with slashes.
        size_bytes: As stated by the catalogue or by the bucket's list.
        checksum: `sha256:…` or `md5:…`, as stated; None where nobody does.
    """

    url: str
    path: str
    size_bytes: int | None
    checksum: str | None


def remotes(asset: Asset, session: Session) -> list[Remote]:
    """Return the files of an asset; asks the bucket for its list where the href is a prefix.

    Raises:
        DownloadError: The href is of no known kind, or nothing lies below the prefix.
    """
    if asset.href.startswith("gs://"):
        return list(_bucket(asset, session))
    if asset.href.endswith("/"):
        raise DownloadError(
            f"{asset.title}: {asset.href} stands for a folder, but only gs:// buckets tell what "
            "is in one. Name the files one by one."
        )
    return [Remote(_url(asset.href), asset.path, asset.size_bytes, asset.checksum)]


def _url(href: str) -> str:
    scheme, _, rest = href.partition("://")
    if scheme in ("http", "https"):
        return href
    if scheme == "hf" and rest.startswith("datasets/") and rest.count("/") >= 3:
        _, owner, name, path = rest.split("/", 3)
        name, _, revision = name.partition("@")
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return f"{endpoint}/datasets/{owner}/{name}/resolve/{revision or 'main'}/{quote(path)}"
    raise DownloadError(
        f"{href} cannot be downloaded from: expected https://…, gs://bucket/… or "
        "hf://datasets/owner/name@revision/file."
    )


def _bucket(asset: Asset, session: Session) -> Iterator[Remote]:
    """List a prefix by the JSON API; it states the size and the MD5 of each file.

    Source: Google Cloud Storage, JSON API, Objects: list. `STORAGE_EMULATOR_HOST` is the name
    that Google's own clients take another server from.
    """
    bucket, _, prefix = asset.href.removeprefix("gs://").partition("/")
    host = os.environ.get("STORAGE_EMULATOR_HOST", "https://storage.googleapis.com").rstrip("/")
    token, found = "", False
    while True:
        page = session.json(f"{host}/storage/v1/b/{bucket}/o", {
            "prefix": prefix, "pageToken": token,
            "fields": "items(name,size,md5Hash),nextPageToken",
        })  # fmt: skip
        for entry in page.get("items", []):
            name = entry["name"]
            if name.endswith("/"):  # a folder's placeholder
                continue
            found = True
            below = name.removeprefix(prefix).lstrip("/")
            yield Remote(
                url=f"{host}/{bucket}/{quote(name)}",
                path=str(PurePosixPath(asset.path, below)) if below else asset.path,
                size_bytes=int(entry["size"]),
                checksum=_md5(entry.get("md5Hash")),
            )
        token = page.get("nextPageToken", "")
        if not token:
            break
    if not found:
        raise DownloadError(f"{asset.title}: there is nothing at {asset.href}.")


def _md5(encoded: str | None) -> str | None:
    return None if encoded is None else f"md5:{base64.b64decode(encoded).hex()}"
