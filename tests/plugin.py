"""Which tests run, and whether what was skipped had to be.

`pytest` runs the quick suite. `WORKBENCH_TESTS=all` adds `slow` and `browser`, and then a skip
that this machine could have run fails the session. `WORKBENCH_TESTS=network` (or
`all,network`) adds what needs the internet. An explicit `-m` expression decides alone.

A server, a kernel and a browser together can be late for reasons of the machine: a test of theirs
that fails runs once more, two in a session at most, and the summary shows why it failed at first.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

# Figures never need a screen, and no test may wait for a hub. Set on import: Hugging Face reads
# its variable when a conftest imports it.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# No test fills the user's cache with features, or finds there what another one left.
os.environ.setdefault("WORKBENCH_FEATURES_GB", "0")

# A shell that starts the tests in the background lets them ignore Ctrl-C; some of them press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
ONLY_WHEN_ASKED = {"slow": "all", "browser": "all", "network": "network"}


def asked() -> set[str]:
    """Return the suites that `WORKBENCH_TESTS` names."""
    return {word for word in os.environ.get("WORKBENCH_TESTS", "").split(",") if word}


def has_cuda() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def pytest_configure(config: pytest.Config) -> None:
    unknown = asked() - {"all", "network"}
    if unknown:
        raise pytest.UsageError(f"WORKBENCH_TESTS={','.join(sorted(unknown))}: use all or network")
    config.pluginmanager.register(NeedlessSkips(), "needless-skips")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu and not has_cuda():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason=NeedlessSkips.NO_CUDA))
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
    if config.option.markexpr:
        return
    left_out = [
        item
        for item in items
        if any(
            item.get_closest_marker(mark) and suite not in asked()
            for mark, suite in ONLY_WHEN_ASKED.items()
        )
    ]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


class NeedlessSkips:
    """Fails a `WORKBENCH_TESTS=all` session for every skip that nothing excuses."""

    NO_CUDA = "no CUDA device"
    NO_SHARED = "no folder ../shared beside the repository"
    NO_TERRATORCH = "no TERRATORCH_PYTHON: a Python that has TerraTorch"

    def __init__(self) -> None:
        self.needless: list[str] = []

    def excused(self, reason: str) -> bool:
        return (
            self.NO_CUDA in reason
            or (self.NO_SHARED in reason and not SHARED.is_dir())
            or (self.NO_TERRATORCH in reason and "TERRATORCH_PYTHON" not in os.environ)
        )

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report.nodeid, report.longrepr)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report.nodeid, report.longrepr)

    def _note(self, nodeid: str, longrepr: object) -> None:
        reason = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)
        if "all" in asked() and not self.excused(reason):
            self.needless.append(f"{nodeid}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.needless and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.needless:
            terminalreporter.section("skipped, but this machine could have run it", red=True)
            for line in self.needless:
                terminalreporter.line(line, red=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference material beside the repository, where there is one."""
    if not SHARED.is_dir():
        pytest.skip(NeedlessSkips.NO_SHARED)
    return SHARED
