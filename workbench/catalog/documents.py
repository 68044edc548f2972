"""JSON documents of a catalogue, on disk or on a server, and the links between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from workbench.storage import read_json

# Pages of items or collections that are asked for; a server that names ever new ones is left.
_PAGES = 1000


def remote(href: str) -> bool:
    """Return whether a document lies on a server."""
    return href.startswith(("http://", "https://"))


def read(href: str) -> Any:
    """Return a document.

    Raises:
        WorkbenchError: It is no JSON.
        DownloadError: Its server cannot be reached, refuses, or does not answer in JSON.
    """
    if not remote(href):
        return read_json(Path(href))
    from workbench.catalog.fetching.transfer import Session

    with Session() as http:
        return http.json(href, {})


def linked(document: Mapping[str, Any], href: str, relation: str) -> list[str]:
    """Return where the links of one relation lead, from a document that lies at `href`."""
    return [_joined(href, str(link["href"])) for link in document.get("links", ())
            if link.get("rel") == relation]


def pages(href: str) -> Iterator[tuple[str, Any]]:
    """Yield a document and what its `next` links lead to, each with its place."""
    for _ in range(_PAGES):
        page = read(href)
        yield href, page
        following = linked(page, href, "next")
        if not following:
            return
        href = following[0]


def _joined(base: str, href: str) -> str:
    if remote(href):
        return href
    return urljoin(base, href) if remote(base) else str(Path(base).parent / href)
