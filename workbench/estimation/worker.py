"""A process of its own that analyses and probes: `python -m workbench.estimation.worker`.

Whatever a probe takes, memory of a device's context included, is gone with it. It reads requests
and writes answers, a line of JSON each, and ends when nobody is there to ask any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from workbench.estimation.analysis import analyse
from workbench.estimation.machine import device_room, machine_rates
from workbench.estimation.probe import probe
from workbench.estimation.problem import Problem
from workbench.training.heap import kept_heap


class Worker:
    """The process as seen by who asks; ends with `close`, or with this process."""

    def __init__(self) -> None:
        # What this process can import the worker can, however it came to be importable.
        paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.estimation.worker", str(torch.get_num_threads())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths}, text=True, start_new_session=True,
        )  # fmt: skip
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> Iterator[dict[str, Any]]:
        """Yield the answers to a request as they come, until it is done.

        Raises:
            TimeoutError: It takes longer.
            RuntimeError: The process failed or died; says why where it could.
        """
        ends = time.monotonic() + timeout_s
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # gone, or closed
            raise RuntimeError("the process has died") from None
        while True:
            try:
                line = self._answers.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no answer within {timeout_s:.0f} s") from None
            answer = json.loads(line or '{"error": "the process has died"}')
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if "done" in answer:
                return
            yield answer

    def close(self) -> None:
        """End the process, whatever it does."""
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                if line.endswith("\n"):  # else cut off by its end
                    self._answers.put(line)
        self._answers.put("")


def serve(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers to one request: `device`, `analyse` or `probe`."""
    device = torch.device(request["device"])
    if request["kind"] == "device":
        rates = machine_rates(device, request["precision"])
        yield {**device_room(device)._asdict(), **rates._asdict()}
        return
    problem = Problem.from_json(request["problem"])
    if request["kind"] == "analyse":
        yield analyse(problem, request["precision"]).to_json()
    else:
        with kept_heap():  # as the training loop does
            yield from (
                reading._asdict() for reading in probe(
                    problem, device, request["precision"], seconds=request["seconds"],
                    free_bytes=request["free_bytes"], direct=request["direct"],
                )
            )  # fmt: skip


def main() -> None:
    """Answer requests until standard input ends, that is, until the asking process has."""
    torch.set_num_threads(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        request = json.loads(requests.get())
        try:
            for answer in serve(request):
                print(json.dumps(answer), file=answers, flush=True)
            done: dict[str, Any] = {"done": True}
        except Exception as error:  # told to who asked
            done = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
