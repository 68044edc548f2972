"""The demo on a real chip: its way over the network tried against a server on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from typer.testing import CliRunner

from workbench.catalog import open_catalog
from workbench.cli import app
from workbench.demo import real, run_demo
from workbench.errors import DownloadError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES
from workbench.runs import list_runs

SAMPLE = "sample-s2", "sample-labels"


class Handler(BaseHTTPRequestHandler):
    """Serves files by the last word of their path, as a hub and as a web server do."""

    server: Server

    def do_HEAD(self) -> None:
        body = self.server.files.get(self.path.rpartition("/")[2])
        self.server.asked.append(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        if body is not None:
            self.send_header("X-Repo-Commit", "0123456789" * 4)
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.server.files.get(self.path.rpartition("/")[2], b""))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[str] = []


def random_weights() -> bytes:
    torch.manual_seed(0)
    buffer = io.BytesIO()
    torch.save(load_backbone(real.BACKBONE, weights="random").state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def server(shared: Path, caches: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The chip's server and the hub, with random weights for the published ones."""
    folder = shared / "real" / "sen1floods11_sample"
    files = {path.name: path.read_bytes() for path in folder.glob("*Hand.tif")}
    source = BACKBONES[real.BACKBONE].source
    assert source is not None
    running = Server({**files, source.file: random_weights()})
    url = f"http://127.0.0.1:{running.server_port}"
    entry = open_catalog()["sen1floods11"]
    moved = {name: dataclasses.replace(asset, href=f"{url}/{asset.href.rpartition('/')[2]}")
             if name in SAMPLE else asset for name, asset in entry.assets.items()}
    catalog = {"sen1floods11": dataclasses.replace(entry, assets=moved)}
    monkeypatch.setattr(real, "open_catalog", lambda: catalog)
    monkeypatch.setenv("HF_ENDPOINT", url)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def test_without_a_network_it_says_at_once_what_is_needed(caches, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(DownloadError) as raised:
        run_demo(tmp_path / "demo", real=True)
    told = str(raised.value)
    assert "needs a network once: for a chip of Sen1Floods11 from raw.githubusercontent.com" in told
    assert "Prithvi_EO_V2_tiny_TL.pt of ibm-nasa-geospatial/Prithvi-EO-2.0-tiny-TL" in told
    assert "workbench demo does the same job on simulated floods" in told
    assert time.monotonic() - began < 10
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["demo.json"]


def test_the_chip_is_cut_into_a_half_that_trains_and_one_that_is_held_out(server, tmp_path):
    chips = real.real_chip(tmp_path)
    assert chips.bands == ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
    assert [entry.name for entry in chips.classes] == ["land", "water"]
    halves = {region: chips.select(region=region).chips.total_bounds for region in chips.regions}
    pixel = (halves["east"][2] - halves["east"][0]) / 248
    assert list(halves) == ["east", "west"]
    assert halves["east"][0] - (halves["west"][0] + 248 * pixel) == pytest.approx(16 * pixel, 0.01)
    asked = len(server.asked)
    real.real_chip(tmp_path)
    assert len(server.asked) == asked


@pytest.mark.slow
def test_the_whole_job_on_the_real_chip_leaves_the_same_report(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["demo", "--real", "--epochs", "1", "--device", "cpu"],
                                catch_exceptions=False)
    assert result.exit_code == 0
    folder = tmp_path / "workbench-demo-real"
    runs = {run.name: run for run in list_runs(folder / "runs")}
    assert set(runs) == {"lora", "full", "linear-probe", "unet-scratch", "ndwi-0", "ndwi-tuned",
                         "mndwi-0", "mndwi-tuned"}
    assert runs["lora"].recipe.backbone == "prithvi_eo_v2_tiny_tl"
    # Known of this chip: NDWI with the narrow near infrared, on the east half.
    assert runs["ndwi-0"].scores()["held_out"]["miou"] == pytest.approx(0.792, abs=0.001)
    with rasterio.open(folder / "water.tif") as water, rasterio.open(folder / "scene.tif") as scene:
        assert (water.shape, water.transform) == (scene.shape, scene.transform)
        assert set(np.unique(water.read(1))) <= {0, 1, 255}
    page = (folder / "report.html").read_text()
    assert "<b>one real chip</b>" in page
    assert "simulat" not in page.partition("<h2>Where the chips lie")[0]
    assert 'real_chip(".")' in page.replace("&#34;", '"')
    assert "one real chip" in result.output
