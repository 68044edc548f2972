"""COGs behind http: read by range requests, tried again, and given up with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.shutil import copy

from tests.prediction.conftest import stored_scene, write_scene
from tests.prediction.server import FileServer, serving
from tests.prediction.test_scene import MODEL
from workbench.data import remote
from workbench.errors import DataError, DownloadError
from workbench.prediction import predict
from workbench.prediction.needs import Needs
from workbench.prediction.sources import open_source

SIDE = 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    plain = write_scene(folder / "plain.tif", stored_scene(SIDE, SIDE))
    copy(plain, folder / "scene.tif", driver="COG", blocksize=128, compress="NONE")
    with rasterio.open(folder / "scene.tif") as file:
        assert file.block_shapes[0] == (128, 128)
    return folder


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(remote, "_WAITS_S", (0.01, 0.01, 0.01))
    with serving(folder) as server:
        yield server


def test_a_cog_behind_http_gives_what_the_file_gives_and_is_fetched_once(
        server: FileServer, folder: Path) -> None:
    url = server.url("scene.tif")
    found = predict(MODEL, url, window=128)
    xr.testing.assert_equal(found, predict(MODEL, folder / "scene.tif", window=128))
    assert found.attrs["source"] == url
    size = (folder / "scene.tif").stat().st_size
    assert all(asked for method, asked in server.requests if method == "GET"), "ranges only"
    assert server.sent < 1.3 * size, "no block is fetched twice"


def test_a_part_of_a_cog_fetches_a_part_of_the_file(server: FileServer, folder: Path) -> None:
    url = server.url("scene.tif") + "?token=a.b"
    source = open_source(url, Needs(("GREEN",), scale=1e-4))
    assert len(server.requests) <= 3, "the header, not the pixels"
    pixels = source.read(300, 500, 100, 120)
    np.testing.assert_array_equal(
        pixels, open_source(folder / "scene.tif", Needs(("GREEN",), scale=1e-4)).read(
            300, 500, 100, 120))
    assert server.sent < 0.2 * (folder / "scene.tif").stat().st_size


def test_a_connection_that_breaks_off_is_tried_again(server: FileServer, folder: Path) -> None:
    server.break_off = 2
    found = predict(MODEL, server.url("scene.tif"), window=128)
    assert server.break_off == 0
    xr.testing.assert_equal(found, predict(MODEL, folder / "scene.tif", window=128))


def test_a_server_that_always_breaks_off_is_named_and_what_is_finished_is_kept(
        server: FileServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.prediction import job

    monkeypatch.setattr(job, "_BLOCK_ROWS", 128)
    url = server.url("scene.tif")

    def break_off(done: int, total: int) -> None:
        server.break_off = 10_000 if done > total // 2 else 0

    with pytest.raises(DownloadError, match=r"scene\.tif cannot be read: .*same call again"):
        predict(MODEL, url, window=128, store=tmp_path / "store", progress=break_off)
    finished = len(list((tmp_path / "store").glob("block-*.npz")))
    assert finished
    server.break_off, before = 0, server.sent
    found = predict(MODEL, url, window=128, store=tmp_path / "store", progress=lambda *_: None)
    xr.testing.assert_equal(found, predict(MODEL, folder / "scene.tif", window=128))
    assert server.sent - before < 0.8 * (folder / "scene.tif").stat().st_size


def test_an_address_without_a_file_or_server_is_named(server: FileServer) -> None:
    with pytest.raises(DownloadError, match=r"nowhere\.tif cannot be opened.*Check the address"):
        predict(MODEL, server.url("nowhere.tif"))
    with pytest.raises(DownloadError, match="cannot be opened"):
        predict(MODEL, "http://127.0.0.1:9/scene.tif")
    with pytest.raises(DataError, match="not a GeoTIFF"):
        predict(MODEL, server.url("scene.png"))
