"""compare: runs side by side on the same chips, with differences that are paired."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import DataError
from workbench.evaluation import differences, export, published, tables
from workbench.evaluation.chipscores import chip_table
from workbench.evaluation.costs import cost_table
from workbench.evaluation.cutting import Cut, cut
from workbench.evaluation.entries import Entry, entries_of
from workbench.evaluation.grouping import AREA, By, column_of, read_areas
from workbench.evaluation.pooling import study_entries
from workbench.evaluation.scores import Scores
from workbench.evaluation.verdicts import sentence
from workbench.reprs import html_card, html_notes, html_table, readable_count, text_table
from workbench.runs import Run
from workbench.runs.studies import Study
from workbench.storage import atomic_file

_MOST_SENTENCES = 15


class Comparison:
    """Runs scored on the same chips.

    `table()` has one row for each place and run, `gap()` one for each run, `differences()` one
    for each place and pair of runs, `verdicts()` says the differences in words, `chips()` has one
    row for each chip.

    Attributes:
        entries: What is compared.
        by: What the rows are, as asked of `compare`.
        left_out: Runs that have no scores, with the reason.
        published: One's own scores and the paper's (`beside="paper"`), else None.
        cut: The same entries cut by the polygons of `by` (`exact=True`), else None.
        study: The study that was compared, else None.
    """

    def __init__(self, entries: Sequence[Entry], by: By,
                 left_out: Mapping[str, str] | None = None,
                 published: pd.DataFrame | None = None, cut: Cut | None = None,
                 study: Study | None = None) -> None:
        self.entries = tuple(entries)
        self.by = by
        self.left_out = dict(left_out or {})
        self.published = published
        self.cut = cut
        self.study = study

    @property
    def runs(self) -> list[str]:
        """Names of what is compared, in order."""
        return [entry.name for entry in self.entries]

    def table(self, by: By | None = None) -> pd.DataFrame:
        """Return the scores of every run at every place, as `Scores.table` has them.

        The totals come first, then the places, those where the runs do worst before the others.

        Args:
            by: As for `Scores.table`; by default what was asked of `compare`.
        """
        by = self.by if by is None else by
        if isinstance(by, str) and by == "class":
            return pd.DataFrame([
                entry.facts() | tables.class_row(entry.seeds, place, index)
                for place in tables.places(self._chips, "part")
                for index in range(len(self.entries[0].first.classes))
                for entry in self.entries
            ])
        entries, column = self._grouped(by)
        places = tables.worst_first([entry.seeds for entry in entries],
                                    tables.places(entries[0].first.chips, column))
        totals = tables.places(self._chips, "part")
        rows = [*((place, self.entries) for place in totals),
                *((place, entries) for place in places if not tables.is_total(place))]
        return pd.DataFrame([entry.facts() | tables.place_row(entry.seeds, place, by)
                             for place, lines in rows for entry in lines])

    def chips(self, score: str = "miou") -> pd.DataFrame:
        """Return the score of every run on every chip, the worst chips first.

        Args:
            score: `miou` (over the classes in the chip), `iou_<class>`, `accuracy`, `f1`,
                `precision` or `recall`.

        Returns:
            One row a chip, indexed by chip id: what is known of the chip (`part`, `region`,
            `cluster`, `date`, …), its labelled `pixels`, a column for each of `comparison.runs`
            (fractions, averaged over seeds, NaN where there is none), `mean` and `spread` (highest
            - lowest) of the runs that are not baselines, and its footprint in EPSG:4326, a
            GeoDataFrame, where that is known. `nlargest(9, "spread")` are the chips on which the
            runs disagree most.

        Raises:
            UnknownNameError: There is no such score.
        """
        return chip_table({entry.name: entry.seeds for entry in self.entries}, score)

    def costs(self) -> pd.DataFrame:
        """Return what each run cost and what it brings, one row for each run.

        `trainable_parameters`, `train_s` (seconds of all epochs, averaged over seeds and splits),
        `memory_bytes` at the peak and `memory_of` (`device`, or `host`: the whole process), and
        mIoU in region and held out. NaN where nothing is trained or no run is at hand.
        """
        return cost_table(self.entries)

    def to_csv(self, path: str | Path) -> None:
        """Write `table()`, whole numbers and fractions as they are, to a file."""
        with atomic_file(Path(path)) as temporary:
            self.table().to_csv(temporary, index=False)

    def to_markdown(self) -> str:
        """Return the comparison as Markdown: runs, then places, then what to mind."""
        tables_ = [export.markdown(*self._shown()), export.markdown(*self._regions())]
        return "\n".join([f"**{self._title()}**\n", *tables_,
                          *(f"- {line}" for line in [*self._sentences(), *self.notes()]), ""])

    def to_latex(self) -> str:
        """Return two LaTeX tables (package booktabs), runs and places, notes in the captions."""
        return "\n".join([
            export.latex(*self._shown(), caption=f"{self._title()}.", notes=[tables.INTERVAL_NOTE]),
            export.latex(*self._regions(), caption=f"mIoU in percent; {self._title()}."),
        ])

    @property
    def _chips(self) -> pd.DataFrame:
        return self.entries[0].first.chips

    def _grouped(self, by: By) -> tuple[tuple[Entry, ...], By]:
        """Return the entries whose rows are grouped, and by what."""
        if self.cut is None or by is not self.by:
            return self.entries, by
        return self.cut.entries, AREA

    def gap(self) -> pd.DataFrame:
        """Return mIoU in region, held out, and the gap between them, one row for each run.

        In region and held out are different places, which are drawn apart; the seeds are the
        same in both.
        """
        rows = []
        for entry in self.entries:
            row = entry.facts()
            columns = {"in_region": entry.pooled("test"), "held_out": entry.pooled("held_out"),
                       "gap": entry.gap}
            for name, value in columns.items():
                row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
            rows.append({**row, "why": entry.gap.why})
        numbers = [f"{name}{end}" for name in columns for end in ("", "_low", "_high")]
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))

    def differences(self, by: By | None = None) -> pd.DataFrame:
        """Return the difference in mIoU of every pair of runs at every place, paired by place.

        Args:
            by: As in `table`, but not `class`. By default what was asked of `compare`; then the
                totals are left out, because they hold the same chips again.

        Returns:
            `difference` (`run` - `other`) with its interval, `p`, `p_holm` corrected for the
            places shown, and `verdict`: `better`, `worse`, `no difference shown`, `no verdict`.
        """
        by = self.by if by is None else by
        if isinstance(by, str) and by == "class":
            by = "region"
        totals = isinstance(by, str) and by == "part"
        entries, column = self._grouped(by)
        places = [place for place in tables.places(entries[0].first.chips, column)
                  if totals or not tables.is_total(place)]
        rows = [row for first, second in itertools.combinations(entries, 2)
                for row in differences.pair(first, second, places)]
        return pd.DataFrame(rows, columns=differences.COLUMNS)

    def verdicts(self, by: By | None = None) -> list[str]:
        """Return the differences as sentences, one for each pair of runs.

        Nothing is called better when the interval of its difference includes 0, or when it is
        not significant once corrected (Holm) for the number of places looked at.
        """
        table = self.differences(by)
        return [sentence(str(first), str(second), rows) for (first, second), rows
                in table.groupby(["run", "other"], sort=False)]

    def report(self, path: str | Path, *, chips: Sequence[str] | None = None) -> Path:
        """Write one self-contained page: scores, verdicts, figures, regions and chips on maps.

        It opens anywhere without a network. What runs answer to the chips shown is kept in their
        folders (`predictions/chips`).

        Args:
            path: Where to write, ending in `.html`.
            chips: Ids of the chips to show; by default one of each region, on which the runs
                differ most. Runs beyond six keep their scores but get no layers.

        Returns:
            The path.

        Raises:
            DataError: The path is no page's, or a chip cannot be read.
            UnknownNameError: There is no such chip; names the nearest.
        """
        # By name, as a plug-in is: a page takes plots, which lie above the scores.
        page = importlib.import_module("workbench.reporting.comparison")
        return page.write(self, path, chips=chips)

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        header = ["run", "parameters trained", "in region: mIoU %", "held out: mIoU %",
                  "gap: points"]
        if any(len(entry.seeds) > 1 for entry in self.entries):
            header.insert(1, "seeds")
        rows = [[entry.shown, *([str(len(entry.seeds))] if "seeds" in header else []),
                 _parameters(entry.first.trainable_parameters),
                 f"{entry.pooled('test')}", f"{entry.pooled('held_out')}", f"{entry.gap}"]
                for entry in self.entries]
        return header, rows

    def _regions(self) -> tuple[list[str], list[list[str]]]:
        table = tables.formatted(self.table())
        score = "iou" if isinstance(self.by, str) and self.by == "class" else "miou"
        rows = []
        column = column_of(self.by)
        for (part, place), group in table.groupby(["part", column], sort=False):
            if place != part:
                rows.append([str(place), str(part), str(group["clusters"].iloc[0]), *group[score]])
        return [column, "part", "clusters", *self.runs], rows

    def _title(self) -> str:
        first = self.entries[0].first
        runs = "1 run" if len(self.entries) == 1 else f"{len(self.entries)} runs"
        return f"{runs} on {first.dataset}{tables.simulated_note(first.simulated)}"

    def notes(self) -> list[str]:
        """Return what to mind about the scores: intervals, seeds, watched regions, baselines."""
        notes = [f"Left out: {name} ({why})." for name, why in self.left_out.items()]
        notes.append(tables.INTERVAL_NOTE)
        notes += [] if self.cut is None else self.cut.notes
        for part, label in tables.PARTS.items():
            if why := tables.sums(self.entries[0].seeds, tables.pooled(self._chips, part)).why:
                notes.append(f"{label}: {why}")
        if any(len(entry.seeds) == 1 and not entry.first.baseline for entry in self.entries):
            notes.append("Runs trained with one seed: intervals cover places, not the luck of "
                         "training. Fit the recipe with other seeds too: recipe.but(seed=1).")
        watched = [entry.name for entry in self.entries if any(one.watched for one in entry.seeds)]
        if watched:
            notes.append(f"Held-out regions were watched while {', '.join(watched)} trained: what "
                         "was decided after a look at them makes their scores too good.")
        if not any(entry.first.baseline for entry in self.entries):
            notes.append("No baseline is among these runs: fit wb.baselines(dataset) beside them.")
        return notes

    def _paper_notes(self) -> list[str]:
        first = self.entries[0].first
        assert self.published is not None
        notes = [f"{self.published.attrs['source'].get('scores', 'the PEFT paper')}; here the "
                 "brackets are intervals over places."]
        if first.simulated:
            notes.append(f"The paper's scores are of real images, those on {first.dataset} of "
                         "simulated ones: the order of methods can be laid beside each other, the "
                         "numbers cannot.")
        return notes

    def _sentences(self) -> list[str]:
        said = self.verdicts("part")
        more = len(said) - _MOST_SENTENCES
        return said if more <= 0 else [
            *said[:_MOST_SENTENCES], f"… and {more} more pairs: comparison.verdicts()"]

    def __repr__(self) -> str:
        _, regions = shown = self._regions()
        blocks = [self._title(), text_table(*self._shown()), *self._sentences(),
                  *([text_table(*shown)] if regions else []), *self.notes()]
        if self.published is not None:
            blocks += ["Beside the paper's:", text_table(*published.shown(self.published)),
                       *self._paper_notes()]
        return "\n".join(blocks)

    def _repr_html_(self) -> str:
        _, regions = shown = self._regions()
        blocks = [html_table(*self._shown()), html_notes(self._sentences()),
                  html_table(*shown) if regions else "", html_notes(self.notes())]
        if self.published is not None:
            blocks += [html_notes(["Beside the paper's:"]),
                       html_table(*published.shown(self.published)),
                       html_notes(self._paper_notes())]
        return html_card(self._title(), body="".join(blocks))


def compare(runs: Study | Iterable[Run | Scores] | Run | Scores, by: By = "region", *,
            exact: bool = False, beside: str | None = None) -> Comparison:
    """Compare runs by their stored scores; nothing is predicted again, except for `exact`.

    Runs that share everything but the seed become one line, whose interval covers the seeds too.
    Runs without scores are left out, and the comparison says so.

    Args:
        runs: Evaluated runs (`wb.fit` evaluates them), scores from `wb.evaluate`, or a study, whose
            methods are compared over all its splits.
        by: What the rows are: `region`, `part`, `class`, `cluster`, `date`, `month`, any column of
            the chips, or polygons, a GeoDataFrame or the path of their file; see `Scores.table`.
        exact: Cut chips at the borders of the polygons: each has the pixels whose centres it
            holds, and overlapping ones share them, instead of the chips whose middle it holds.
            Intervals are drawn from clusters of chips all the same. Chips that a border crosses
            are predicted once more, and the answers kept in the runs' folders.
        beside: "paper" lays the PEFT paper's table for the same dataset beside one's own,
            "paper:burn_scars" that of another one.

    Raises:
        RunError: No run has scores, or there are no runs; scores alone have no pixels to cut.
        SplitError: The runs were scored on other chips, labels or classes, and cannot be compared.
        UnknownNameError: There is nothing to group by that name.
        DataError: `exact` without polygons, or a file that holds none.
        GridError: The polygons have no CRS.
    """
    if isinstance(runs, Study):
        entries, left_out = study_entries(runs)
    else:
        entries, left_out = entries_of(_listed(runs))
    by = read_areas(by)
    pieces = None
    if exact:
        if isinstance(by, str):
            raise DataError(f"exact=True cuts chips by polygons, and by={by!r} groups whole chips. "
                            "Pass polygons, by=geopandas.read_file(…), or leave exact out.")
        pieces = cut(entries, by)
    elif not (isinstance(by, str) and by == "class"):
        tables.places(entries[0].first.chips, by)
    table = None
    if beside is not None:
        dataset = published.paper_dataset(beside, entries[0].first.dataset)
        table = published.beside_paper(entries, dataset)
    study = runs if isinstance(runs, Study) else None
    return Comparison(entries, by, left_out, table, pieces, study)


def _listed(runs: Any) -> list[Run | Scores]:
    return list(runs) if isinstance(runs, Iterable) and not isinstance(runs, str) else [runs]


def _parameters(count: int | None) -> str:
    return "–" if count is None else readable_count(count)
