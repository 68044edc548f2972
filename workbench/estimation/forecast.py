"""What trainings on one split and device cost: asked of a process of its own, each thing once."""

from __future__ import annotations

from typing import Any, Self

import torch

from workbench.data import Split
from workbench.estimation import costs
from workbench.estimation.analysis import Analysis, Work, analyse
from workbench.estimation.costs import Basis, Memory, Pace, Probed
from workbench.estimation.machine import Rates, Room, device_room
from workbench.estimation.probe import Reading
from workbench.estimation.problem import Problem
from workbench.estimation.worker import Worker
from workbench.recipe import Recipe
from workbench.training.loader import fits_in_memory
from workbench.training.precision import Precision, resolve_precision

# A probe that takes longer is given up; what was analysed or read until then stands.
PROBE_S = 20.0
# Starting Python and following the operations of a large network, on a busy machine too.
_PATIENCE_S = 120.0
# Batches that stand ready on the host while one is computed.
_AHEAD = 2
# Of the free memory, what a training may plan with: others use some, too.
_USABLE = 0.9
# A probe takes the whole batch at once where so many times its predicted cost could be afforded.
_WARY = 2.5
# Where nothing was measured only ratios of times are told, and any usual machine will do.
_USUAL = Rates(flops=100e9, bandwidth=20e9)


class Forecast:
    """Answers for recipes on one split and one device; close it, and its process is gone.

    Where the process fails or is late, operations are followed here and nothing is probed.
    """

    def __init__(self, split: Split, device: torch.device) -> None:
        self.split = split
        self.device = device
        self.rates: Rates | None = None
        self._analyses: dict[str, Analysis] = {}
        self._probed: tuple[str, Probed] | None = None
        self._worker = Worker()
        self.room = self._look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def fits(self, memory: Memory) -> bool:
        """Return whether a training finds its memory."""
        return memory.total <= _USABLE * self.room.free

    def analysis(self, recipe: Recipe) -> Analysis:
        """Return what one of the recipe's steps is."""
        key = repr(recipe)
        if key not in self._analyses:
            request = self._request("analyse", recipe)
            try:
                (answer,) = self._worker.ask(request, _PATIENCE_S)
                self._analyses[key] = Analysis.from_json(answer)
            except (RuntimeError, TimeoutError):
                problem = Problem.of(recipe, self.split)
                self._analyses[key] = analyse(problem, self._precision(recipe))
        return self._analyses[key]

    def probe(self, recipe: Recipe) -> None:
        """Take real steps; what is said later, of this recipe and of others, builds on them."""
        readings = []
        free, asked = int(_USABLE * self.room.free), self.analysis(recipe)
        direct = (_WARY * asked.peak.rise < free
                  and _WARY * 3 * self._seconds(asked.step) < PROBE_S)  # fmt: skip
        request = self._request("probe", recipe, seconds=PROBE_S, free_bytes=free, direct=direct)
        try:
            for answer in self._worker.ask(request, PROBE_S):
                readings.append(Reading(**answer))
        except (RuntimeError, TimeoutError):
            self._worker.close()
            self._worker = Worker()
        if readings:
            last = readings[-1]
            analysis = self.analysis(recipe.but(batch_size=last.batch_size))
            self._probed = _but_for_size(recipe), Probed(last, analysis)

    def memory(self, recipe: Recipe) -> Memory:
        """Return what training needs."""
        share, basis = self._workspace(recipe)
        analysis = self.analysis(recipe)
        return costs.memory(analysis, share, self._chips(recipe), basis)

    def pace(self, recipe: Recipe) -> Pace:
        """Return how long a step takes."""
        asked = self.analysis(recipe)
        probed = self._probed_of(recipe)
        if probed is None:
            encoding, decoding = self._seconds(asked.encoding), self._seconds(asked.decoding)
            return Pace(self._seconds(asked.step), encoding + decoding, encoding, "analytical")
        last = probed.reading
        scale = self._seconds(asked.step) / self._seconds(probed.analysis.step)
        basis: Basis = "measured" if last.batch_size == recipe.batch_size else "scaled"
        return Pace(scale * last.step_s, scale * last.forward_s, scale * last.features_s, basis)

    def slower(self, recipe: Recipe, than: Recipe) -> float:
        """Return how many times as long an epoch takes, by its operations alone."""
        ours, theirs = (
            self._seconds(self.analysis(entry).step) / (entry.accumulate * entry.chips_at_once)
            for entry in (recipe, than)
        )
        return ours / theirs

    def _workspace(self, recipe: Recipe) -> tuple[float, Basis]:
        if probed := self._probed_of(recipe):
            same = probed.reading.batch_size == recipe.batch_size
            return probed.workspace, "measured" if same else "scaled"
        if self._probed is not None:
            return self._probed[1].workspace, "analytical"
        return (costs.CPU_WORKSPACE if self.device.type == "cpu" else 0.0), "analytical"

    def _probed_of(self, recipe: Recipe) -> Probed | None:
        if self._probed is None or self._probed[0] != _but_for_size(recipe):
            return None
        return self._probed[1]

    def _chips(self, recipe: Recipe) -> int:
        """Return what chips take on the host, 0 where that is not the device."""
        if self.device.type == "cuda":
            return 0
        parts = [part if recipe.bands is None else part.with_bands(recipe.bands)
                 for part in (self.split.train, self.split.val)]
        rows, columns = self.split.dataset.info.chip_shape
        pixel = 4 * len(parts[0].bands) * parts[0].num_frames
        kept = sum(map(len, parts)) * (pixel + 2) if fits_in_memory(*parts) else 0
        return rows * columns * (kept + _AHEAD * recipe.chips_at_once * (pixel + 8))

    def _seconds(self, work: Work) -> float:
        rates = self.rates or _USUAL
        return work.flops / rates.flops + work.moved / rates.bandwidth

    def _look(self) -> Room:
        request = {"kind": "device", "device": str(self.device), "precision": "fp32"}
        try:
            (answer,) = self._worker.ask(request, _PATIENCE_S)
        except (RuntimeError, TimeoutError):
            return device_room(self.device)
        self.rates = Rates(answer["flops"], answer["bandwidth"])
        return Room(answer["capacity"], answer["free"])

    def _request(self, kind: str, recipe: Recipe, **facts: Any) -> dict[str, Any]:
        return {
            "kind": kind, "device": str(self.device), "precision": self._precision(recipe),
            "problem": Problem.of(recipe, self.split).to_json(), **facts,
        }  # fmt: skip

    def _precision(self, recipe: Recipe) -> Precision:
        return resolve_precision(recipe.precision, self.device)


def _but_for_size(recipe: Recipe) -> str:
    return repr(recipe.but(batch_size=1, accumulate=1))
