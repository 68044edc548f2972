"""How a study shows itself: a table of its cells, how far it is, how long it still takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.events import EpochDone, Event, StepDone
from workbench.reprs import (
    html_card,
    html_notes,
    html_table,
    readable_bytes,
    readable_duration,
    readable_path,
    text_table,
)
from workbench.runs.cells import Cell
from workbench.runs.run import LIVE

if TYPE_CHECKING:
    from workbench.runs.studies import Study

_MOST_FAILURES = 5


def text(study: Study) -> str:
    """Return the study as lines of text."""
    return "\n".join([_title(study), text_table(*_table(study)), *_notes(study)])


def html(study: Study) -> str:
    """Return the study as a card without any script."""
    return html_card(_title(study), body=html_table(*_table(study)) + html_notes(_notes(study)))


def progress(study: Study) -> str:
    """Return in one line how far a study is: done, time, time left, disk."""
    cells = study.cells()
    done = [cell for cell in cells if study.state(cell) == "finished"]
    words = [f"{len(done)} of {study.size()} trainings done"]
    if spent := sum(_durations(study, done)):
        words.append(f"{readable_duration(spent)} so far")
    if len(done) < study.size():
        left = seconds_left(study)
        words.append("time left not known yet" if left is None
                     else f"about {readable_duration(left)} left")
    words.append(_disk(study))
    return " · ".join(words)


def event_in_words(event: Event | None) -> str:
    """Return what an event adds to a line on what is trained, empty where nothing is."""
    if isinstance(event, (StepDone, EpochDone)) and event.eta_s is not None:
        return f" · epoch {event.epoch + 1}, {readable_duration(event.eta_s)} left"
    return ""


def seconds_left(study: Study) -> float | None:
    """Return how long what is not done takes: as what was done, else as estimated.

    A method of which nothing is known counts like the others; None where nothing is known at all.
    Early stopping makes it shorter.
    """
    known, todo = {}, {}
    for method in study.methods:
        cells = [cell for cell in study.cells() if cell.method == method]
        states = {cell: study.state(cell) for cell in cells}
        seconds = _durations(study, [cell for cell in cells if states[cell] == "finished"])
        estimated = study.estimate().get(method, {}).get("seconds")
        if seconds or estimated is not None:
            known[method] = statistics.fmean(seconds) if seconds else estimated
        ended = sum(state in ("finished", "failed") for state in states.values())
        # Where every trial failed, nothing follows.
        todo[method] = study.size(method) - ended if "failed" not in states.values() or any(
            state != "failed" for state in states.values()) else 0
    if not any(todo.values()):
        return 0.0
    if not known:
        return None
    usual = statistics.fmean(known.values())
    return sum(count * known.get(method, usual) for method, count in todo.items())


def _durations(study: Study, cells: list[Cell]) -> list[float]:
    runs = [study.run(cell) for cell in cells]
    return [seconds for run in runs if run and (seconds := run.duration_s()) is not None]


def _disk(study: Study) -> str:
    now, sizes = readable_bytes(study.disk_bytes()), study.estimate()
    if not sizes:
        return f"{now} on disk"
    # One checkpoint of each training that is scored is kept; the weights of all others go.
    kept = sum(entry["checkpoint_bytes"] * len(study.seeds) * len(study.split_names)
               for entry in sizes.values())
    return f"{now} on disk, about {readable_bytes(kept)} of checkpoints at the end"


def _title(study: Study) -> str:
    counts = [(len(study.methods), "method"), (len(study.split_names), "split"),
              (len(study.seeds), "seed")]
    words = " × ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts)
    searched = any(len(study.trials(method, study.split_names[0])) > 1 for method in study.methods)
    tried = "" if not searched else (
        f"; {study.learning_rates} learning rates tried for each method on each split, by "
        "validation loss")
    return f"Study {study.name!r}: {words}{tried}"


def _table(study: Study) -> tuple[list[str], list[list[str]]]:
    rows = [[method, *(_cell(study, method, split) for split in study.split_names)]
            for method in study.methods]
    return ["method", *study.split_names], rows


def _cell(study: Study, method: str, split: str) -> str:
    trials = study.trials(method, split)
    finals = study.finals(method, split)
    cells = finals or trials
    states = [study.state(cell) for cell in cells]
    done = states.count("finished")
    if finals:
        words = [f"{done} of {len(finals)} seeds" if len(finals) > 1 else "done"]
        if finals[0].learning_rate is not None:
            words.append(f"lr {finals[0].learning_rate:g}")
    elif len(trials) > 1:
        words = [f"{done} of {len(trials)} learning rates"]
    else:
        words = [{"waiting": "waiting", "finished": "trained"}.get(states[0], "")]
    words += [f"{count} {state}" for state in ("failed", "stopped", "killed")
              if (count := states.count(state))]
    words += ["training" for state in states if state in LIVE][:1]
    return " · ".join(filter(None, words))


def _notes(study: Study) -> list[str]:
    notes = [progress(study)]
    failures = list(_failures(study))
    notes += failures[:_MOST_FAILURES]
    if more := len(failures) - _MOST_FAILURES:
        notes += [f"… and {more} more that failed"] if more > 0 else []
    if failures:
        notes.append("What failed stopped nothing else; the same wb.study(…) tries it again.")
    notes.append(f"folder: {readable_path(study.folder)}")
    return notes


def _failures(study: Study) -> Iterator[str]:
    for cell in study.cells():
        if study.state(cell) == "failed" and (run := study.run(cell)):
            yield f"failed: {cell}: {getattr(run.events()[-1], 'error', '')}"
