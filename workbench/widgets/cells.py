"""What stands in a cell goes when the cell is run again."""

from __future__ import annotations

from typing import Protocol

from IPython.core.getipython import get_ipython


class Closable(Protocol):
    """A view that can be taken away."""

    def close(self) -> None:
        """Take it away."""


# A cell, that run of it, and what it shows.
_shown: dict[str, tuple[str, list[Closable]]] = {}


def take_the_place(view: Closable) -> None:
    """Close what an earlier run of the same cell showed; nothing happens outside a notebook."""
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return
    request = kernel.get_parent()
    cell = request.get("metadata", {}).get("cellId")
    if cell is None:
        return
    asked = request["header"]["msg_id"]
    before, shown = _shown.get(cell, (asked, []))
    if before != asked:
        for other in shown:
            other.close()
        shown = []
    _shown[cell] = (asked, [*shown, view])
