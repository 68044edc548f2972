"""Long histories in few rows, made while they grow: each row says what some steps had in common.

A row covers one step at first. Whenever there are twice as many rows as a chart has use for,
neighbours are joined, so a row covers two steps, then four, and so on: at any length there are
between `most` and twice as many. A row keeps the lowest and the highest loss of its steps beside
their mean, so no spike is thinned away; memory keeps its highest value.
"""

from __future__ import annotations

from workbench.events import StepDone

# Columns of a row; `x` is the last step as a number of epochs.
X, LOSS, LOW, HIGH, LR, SPEED, HOST, DEVICE, PEAK = range(9)
Row = list[float | None]


class Thinned:
    """The steps of one run, thinned.

    Attributes:
        rows: One list of numbers a row, `Thinned.COLUMNS` names them; None where unknown.
        generation: Grows whenever rows that stood there before have changed.
    """

    COLUMNS = ("x", "loss", "low", "high", "lr", "speed", "host", "device", "peak")

    def __init__(self, most: int = 300) -> None:
        self._most = most
        self._size = 1  # steps a row
        self._in_last = 0  # steps that the last row holds
        self.rows: list[Row] = []
        self.generation = 0

    @property
    def settled(self) -> int:
        """Return how many rows will not change before neighbours are joined."""
        return len(self.rows) if self._in_last == self._size else max(len(self.rows) - 1, 0)

    def add(self, event: StepDone, x: float) -> None:
        """Take in the next step."""
        loss: float | None = event.loss  # null in the journal where it was not finite
        row: Row = [x, loss, loss, loss, event.lr, event.samples_per_s, event.host_rss_bytes,
                    event.device_memory_bytes, event.device_peak_bytes]
        if self.rows and self._in_last < self._size:
            self.rows[-1] = _joined(self.rows[-1], row, self._in_last, 1)
            self._in_last += 1
            return
        if len(self.rows) >= 2 * self._most:
            self.rows = [_joined(one, other, 1, 1)
                         for one, other in zip(self.rows[::2], self.rows[1::2], strict=True)]
            self._size *= 2
            self.generation += 1
        self.rows.append(row)
        self._in_last = 1


def _joined(one: Row, other: Row, weight: int, others_weight: int) -> Row:
    def mean(column: int) -> float | None:
        a, b = one[column], other[column]
        if a is None or b is None:
            return b if a is None else a
        return (a * weight + b * others_weight) / (weight + others_weight)

    def known(column: int) -> list[float]:
        return [value for row in (one, other) if (value := row[column]) is not None]

    highest = [max(known(column), default=None) for column in (HIGH, HOST, DEVICE, PEAK)]
    return [other[X], mean(LOSS), min(known(LOW), default=None), highest[0], other[LR],
            mean(SPEED), *highest[1:]]
