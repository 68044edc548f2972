"""What a training will cost, told beside the form that makes its recipe."""

from __future__ import annotations

import threading
from html import escape

import ipywidgets as widgets

from workbench.data import Split
from workbench.estimation import Estimate, Estimator
from workbench.recipe import AnyRecipe
from workbench.reprs import readable_bytes, readable_count, readable_duration
from workbench.widgets.fields import help_html, problem_html
from workbench.widgets.latest import Latest
from workbench.widgets.telling import telling

# The process that tries steps takes some memory: nobody who stops turning knobs pays for it.
_IDLE_S = 60.0
_BASIS = {"measured": "measured in real steps", "scaled": "from real steps with fewer chips",
          "analytical": "rough, from its operations alone"}  # fmt: skip


class Costs:
    """Parameters, memory and time of a recipe on a split: roughly at once, then measured.

    Attributes:
        value: The newest estimate, None before the first.
        box: The widget to show.
    """

    def __init__(self, split: Split) -> None:
        self._split = split
        self._estimator: Estimator | None = None
        self._idle: threading.Timer | None = None
        self._lock = threading.Lock()
        self._closing = False
        self._latest = Latest(self._work, pause_s=0.6)
        self._wanted: AnyRecipe | None = None
        self.value: Estimate | None = None
        self.box = widgets.HTML()
        self.box.add_class("wb-costs-box")

    def ask(self, recipe: AnyRecipe) -> None:
        """Tell what another recipe costs, as soon as it is known."""
        self._wanted, self._closing = recipe, False
        self.box.value = costs_html(self.value, "estimating memory and time…", stale=True)
        self._latest.ask(recipe)

    def wait(self) -> None:
        """Return when everything asked for is told."""
        self._latest.wait()

    def close(self) -> None:
        """End the process in which steps are tried; what is under way is told before."""
        self._closing = True
        self._rest()

    def _rest(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                if self._estimator is not None:
                    self._estimator.close()
            finally:
                self._lock.release()

    def _fail(self, message: str) -> None:
        self.value = None
        self.box.value = problem_html(message)

    def _work(self, recipe: AnyRecipe) -> None:
        if self._idle is not None:
            self._idle.cancel()
        with telling(self._fail), self._lock:
            self._tell(recipe)
        if self._closing:  # asked for meanwhile: whoever holds the lock last ends it
            self.close()
        self._idle = threading.Timer(_IDLE_S, self._rest)
        self._idle.daemon = True
        self._idle.start()

    def _tell(self, recipe: AnyRecipe) -> None:
        if self._estimator is None:
            self._estimator = Estimator(self._split)
        self.value = self._estimator.quick(recipe)
        self.box.value = costs_html(self.value, "measuring…")
        if recipe is self._wanted and not self._closing:
            self.value = self._estimator.estimate(recipe)
            self.box.value = costs_html(self.value)


def costs_html(estimate: Estimate | None, pending: str = "", *, stale: bool = False) -> str:
    """Return parameters, memory and time side by side, with what to do where memory lacks.

    Args:
        estimate: What is known.
        pending: What is being done about it.
        stale: Whether it is of another recipe.
    """
    if estimate is None or estimate.memory is None or estimate.times is None:
        return f'<div class="wb-costs-said">{escape(pending)}</div>' if pending else ""
    memory, times, room = estimate.memory, estimate.times, estimate.room
    epochs = getattr(estimate.recipe, "epochs", 1)
    tiles = (
        ("trains", readable_count(estimate.trainable),
         f"of {readable_count(estimate.total)} parameters"),
        ("memory", readable_bytes(memory.total),
         f"at the peak; {readable_bytes(room.free)} are free"),
        ("time", readable_duration(times.total_s),
         f"at most: {epochs} × {readable_duration(times.epoch_s)}"),
        ("on disk", readable_bytes(estimate.checkpoint_bytes),
         f"of which adapter {readable_bytes(estimate.adapter_bytes)}"),
    )  # fmt: skip
    boxes = "".join(
        f'<div class="wb-cost"><span>{name}</span><b>{escape(figure)}</b>'
        f"<small>{escape(said)}</small></div>" for name, figure, said in tiles
    )  # fmt: skip
    words = pending or f"on {estimate.device}, {_BASIS[memory.basis]}"
    lines = [f'<div class="wb-costs-said">{escape(words)}</div>']
    if not estimate.fits:
        lines.append(problem_html(_too_large(estimate)))
    if not pending:
        lines += [help_html(hint) for hint in estimate.hints]
    look = "wb-costs wb-stale" if stale else "wb-costs"
    return f'<div class="{look}">{boxes}</div>{"".join(lines)}'


def _too_large(estimate: Estimate) -> str:
    ways = "; ".join(f"{remedy.what} ({readable_bytes(remedy.memory.total)})"
                     for remedy in estimate.remedies[:3])  # fmt: skip
    return f"It does not fit into memory.{f' What needs less: {ways}.' if ways else ''}"
