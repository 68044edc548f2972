import dataclasses
import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile

import pytest

from workbench.catalog import Asset, open_catalog
from workbench.catalog.fetching import default_root, download, interrupted
from workbench.catalog.fetching.transfer import Session
from workbench.catalog.fetching.unpacking import unpack
from workbench.errors import DownloadError, OutOfSpaceError, UnknownNameError

BODY = bytes(range(256)) * 4000  # 1 MB


def collection(*assets):
    return dataclasses.replace(
        open_catalog()["hls-burn-scars"], assets={asset.name: asset for asset in assets}
    )


def file_asset(server, name="a.bin", body=BODY, **fields):
    server.files[f"/{name}"] = body
    return Asset(name=name, title=name, href=f"{server.url}/{name}", roles=("data",), path=name,
                 **fields)  # fmt: skip


def sha256(body):
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def naps():
    return []


@pytest.fixture
def session(naps):
    with Session(sleep=naps.append) as session:
        yield session


def fetch(tmp_path, session, *assets, **options):
    return download(collection(*assets), tmp_path, session=session, show=False, **options)


def test_a_file_comes_whole_and_is_not_asked_for_again(tmp_path, server, session):
    asset = file_asset(server, size_bytes=len(BODY), checksum=sha256(BODY))
    assert fetch(tmp_path, session, asset) == tmp_path
    assert (tmp_path / "a.bin").read_bytes() == BODY
    fetch(tmp_path, session, asset)
    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_where_it_was_cut(tmp_path, server, session, naps):
    asset = file_asset(server)
    server.faults["/a.bin"] = [
        lambda handler, body: handler.serve(body, cut_after=300_000) or True,
        lambda handler, body: handler.serve(body, cut_after=200_000) or True,
    ]
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [wanted for _, wanted in server.requests] == [None, "bytes=300000-", "bytes=500000-"]
    assert len(naps) == 2


def test_a_server_without_ranges_begins_again(tmp_path, server, session):
    server.ranges = False
    asset = file_asset(server)
    server.faults["/a.bin"] = [
        lambda handler, body: handler.serve(body, cut_after=300_000) or True
    ]
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_another_file_at_the_server_is_not_appended_to_the_old_one(tmp_path, server, session):
    asset = file_asset(server)
    cut = lambda handler, body: handler.serve(body, cut_after=300_000) or True  # noqa: E731
    server.faults["/a.bin"] = [cut, lambda handler, body: handler.refuse(404) or True]
    with pytest.raises(DownloadError, match="answered 404"):
        fetch(tmp_path, session, asset)
    server.files["/a.bin"] = new = BODY[::-1]
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == new


def test_busy_servers_are_asked_again_after_the_time_they_name(tmp_path, server, session, naps):
    asset = file_asset(server)
    server.faults["/a.bin"] = [
        lambda handler, body: handler.refuse(429, Retry_After="7") or True,
        lambda handler, body: handler.refuse(503) or True,
    ]
    fetch(tmp_path, session, asset)
    assert naps[0] == 7
    assert 0 < naps[1] <= 2


def test_a_server_that_stays_busy_is_given_up_with_advice(tmp_path, server, session, naps):
    asset = file_asset(server)
    server.faults["/a.bin"] = [lambda handler, body: handler.refuse(503) or True] * 9
    with pytest.raises(DownloadError, match=r"answered 503 again and again.*goes on where it"):
        fetch(tmp_path, session, asset)
    assert len(server.requests) == 5
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_sends_us_away_for_hours_is_not_waited_for(tmp_path, server, session, naps):
    asset = file_asset(server)
    server.faults["/a.bin"] = [lambda handler, body: handler.refuse(429, Retry_After="3600") or 1]
    with pytest.raises(DownloadError, match="asks to wait 3600 s"):
        fetch(tmp_path, session, asset)
    assert naps == []


def test_a_file_that_is_not_there_is_not_asked_for_twice(tmp_path, server, session):
    asset = dataclasses.replace(file_asset(server), href=f"{server.url}/gone.bin")
    with pytest.raises(DownloadError, match=r"gone\.bin is not there \(the server answered 404\)"):
        fetch(tmp_path, session, asset)
    assert len(server.requests) == 1


def test_no_server_at_all_is_told_apart(tmp_path, server, session):
    asset = file_asset(server)
    server.server_close()
    with pytest.raises(DownloadError, match="the connection failed"):
        fetch(tmp_path, session, dataclasses.replace(asset, href="http://127.0.0.1:9/a.bin"))


@pytest.mark.parametrize(("stated", "said"), [
    ({"checksum": sha256(b"other")}, "was stated"),
    ({"size_bytes": 5}, r"1,024,000 bytes; 5 were stated"),
])
def test_another_file_than_stated_is_removed(tmp_path, server, session, stated, said):
    with pytest.raises(DownloadError, match=said):
        fetch(tmp_path, session, file_asset(server, **stated))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_a_stated_hash_the_first_download_is_recorded_and_holds(tmp_path, server, session):
    asset = file_asset(server)
    fetch(tmp_path, session, asset)
    record = json.loads((tmp_path / ".downloads/a.bin.json").read_text())
    assert record["files"]["a.bin"]["checksum"] == sha256(BODY)
    (tmp_path / "a.bin").write_bytes(b"damaged")
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    (tmp_path / "a.bin").unlink()
    server.files["/a.bin"] = BODY[::-1]
    with pytest.raises(DownloadError, match="was stated"):
        fetch(tmp_path, session, asset)


def test_a_bucket_s_prefix_is_listed_page_by_page(tmp_path, server, session, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    for number in range(5):
        server.files[f"/floods/v1/S2/chip {number}.tif"] = bytes([number]) * 1000
    asset = Asset("s2", "S2", "gs://floods/v1/S2/", ("data",), "v1/S2")
    fetch(tmp_path, session, asset)
    assert (tmp_path / "v1/S2/chip 4.tif").read_bytes() == b"\x04" * 1000
    fetched = [path for path, _ in server.requests if path.startswith("/floods")]
    assert len(fetched) == 5
    (tmp_path / "v1/S2/chip 2.tif").unlink()
    fetch(tmp_path, session, asset)
    fetched = [path for path, _ in server.requests if path.startswith("/floods")]
    assert fetched[5:] == ["/floods/v1/S2/chip 2.tif"]
    with pytest.raises(DownloadError, match="there is nothing at gs://floods/v2/"):
        fetch(tmp_path, session, dataclasses.replace(asset, href="gs://floods/v2/"))


def test_the_hub_is_asked_at_the_pinned_revision(tmp_path, server, session, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files["/datasets/owner/name/resolve/abc/V2/x.parquet"] = b"x"
    href = "hf://datasets/owner/name@abc/V2/x.parquet"
    fetch(tmp_path, session, Asset("x", "X", href, ("data",), "x.parquet"))
    assert (tmp_path / "x.parquet").read_bytes() == b"x"


def tar_parts(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    whole = buffer.getvalue()
    return whole[: len(whole) // 2], whole[len(whole) // 2 :]


def test_an_archive_in_parts_is_joined_filtered_unpacked_and_removed(tmp_path, server, session):
    members = {f"S2/p{number}/b.tif": os.urandom(5000) for number in range(6)}
    one, two = tar_parts(members)
    assets = (
        file_asset(server, "s2.tgzaa", one, unpack="tar"),
        file_asset(server, "s2.tgzab", two, part_of="s2.tgzaa"),
    )
    fetch(tmp_path, session, *assets, keep=lambda name: "p3" not in name)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.tif")}
    assert found == {name: body for name, body in members.items() if "p3" not in name}
    assert not list(tmp_path.glob("*.tgz*"))
    assert interrupted(tmp_path) == []
    requests = len(server.requests)
    fetch(tmp_path, session, *assets)
    assert len(server.requests) == requests


@pytest.mark.parametrize("name", ["../evil.tif", "/etc/evil.tif", "a/../../evil.tif", "C:\\evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_never_leave_their_folder(tmp_path, name, kind):
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"evil")
    else:
        one, two = tar_parts({name: b"evil"})
        path.write_bytes(one + two)
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DownloadError, match="would be written outside"):
        unpack([path], kind, root, keep=lambda name: True, report=lambda count: None)
    assert not list(root.iterdir())


def test_links_in_archives_are_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DownloadError, match="'link' in the archive is a link"):
        unpack([path], "tar", tmp_path, keep=lambda name: True, report=lambda count: None)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_truncated_archive_says_so_and_leaves_only_whole_files(tmp_path, kind):
    path, root = tmp_path / f"x.{kind}", tmp_path / "root"
    root.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.tif", os.urandom(9000))
        path.write_bytes(path.read_bytes()[:-40])
    else:
        one, two = tar_parts({"a.tif": b"a" * 100, "b.tif": os.urandom(90_000)})
        path.write_bytes((one + two)[:40_000])
    with pytest.raises(DownloadError, match="is damaged"):
        unpack([path], kind, root, keep=lambda name: True, report=lambda count: None)
    assert {file.name for file in root.rglob("*")} <= {"a.tif"}


def test_killed_half_way_it_goes_on_where_it_was(tmp_path, server, session):
    asset = file_asset(server)

    def slowly(handler, body):
        handler.send_response(200)
        handler.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:500_000])
        handler.wfile.flush()
        time.sleep(20)
        return True

    server.faults["/a.bin"] = [slowly]
    code = f"""
        from pathlib import Path
        from workbench.catalog.fetching import transfer
        transfer._CHUNK = 10_000
        transfer.Session().fetch({asset.href!r}, Path({str(tmp_path / 'a.bin')!r}),
                                 size_bytes=None, checksum=None, report=lambda count: None)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    part = tmp_path / ".a.bin.part"
    until = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 400_000):
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "a.bin").exists()
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.requests[-1][1] is not None


def test_a_disk_that_is_too_small_is_told_before_anything_comes(tmp_path, server, session):
    asset = file_asset(server, size_bytes=10**18)
    with pytest.raises(OutOfSpaceError, match=r"free;.*are to be downloaded") as caught:
        fetch(tmp_path, session, asset)
    assert caught.value.errno == errno.ENOSPC
    assert server.requests == []


def test_a_disk_that_fills_up_loses_nothing(tmp_path, server, session):
    asset = file_asset(server)
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # A limit on the size of files is the full disk that every machine has.
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        with pytest.raises(OutOfSpaceError, match=r"ulimit -f.*pass another root=.*goes on where"):
            fetch(tmp_path, session, asset)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "a.bin").exists()
    fetch(tmp_path, session, asset)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_only_the_smallest_real_piece_is_taken_as_a_sample(tmp_path, server, session):
    small = dataclasses.replace(file_asset(server, "small.bin", b"s"), roles=("data", "sample"))
    fetch(tmp_path, session, file_asset(server), small, sample=True)
    assert (tmp_path / "small.bin").exists()
    assert not (tmp_path / "a.bin").exists()
    with pytest.raises(DownloadError, match="has no sample"):
        fetch(tmp_path, session, file_asset(server), sample=True)


def test_assets_are_chosen_by_name_and_optional_ones_only_so(tmp_path, server, session):
    extra = file_asset(server, "s1.bin", b"s", optional=True)
    fetch(tmp_path, session, file_asset(server), extra)
    assert not (tmp_path / "s1.bin").exists()
    fetch(tmp_path, session, file_asset(server), extra, assets=["s1.bin"])
    assert (tmp_path / "s1.bin").exists()
    with pytest.raises(UnknownNameError, match="No asset named 'nope'"):
        fetch(tmp_path, session, extra, assets=["nope"])


def test_licence_and_size_are_said_before_anything_comes(tmp_path, server, session, capsys):
    asset = file_asset(server, size_bytes=len(BODY))
    download(collection(asset), tmp_path, session=session)
    said = capsys.readouterr().err
    assert said.startswith(f"HLS Burn Scars · licence: CC-BY-4.0 · 1 files, 1.0 MB · {tmp_path}\n")
    assert "download: 100%" in said


def test_the_sample_of_sen1floods11_is_one_chip(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    entry = open_catalog()["sen1floods11"]
    sample = [asset for asset in entry.assets.values() if "sample" in asset.roles]
    assert {asset.path.rpartition("/")[2] for asset in sample} == {
        "Spain_7370579_S2Hand.tif", "Spain_7370579_LabelHand.tif",
    }
    assert default_root(entry) == tmp_path / "datasets/sen1floods11"


def test_what_is_generated_is_not_downloaded(tmp_path):
    with pytest.raises(DownloadError, match=r"nothing to download; workbench\.load generates it"):
        download(open_catalog()["simulated-floods"], tmp_path)
