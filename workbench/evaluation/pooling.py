"""A study as lines of a comparison: each method over all splits, its seeds together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.errors import RunError
from workbench.evaluation.entries import Entry, aligned
from workbench.evaluation.scores import Scores
from workbench.evaluation.scoring import is_scored, read_scores
from workbench.runs import Run
from workbench.runs.studies import Study

Done = dict[tuple[str, str, int], tuple[Run, Scores]]


def study_entries(study: Study) -> tuple[list[Entry], dict[str, str]]:
    """Return a line for each method of a study, and what of it is left out and why.

    Methods are compared on the same chips: on the splits that every method has trained on, with
    those seeds of a method that have all these splits.

    Raises:
        RunError: Nothing has been trained that could be compared.
    """
    done = _done(study)
    methods = [method for method in study.methods if any(key[0] == method for key in done)]
    left_out = {method: "nothing of it is trained and scored"
                for method in study.methods if method not in methods}
    splits = [split for split in study.split_names
              if all(any(key[:2] == (method, split) for key in done) for method in methods)]
    if not methods or not splits:
        whom = "all of its methods are" if methods else "a method is"
        raise RunError(f"Study {study.name!r} has no split on which {whom} trained and scored yet. "
                       "The same wb.study(…) goes on with it.")
    left_out |= {f"split {split}": "not every method is trained on it yet"
                 for split in study.split_names if split not in splits}
    entries: list[Entry] = []
    for method in methods:
        seeds = [seed for seed in study.seeds
                 if all((method, split, seed) in done for split in splits)]
        if not seeds:
            left_out[method] = "no seed of it is trained on all of the splits"
            continue
        trained = [[done[method, split, seed] for split in splits] for seed in seeds]
        scores = [pooled(method, [one for _, one in row]) for row in trained]
        first = entries[0].first if entries else scores[0]
        entries.append(Entry(
            method, tuple(aligned(one, first) for one in scores),
            # Of several splits no single run has predicted all chips.
            tuple(row[0][0] if len(splits) == 1 else None for row in trained),
            tuple(run for row in trained for run, _ in row),
        ))  # fmt: skip
    if not entries:
        raise RunError(f"No method of study {study.name!r} has a seed that is trained on all of "
                       f"{', '.join(splits)}. The same wb.study(…) goes on with it.")
    return entries, left_out


def _done(study: Study) -> Done:
    found = {}
    for method in study.methods:
        for split in study.split_names:
            for cell in study.finals(method, split):
                run = study.run(cell)
                if run is not None and is_scored(run):
                    found[method, split, cell.seed] = run, read_scores(run)
    return found


def pooled(name: str, scores: Sequence[Scores]) -> Scores:
    """Return the scores of models trained on several splits as those of one.

    A chip that several of them predicted counts as often; one that is in the test part of a split
    and held out in another is there twice, once for each part.
    """
    if len(scores) == 1:
        return dataclasses.replace(scores[0], run=name)
    chips = pd.concat([one.chips for one in scores])
    keys = pd.MultiIndex.from_arrays([chips.index, chips["part"]])
    codes, unique = pd.factorize(keys)
    counts = np.zeros((len(unique), *scores[0].counts.shape[1:]), np.int64)
    np.add.at(counts, codes, np.concatenate([one.counts for one in scores]))
    histograms = None
    kept = [one.reliability for one in scores if one.reliability is not None]
    if len(kept) == len(scores):
        histograms = np.zeros((len(unique), *kept[0].shape[1:]))
        np.add.at(histograms, codes, np.concatenate(kept))
    return dataclasses.replace(
        scores[0], run=name, chips=chips[~keys.duplicated()], counts=counts,
        reliability=histograms, watched=any(one.watched for one in scores),
    )  # fmt: skip
