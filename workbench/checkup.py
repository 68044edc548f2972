"""The doctor: is everything here that the workbench needs, and what to do where it is not."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.errors import INSTALL_LAB
from workbench.reprs import html_card, html_table, readable_bytes, text_table
from workbench.storage import cache_dir, features_dir

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Level = Literal["ok", "note", "problem"]

# The demo's runs and data take 0.3 GB; one large backbone from the hub takes 1 to 3 GB.
LITTLE_SPACE_BYTES = 1e9
AMPLE_SPACE_BYTES = 5e9
# JupyterLab, a kernel and a small model together.
AMPLE_MEMORY_BYTES = 3e9
HUB = "https://huggingface.co"
LAB_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "jupyter-leaflet": "jupyter_leaflet",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, worth a `note`, or a `problem`, with what to do about it."""

    level: Level
    what: str
    found: str
    advice: str = ""


@dataclasses.dataclass(frozen=True)
class Checkup:
    """What the doctor found; shows itself as a table."""

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What keeps the workbench from working."""
        return tuple(finding for finding in self.findings if finding.level == "problem")

    @property
    def verdict(self) -> str:
        """One line: `no problems, 2 notes`."""
        notes = sum(finding.level == "note" for finding in self.findings)
        return f"{_counted(len(self.problems), 'problem')}, {_counted(notes, 'note')}"

    def __repr__(self) -> str:
        rows = [(f.level, f.what, f.found) for f in self.findings]
        lines = text_table(rows[0], rows[1:]).split("\n")
        indent = " " * (max(len(row[0]) for row in rows) + 2)
        shown = [
            line + (f"\n{indent}→ {finding.advice}" if finding.advice else "")
            for line, finding in zip(lines, self.findings, strict=True)
        ]
        return "\n".join((*shown, self.verdict))

    def _repr_html_(self) -> str:
        rows = ((f.level, f.what, f.found, f.advice) for f in self.findings)
        return html_card(
            "Doctor", notes=[self.verdict], body=html_table(("", "", "found", "what to do"), rows)
        )


def doctor(*, timeout_s: float = 3) -> Checkup:
    """Look at Python, packages, accelerator, memory, disk, caches, hub and Jupyter.

    Args:
        timeout_s: How long to wait for the hub. Being offline is a note, never a problem.
    """
    looks = (_python, _packages, _torch, _memory, _disk, _caches, lambda: _hub(timeout_s), _jupyter)
    return Checkup(tuple(finding for look in looks for finding in look()))


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _python() -> Iterator[Finding]:
    version, system = platform.python_version(), platform.platform(terse=True)
    yield Finding("ok", "Python", f"{version} on {system} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    """Compare what is installed with what our own metadata ask for."""
    from packaging.requirements import Requirement

    try:
        version = importlib.metadata.version("workbench")
        wanted = [Requirement(line) for line in importlib.metadata.requires("workbench") or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "note", "workbench", f"run from {Path(__file__).parent} without being installed",
            'Install it: pip install -e ".[lab]"',
        )  # fmt: skip
        return
    yield Finding("ok", "workbench", f"{version} ({Path(__file__).parent})")
    core = [entry for entry in wanted if _applies(entry, "")]
    lab = [entry for entry in wanted if entry not in core and _applies(entry, "lab")]
    if wrong := _misfits(core):
        cure = " ".join(f"'{entry.name}{entry.specifier}'" for entry in wrong)
        yield Finding("problem", "packages", ", ".join(wrong.values()), f"pip install {cure}")
    else:
        yield Finding("ok", "packages", _versions("torch", "peft", "numpy", "xarray", "rasterio"))
    if wrong := _misfits(lab):
        yield Finding(
            "note", "extra [lab]", ", ".join(wrong.values()),
            f"For notebooks and maps: {INSTALL_LAB}.",
        )  # fmt: skip
    else:
        yield Finding("ok", "extra [lab]", _versions("jupyterlab", "ipywidgets", "leafmap"))


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _versions(*names: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _misfits(requirements: list[Requirement]) -> dict[Requirement, str]:
    """Return what is missing or outside its range, with what was found instead."""
    wrong = {}
    for wanted in requirements:
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong[wanted] = f"{wanted.name} is missing"
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            wrong[wanted] = f"{wanted.name} is {version}, not {wanted.specifier}"
    return wrong


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(
            "problem", "torch", f"cannot be imported: {error}",
            "Install it as pytorch.org says for this machine, then run the doctor again.",
        )  # fmt: skip
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            memory = readable_bytes(facts.total_memory)
            yield Finding("ok", f"cuda:{index}", f"{facts.name}, {memory}")
    elif torch.backends.mps.is_available():
        yield Finding("ok", "mps", "Apple GPU, shares the machine's memory")
    else:
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
        yield Finding(
            "note", "accelerator", f"none ({built}); {torch.get_num_threads()} threads",
            "Enough for the demo and small backbones; a backbone of 300 M parameters wants a GPU.",
        )  # fmt: skip


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{readable_bytes(memory.available)} of {readable_bytes(memory.total)} free"
    if memory.available < AMPLE_MEMORY_BYTES:
        yield Finding("note", "memory", found, "Close other kernels, or use small batches.")
    else:
        yield Finding("ok", "memory", found)


def _disk() -> Iterator[Finding]:
    for what, folder in (("current folder", Path.cwd()), ("cache", cache_dir())):
        there = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(there).free
        found = f"{readable_bytes(free)} free at {folder}"
        move = "Work in another folder" if what != "cache" else "Set WORKBENCH_CACHE to another one"
        if not os.access(there, os.W_OK):
            yield Finding("problem", f"disk: {what}", f"{there} cannot be written to", f"{move}.")
        elif free < LITTLE_SPACE_BYTES:
            yield Finding("problem", f"disk: {what}", found, f"{move}, or free some space.")
        elif free < AMPLE_SPACE_BYTES:
            advice = "Enough for the demo; large backbones take 1 to 3 GB each."
            yield Finding("note", f"disk: {what}", found, advice)
        else:
            yield Finding("ok", f"disk: {what}", found)


def _caches() -> Iterator[Finding]:
    from huggingface_hub import constants

    hub = Path(constants.HF_HUB_CACHE)
    for what, folder in (("workbench", cache_dir()), ("hub", hub)):
        size = _size(folder)
        found = f"{readable_bytes(size)} in {folder}" if size else f"empty ({folder})"
        yield Finding("ok", f"cache: {what}", found)
    if size := _size(features_dir()):
        found = f"{readable_bytes(size)} of the workbench's cache, from frozen backbones"
        yield Finding(
            "ok", "cache: features", found,
            "wb.clear_features() deletes them; WORKBENCH_FEATURES_GB bounds them.",
        )  # fmt: skip


def _size(folder: Path) -> int:
    # lstat: the hub's cache links each file twice.
    return sum(
        os.lstat(os.path.join(place, name)).st_size
        for place, _, names in os.walk(folder)
        for name in names
    )


def _hub(timeout_s: float) -> Iterator[Finding]:
    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    advice = "The embedded backbone and data work offline; give other weights as a local path."
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        yield Finding("note", "hub", "not asked: HF_HUB_OFFLINE is set", advice)
        return
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):
            yield Finding("ok", "hub", f"{endpoint} answers")
    except urllib.error.HTTPError as error:
        yield Finding("note", "hub", f"{endpoint} answers {error.code}", advice)
        error.close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        yield Finding("note", "hub", f"{endpoint} cannot be reached: {reason}", advice)


def _jupyter() -> Iterator[Finding]:
    """Widgets need their other half in the browser: the labextensions."""
    if importlib.util.find_spec("jupyterlab") is None:
        return
    from jupyter_core.paths import jupyter_path

    places = [Path(place) for place in jupyter_path("labextensions")]
    missing = [
        package
        for extension, package in LAB_EXTENSIONS.items()
        if not any((place / extension / "package.json").is_file() for place in places)
    ]
    if missing:
        yield Finding(
            "problem", "labextensions", f"{', '.join(missing)}: not found by JupyterLab",
            f"Widgets and maps would stay blank: pip install --force-reinstall {' '.join(missing)}",
        )  # fmt: skip
    else:
        yield Finding("ok", "labextensions", ", ".join(LAB_EXTENSIONS.values()))
