"""Tables of scores for papers: Markdown and LaTeX, each score in percent with its interval."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Source: the ten special characters of LaTeX2e, and the two dashes that we write.
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
    "×": r"$\times$", "±": r"$\pm$",
}  # fmt: skip


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a GitHub-flavoured Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(_cell(str(cell)) for cell in line)} |\n" for line in lines)


def latex(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "",
          notes: Sequence[str] = ()) -> str:
    """Return a `table` for the package booktabs; every cell is escaped."""
    columns = "l" * len(header)
    body = [f"    {' & '.join(escaped(str(cell)) for cell in row)} \\\\" for row in rows]
    lines = [
        r"\begin{table}", r"  \centering", f"  \\begin{{tabular}}{{{columns}}}", r"    \toprule",
        f"    {' & '.join(map(escaped, header))} \\\\", r"    \midrule", *body,
        r"    \bottomrule", r"  \end{tabular}",
    ]  # fmt: skip
    if caption or notes:
        lines.append(f"  \\caption{{{escaped(' '.join([caption, *notes]).strip())}}}")
    return "\n".join([*lines, r"\end{table}", ""])


def escaped(text: str) -> str:
    """Return text with whatever LaTeX takes for a command made harmless."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("\\", "\\\\").replace("|", "\\|")
