"""`workbench lab`: notebooks are copied once, and JupyterLab is reachable from here only."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from workbench import lab
from workbench.errors import WorkbenchError
from workbench.storage import shipped


@pytest.fixture
def two_notebooks(tmp_path, monkeypatch):
    shelf = tmp_path / "shipped"
    shelf.mkdir()
    for name in ("02_second.ipynb", "01_first.ipynb"):
        (shelf / name).write_text("{}")
    monkeypatch.setattr(lab, "shipped", lambda name: shelf)


@pytest.mark.usefixtures("two_notebooks")
def test_copies_come_in_order_of_reading(tmp_path):
    copies = lab.copy_notebooks(tmp_path / "mine")
    assert [copy.name for copy in copies] == ["01_first.ipynb", "02_second.ipynb"]


@pytest.mark.usefixtures("two_notebooks")
def test_a_copy_that_was_worked_on_is_never_overwritten(tmp_path):
    first = lab.copy_notebooks(tmp_path / "mine")[0]
    first.write_text("my work")
    lab.copy_notebooks(tmp_path / "mine")
    assert first.read_text() == "my work"


def test_the_server_listens_on_this_machine_only(tmp_path):
    first = tmp_path / "workbench-notebooks" / "01_first.ipynb"
    command = lab.lab_command(tmp_path, first, browser=False, port=8890)
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--LabApp.default_url=/lab/tree/workbench-notebooks/01_first.ipynb" in command
    assert {"--no-browser", "--ServerApp.port=8890"} <= set(command)


def test_without_jupyterlab_the_error_says_what_to_install(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else found(name)
    )
    with pytest.raises(WorkbenchError, match=r'pip install "workbench\[lab\]"'):
        lab.open_lab(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_serves_the_copied_notebooks(tmp_path):
    runtime = tmp_path / "runtime"
    here = tmp_path / "here"
    here.mkdir()
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "workbench", "lab", "--no-browser"],
            cwd=here, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)},
        )  # fmt: skip
        try:
            facts = wait_for_server(server, runtime, tmp_path / "log")
            assert facts["url"].startswith("http://127.0.0.1:")
            request = urllib.request.Request(
                f"{facts['url']}api/contents/{lab.COPIES}",
                headers={"Authorization": f"token {facts['token']}"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                served = {entry["name"] for entry in json.load(answer)["content"]}
            assert served == {path.name for path in shipped("notebooks").glob("*.ipynb")}
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(20)


def wait_for_server(server, runtime, log):
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text())
            except json.JSONDecodeError:
                pass
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")
