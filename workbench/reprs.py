"""How objects show themselves: text and self-contained, escaped HTML without any script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

# currentColor and translucent borders read well in light and dark themes alike.
_TABLE = "border-collapse:collapse;font-size:13px;margin:4px 0"
_HEAD = "text-align:left;padding:3px 10px;border-bottom:1px solid rgba(128,128,128,.6)"
_CELL = "text-align:left;padding:3px 10px;border-bottom:1px solid rgba(128,128,128,.2)"
_NOTE = "opacity:.75;font-size:12px;margin:2px 0"


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table; every cell is escaped."""
    head = "".join(f'<th style="{_HEAD}">{escape(str(cell))}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def html_card(title: str, facts: Mapping[str, object] = {}, *, notes: Iterable[str] = (),
              body: str = "") -> str:
    """Return a titled block of facts and notes (escaped), followed by `body` (HTML as it is)."""
    shown = html_table(("", ""), facts.items()) if facts else ""
    return f"<div><strong>{escape(title)}</strong>{shown}{html_notes(notes)}{body}</div>"


def html_notes(notes: Iterable[str]) -> str:
    """Return small lines below each other; every one is escaped."""
    return "".join(f'<div style="{_NOTE}">{escape(note)}</div>' for note in notes)


def text_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an aligned plain-text table."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def readable_bytes(count: float | None) -> str:
    """Return a size as people say it: `3.4 MB`; `–` where it is unknown."""
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def readable_duration(seconds: float | None) -> str:
    """Return a duration as people say it: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def readable_loss(loss: float | None) -> str:
    """Return a loss in few places: `0.318`, `2.1e+30` of one that diverges; `–` without one."""
    if loss is None:
        return "–"
    return f"{loss:.3f}" if abs(loss) < 1000 else f"{loss:.1e}"


def readable_rate(rate: float | None) -> str:
    """Return a learning rate as people write it: `7e-4`, `2.5e-5`; `–` without one."""
    if rate is None:
        return "–"
    digits, power = f"{rate:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def readable_percent(share: float | None) -> str:
    """Return a share or score in 0..1 as people read it: `83.1 %`; `–` where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def readable_path(path: Path) -> str:
    """Return a path as seen from the working directory, where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def readable_count(count: int) -> str:
    """Return a count as people say it: `3.1 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return str(count)
