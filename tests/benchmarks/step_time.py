"""Time and memory of a training step, side by side with TerraTorch.

    python tests/benchmarks/step_time.py --peer ~/terratorch/bin/python [--only lora] [--repeats 5]

The peer's interpreter is one of an environment of its own, Python 3.12 with
`pip install "terratorch[peft]==1.2.13"`; without it only our own figures are printed. Prithvi 100M
with random weights and the U-Net decoder, AdamW, batch 4 of 6 × 224 × 224, like with like: the same
dropout and precision on both sides. The last columns are ours with its own defaults where they
differ (LoRA has no dropout) and in bf16 where the processor computes it.

Every model is in a fresh process; the processes take turns, step by step, so that other load
disturbs all alike, and of each the fastest step counts. On a busy machine believe the processor
seconds, with --threads 1 and OMP_WAIT_POLICY=PASSIVE. Memory is the rise of the peak resident set
above the built model. fp32 is what each side makes of it: TerraTorch permits torch "medium"
float32 products as it is imported, we permit them on processors where they stay exact. The peer's
ViT-Adapter needs a CUDA extension; here it runs on the PyTorch core that TerraTorch ships beside
it. Linux only (it reads /proc).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

WORKER = Path(__file__).with_name("step_worker.py")
MEGABYTE = 1e6


@dataclass(frozen=True)
class Case:
    """What a worker builds."""

    method: str
    dropout: float = 0.0
    bf16: bool = False
    peer: bool = False
    threads: int = 2
    system_heap: bool = False


# The goals are ratios of time and memory to the peer's; None where none was set.
CASES = {
    "full": (Case("full"), 1.05, None),
    "frozen": (Case("linear_probe"), None, None),
    "lora": (Case("lora", dropout=0.1), 1.0, 0.85),
    "lora bf16": (Case("lora", dropout=0.1, bf16=True), 0.8, None),
    "vpt": (Case("vpt", dropout=0.1), 1.05, None),
    "vit_adapter": (Case("vit_adapter"), 0.8, None),
}


class Worker:
    """A process with a model in it; a context, at whose end the process is gone."""

    def __init__(self, python: str, case: Case) -> None:
        # Hash seeds and the like are inherited; offline, because nothing is to be fetched.
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        environment.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(
            [python, str(WORKER), json.dumps(asdict(case))], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.steps: list[dict[str, Any]] = []
        self.facts = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"A worker ended early; run it alone to see why: {self._process.args}")
        return json.loads(line)

    def step(self) -> None:
        """Train one step and keep what it took."""
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        self.steps.append(self._answer())

    def best(self, entry: str, warmup: int) -> float:
        """Return the smallest value after the warm-up."""
        return min(step[entry] for step in self.steps[warmup:])

    @property
    def peak_bytes(self) -> float:
        """The rise over all steps, warm-up included: that is where the optimiser's state comes."""
        return self.steps[-1]["rise_bytes"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def own_defaults(case: Case, *, bf16: bool) -> Case:
    """Return a case as this package trains it unless told otherwise, in bf16 where that is fast."""
    return replace(case, dropout=0.0 if case.method == "lora" else case.dropout, bf16=bf16)


def computes_bf16() -> bool:
    flags = Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def measure(name: str, given: argparse.Namespace) -> None:
    """Print the row of a case."""
    case, time_goal, memory_goal = CASES[name]
    case = replace(case, threads=given.threads, system_heap=given.system_heap)
    ours = Worker(sys.executable, case)
    best = Worker(sys.executable, own_defaults(case, bf16=computes_bf16()))
    peer = Worker(given.peer, replace(case, peer=True)) if given.peer else None
    workers = [worker for worker in (peer, ours, best) if worker]
    if peer and peer.facts["trainable"] != ours.facts["trainable"]:
        print(f"{name}: trainable parameters differ: {peer.facts} and {ours.facts}")
    for _ in range(given.warmup + given.repeats):
        for worker in workers:
            worker.step()
    for worker in workers:
        worker.__exit__()

    def took(worker: Worker) -> str:
        wall, cpu = (worker.best(entry, given.warmup) for entry in ("wall_s", "cpu_s"))
        return f"{wall:5.2f} s {cpu:5.2f} {worker.peak_bytes / MEGABYTE:6.0f} MB"

    def against(worker: Worker) -> str:
        if peer is None:
            return ""
        wall, cpu = (worker.best(entry, given.warmup) / peer.best(entry, given.warmup)
                     for entry in ("wall_s", "cpu_s"))  # fmt: skip
        return f"{wall:5.2f}× {cpu:5.2f}× {worker.peak_bytes / peer.peak_bytes:5.2f}×"

    goals = " ".join(f"≤ {goal}" if goal else "–" for goal in (time_goal, memory_goal))
    print(f"{name:12} | {took(peer) if peer else 'not installed':22} | {took(ours)} | "
          f"{against(ours)} | {goals:13} | {took(best)} | {against(best)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=os.environ.get("TERRATORCH_PYTHON"),
                        help="Python with TerraTorch; by default $TERRATORCH_PYTHON.")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--system-heap", action="store_true",
                        help="Give freed memory back at every step, as our loop would without "
                        "kept_heap.")
    given = parser.parse_args()
    if not given.peer:
        print("TerraTorch: peer not installed (--peer PYTHON, or TERRATORCH_PYTHON); ours alone.")
    print("seconds on the clock, processor seconds, peak memory over the built model; ratios of "
          "the three")
    print(f"{'method':12} | {'TerraTorch':22} | {'ours, like with like':22} | "
          f"{'ratios':20} | {'goals':13} | {'ours, defaults, bf16':22} | ratios")
    for name in given.only:
        measure(name, given)


if __name__ == "__main__":
    main()
