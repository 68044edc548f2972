"""Notebooks in a real JupyterLab, looked at by a real browser, with no network.

`run_notebook(path)` copies a notebook into the server's folder, opens it, runs every cell and
returns the `LabPage`; at the end of the test nothing may have gone wrong in the browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.runs import list_runs
from workbench.runs.run import LIVE

TOKEN = "for-the-tests-only"
# Lab asks neither for news nor for updates, and draws every cell however far down it stands.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# Without these Chromium looks up its maker's hosts at every start.
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class LabPage:
    """One browser page on the server, and everything that it complained about."""

    def __init__(self, page: Any, url: str, folder: Path) -> None:
        self.page = page
        self.url = url
        self.folder = folder
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Any) -> None:
        local = request.url.startswith((self.url, "data:", "blob:", "ws://127.0.0.1"))
        if not local:
            self.complaints.append(f"request to {request.url}")

    @property
    def outputs(self) -> Any:
        """Locator of all output areas; text in it is never the source of a cell."""
        return self.page.locator(".jp-OutputArea")

    def open_lab(self) -> None:
        self.page.goto(f"{self.url}/lab?reset&token={TOKEN}")
        self.page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)
        self.page.evaluate("window.jupyterapp.restored.then(() => null)")

    def open_notebook(self, path: Path) -> None:
        """Copy `path` into the server's folder and open it with its kernel started."""
        shutil.copyfile(path, self.folder / path.name)
        self.open_lab()
        self.page.evaluate(
            """async path => {
                const app = window.jupyterapp;
                const panel = await app.commands.execute('docmanager:open', {path});
                await panel.revealed;
                await panel.context.ready;
                await panel.sessionContext.ready;
                app.shell.activateById(panel.id);
                window.panel = panel;
            }""",
            path.name,
        )

    def run_all(self, timeout_s: float = 300) -> None:
        """Run every cell, wait for the last, and fail at the first error output."""
        self.page.evaluate(
            """() => {
                const {kernel} = window.panel.sessionContext.session;
                window.ranAll = undefined;
                window.replies = [];
                const reply = (_, {msg: {header, content}}) => {
                    if (header.msg_type === 'execute_reply') {
                        const {status, ename = '', evalue = ''} = content;
                        window.replies.push(`${status} ${ename} ${evalue}`);
                    }
                };
                kernel.anyMessage.connect(reply);
                window.jupyterapp.commands.execute('notebook:run-all-cells').then(
                    done => { window.ranAll = String(done); },
                    error => { window.ranAll = String(error); }
                ).finally(() => kernel.anyMessage.disconnect(reply));
            }"""
        )
        self.page.wait_for_function("window.ranAll !== undefined", timeout=timeout_s * 1000)
        errors = [
            "\n".join((f"{output['ename']}: {output['evalue']}", *output["traceback"]))
            for cell in self.notebook()["cells"]
            for output in cell.get("outputs", ())
            if output["output_type"] == "error"
        ]
        assert not errors, errors[0]
        assert self.page.evaluate("window.ranAll") == "true", self.page.evaluate(
            """() => {
                const {kernel} = window.panel.sessionContext.session;
                return `ended with ${window.ranAll}; the kernel is ${kernel.status}, `
                    + `${kernel.connectionStatus}; its replies: ${window.replies.join(' | ')}`;
            }"""
        )

    def notebook(self) -> dict[str, Any]:
        """Return the open notebook as it stands in the page, outputs included."""
        return self.page.evaluate("window.panel.content.model.toJSON()")

    def save(self) -> Path:
        """Save the open notebook and return the file on disk."""
        self.page.evaluate("window.panel.context.save()")
        return self.folder / self.page.evaluate("window.panel.context.path")

    def restart_kernel(self) -> None:
        self.page.evaluate("window.panel.sessionContext.restartKernel()")

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=str(path), full_page=True)

    def close_notebook(self) -> None:
        self.page.evaluate(
            """async () => {
                if (window.panel) {
                    await window.panel.sessionContext.shutdown();
                    await window.panel.context.revert().catch(() => null);
                    window.panel.dispose();
                }
            }"""
        )

    def assert_quiet(self) -> None:
        assert not self.complaints, "\n".join(self.complaints)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The folder of runs; what still trains there at the end of the test is stopped."""
    yield tmp_path / "runs"
    for run in list_runs(tmp_path / "runs"):
        if run.state in LIVE:
            run.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def lab_url(
    chromium: str, lab_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """JupyterLab on a free port of 127.0.0.1, with settings and history of its own."""
    with lab_server(lab_folder, tmp_path_factory.mktemp("jupyter")) as url:
        yield url


@contextlib.contextmanager
def lab_server(folder: Path, home: Path) -> Iterator[str]:
    """Serve `folder` as long as the context lasts; yields the address."""
    for name, settings in SETTINGS.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    # MPLBACKEND=Agg is for the tests' own process: in a kernel figures are shown inline.
    environment.pop("MPLBACKEND", None)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    log = home / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _address(server, home / "runtime", log)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text())["url"].rstrip("/")
            except json.JSONDecodeError:
                pass
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    # Only as long as a module: Playwright's loop would be in the way of others that run one.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def lab_page(browser: Any, lab_url: str, lab_folder: Path) -> Iterator[LabPage]:
    """A fresh page of 1400 × 1000 pixels; the test fails if the browser complained."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    lab = LabPage(context.new_page(), lab_url, lab_folder)
    yield lab
    # What closing the kernel makes Lab say is not the notebook's doing.
    said = tuple(lab.complaints)
    lab.close_notebook()
    context.close()
    assert not said, "\n".join(said)


@pytest.fixture
def run_notebook(lab_page: LabPage) -> Callable[..., LabPage]:
    """Open a notebook, run all of it, and return the page to look at."""

    def run(path: Path, *, timeout_s: float = 300) -> LabPage:
        lab_page.open_notebook(path)
        lab_page.run_all(timeout_s)
        return lab_page

    return run


@pytest.fixture(scope="session")
def floods_at_hand() -> None:
    """Let the simulated floods lie where the kernels look for them, generated once."""
    workbench.load("simulated-floods")
