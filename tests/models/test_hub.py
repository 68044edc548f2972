"""Weights from the hub, tried against a server of our own on this machine."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save

from workbench.errors import OutOfSpaceError, WeightsError
from workbench.models import hub, load_backbone
from workbench.models.backbones import BACKBONES, Source
from workbench.models.hub import download, record_path, recorded

COMMIT = "0123456789" * 4
CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SOURCE = Source("someone/model", "v1/weights.pt")
# The library's own retries would take half a minute; a busy machine takes a few seconds.
AT_ONCE_S = 10


class Hub(ThreadingHTTPServer):
    """A hub with one file. `answer` is the status of every answer; `sends` is what it sends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = 200
        self.get_answer = 200
        self.content = CONTENT
        self.etag = hashlib.sha1(CONTENT).hexdigest()
        self.sends = len(CONTENT)
        self.heals = False
        self.delay_s = 0.0
        self.requests: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self, method: str) -> list[tuple[str, str | None]]:
        return [(path, span) for verb, path, span in self.requests if verb == method]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.server.requests.append(("HEAD", self.path, None))
        time.sleep(self.server.delay_s)
        self.start(self.server.answer, len(self.server.content))

    def do_GET(self) -> None:
        span = self.headers.get("Range")
        self.server.requests.append(("GET", self.path, span))
        first = int(span.removeprefix("bytes=").split("-")[0]) if span else 0
        code = self.server.get_answer
        self.start(206 if span and code == 200 else code, len(self.server.content) - first)
        self.wfile.write(self.server.content[first : max(self.server.sends, first)])
        if self.server.heals:
            self.server.sends = len(self.server.content)

    def start(self, code: int, length: int) -> None:
        self.send_response(code)
        if code < 400:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{self.server.etag}"')
            self.send_header("Content-Length", str(length))
        elif code == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    running = Hub()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", running.url)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield running
    running.shutdown()
    running.server_close()


def files_of(folder: Path) -> list[Path]:
    kept = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 200)
    return list(kept)


def test_a_file_is_downloaded_once_and_recorded(server: Hub) -> None:
    path = download(SOURCE)
    assert path.read_bytes() == CONTENT
    record = recorded(SOURCE)
    assert record is not None
    assert (record["revision"], record["size_bytes"], record["sha256"]) == (
        COMMIT, len(CONTENT), DIGEST,
    )  # fmt: skip
    before = len(server.requests)
    assert download(SOURCE) == path
    assert len(server.requests) == before


def test_what_was_recorded_is_asked_for_at_its_commit(server: Hub, tmp_path: Path) -> None:
    hub._discard(download(SOURCE))
    download(SOURCE)
    assert server.asked("GET")[-1][0].endswith(f"/resolve/{COMMIT}/v1/weights.pt")


def test_a_full_revision_is_asked_for_and_an_abbreviated_one_is_not(server: Hub) -> None:
    download(Source(SOURCE.repo, SOURCE.file, revision=COMMIT))
    assert f"/resolve/{COMMIT}/" in server.asked("GET")[0][0]
    download(Source("someone/other", "weights.pt", revision=COMMIT[:8]))
    assert "/resolve/main/" in server.asked("GET")[1][0]


@pytest.mark.parametrize("digits", [8, 64])
def test_a_published_hash_or_its_first_digits_are_checked(server: Hub, digits: int) -> None:
    good = Source(SOURCE.repo, SOURCE.file, size_bytes=len(CONTENT), sha256=DIGEST[:digits])
    assert download(good).is_file()
    assert recorded(good)["sha256"] == DIGEST


def test_a_file_with_the_wrong_hash_is_refused_and_removed(server: Hub, tmp_path: Path) -> None:
    wrong = Source(SOURCE.repo, SOURCE.file, sha256="fc6b09ff")
    for _ in range(2):
        with pytest.raises(
            WeightsError, match=rf"SHA-256 {DIGEST} here; published was fc6b09ff….*removed"
        ):
            download(wrong)
        assert not files_of(tmp_path / "hub")
    assert recorded(wrong) is None


def test_a_file_that_is_not_what_the_hub_states_is_refused_and_removed(
    server: Hub, tmp_path: Path
) -> None:
    server.etag = "0" * 64
    with pytest.raises(WeightsError, match=rf"came with the SHA-256 {DIGEST}; the hub states 000"):
        download(SOURCE)
    assert not files_of(tmp_path / "hub")
    server.etag = DIGEST
    assert download(SOURCE).read_bytes() == CONTENT


def test_a_longer_rest_of_another_time_is_not_gone_on_with(server: Hub, tmp_path: Path) -> None:
    rest = tmp_path / "hub" / "models--someone--model" / "blobs"
    rest.mkdir(parents=True)
    (rest / f"{server.etag}.workbench.incomplete").write_bytes(CONTENT + b"more")
    assert download(SOURCE).read_bytes() == CONTENT


def test_a_file_that_changed_after_it_was_recorded_is_refused_and_removed(
    server: Hub, tmp_path: Path
) -> None:
    path = download(SOURCE)
    path.resolve().write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(WeightsError, match=r"recorded in .*--model--v1--weights.pt.json was"):
        download(SOURCE)
    assert not files_of(tmp_path / "hub")
    assert download(SOURCE).read_bytes() == CONTENT


def test_a_truncated_file_in_the_cache_is_refused_and_removed(server: Hub, tmp_path: Path) -> None:
    source = Source(SOURCE.repo, SOURCE.file, size_bytes=len(CONTENT))
    path = download(source)
    path.resolve().write_bytes(CONTENT[:1000])
    with pytest.raises(WeightsError, match=r"had 1,000 bytes here; published were 1,048,576"):
        download(source)
    assert not files_of(tmp_path / "hub")


def test_another_size_at_the_hub_is_refused_before_it_is_downloaded(server: Hub) -> None:
    with pytest.raises(WeightsError, match=r"has 1,048,576 bytes at http.*; published were 5\. It"):
        download(Source(SOURCE.repo, SOURCE.file, size_bytes=5))
    assert not server.asked("GET")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (404, r"has no v1/weights.pt of someone/model \(it answered 404\)"),
        (401, r"has no v1/weights.pt of someone/model \(it answered 401\)"),
        (403, r"only for those who were granted access.*hf auth login"),
        (503, r"is there but out of order: it answered 503 for v1/weights.pt"),
        (500, r"is there but out of order: it answered 500"),
    ],
)
def test_each_answer_of_the_hub_has_its_own_message_at_once(
    server: Hub, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answer = code
    began = time.monotonic()
    with pytest.raises(WeightsError, match=said):
        download(SOURCE)
    assert time.monotonic() - began < AT_ONCE_S
    assert capfd.readouterr() == ("", "")


def test_a_server_that_fails_only_when_it_should_send_is_told_apart(server: Hub) -> None:
    server.get_answer = 503
    with pytest.raises(WeightsError, match="out of order: it answered 503"):
        download(SOURCE)


def test_an_unreachable_hub_is_told_within_seconds_and_without_chatter(
    server: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(WeightsError, match=r"hub at http://.*:9 cannot be reached \(.*refus"):
        download(SOURCE)
    assert time.monotonic() - began < AT_ONCE_S
    assert capfd.readouterr() == ("", "")


def test_a_hub_that_does_not_answer_is_told_when_patience_ends(
    server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay_s = 1
    monkeypatch.setattr(hub, "PATIENCE_S", 0.2)
    with pytest.raises(WeightsError, match="cannot be reached"):
        download(SOURCE)
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "10")
    assert download(SOURCE).is_file()


def test_offline_by_wish_says_so_and_uses_what_is_there(
    server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        download(SOURCE)
    assert not server.requests
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    path = download(SOURCE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert download(SOURCE) == path


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)


def test_half_a_file_is_never_taken_for_the_whole_and_the_next_call_goes_on(
    server: Hub, small_chunks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hub, "MAX_INTERRUPTIONS", 0)
    server.sends = len(CONTENT) // 2
    with pytest.raises(WeightsError, match=r"interrupted 1 times: the hub sends only part"):
        download(SOURCE)
    assert recorded(SOURCE) is None
    server.sends = len(CONTENT)
    assert download(SOURCE).read_bytes() == CONTENT
    assert [span for _, span in server.asked("GET")] == [None, f"bytes={len(CONTENT) // 2}-"]


def test_an_interrupted_download_goes_on_where_it_stopped(
    server: Hub, small_chunks: None, capfd: pytest.CaptureFixture[str]
) -> None:
    server.sends, server.heals = len(CONTENT) // 2, True
    assert download(SOURCE).read_bytes() == CONTENT
    spans = [span for _, span in server.asked("GET")]
    assert spans == [None, f"bytes={len(CONTENT) // 2}-"]
    assert "Error" not in capfd.readouterr().err


def test_a_hub_that_is_none_is_told(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "start", lambda self, code, length: (
        self.send_response(200), self.send_header("Content-Length", "0"), self.end_headers()
    ))  # fmt: skip
    with pytest.raises(WeightsError, match=r"at http://.* is no Hugging Face hub. Check HF_ENDP"):
        download(SOURCE)


def test_a_full_disk_is_told_as_such(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(OutOfSpaceError, match="No space left"):
        download(SOURCE)


def test_the_library_may_talk_again_afterwards(server: Hub) -> None:
    library = logging.getLogger("huggingface_hub")
    before = (library.handlers, library.propagate, library.level)
    download(SOURCE)
    assert (library.handlers, library.propagate, library.level) == before


def serve_weights(server: Hub) -> dict[str, torch.Tensor]:
    """Let the server have the weights of timm's smallest vision transformer."""
    torch.manual_seed(0)
    state = timm.create_model("test_vit").state_dict()
    server.content = save(state)
    server.sends, server.etag = len(server.content), hashlib.sha256(server.content).hexdigest()
    return state


def test_a_backbone_takes_its_weights_from_the_hub(server: Hub) -> None:
    state = serve_weights(server)
    model = load_backbone("timm/test_vit", image_size=160)
    assert model.pretrained
    assert torch.equal(model.model.norm.weight, state["norm.weight"])
    assert server.asked("GET")[0][0] == "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"


def test_weights_that_are_half_at_the_hub_itself_are_removed_and_forgotten(
    server: Hub, tmp_path: Path
) -> None:
    serve_weights(server)
    whole, server.content = server.content, server.content[: len(server.content) // 2]
    server.etag = "half"
    with pytest.raises(WeightsError, match="is not a whole weight file"):
        load_backbone("timm/test_vit")
    assert not files_of(tmp_path)
    server.content, server.etag = whole, "whole"
    assert load_backbone("timm/test_vit").pretrained


def test_hf_home_hf_endpoint_and_the_progress_bar_in_a_fresh_process(
    server: Hub, tmp_path: Path
) -> None:
    code = (
        "from workbench.models.hub import download; from workbench.models.backbones import Source;"
        f"print(download(Source({SOURCE.repo!r}, {SOURCE.file!r})))"
    )
    place = {"HF_HOME": str(tmp_path / "home"), "WORKBENCH_CACHE": str(tmp_path / "records"),
             "HF_HUB_OFFLINE": "0", "TQDM_POSITION": "-1"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, **place}, check=True)  # fmt: skip
    assert done.stdout.startswith(str(tmp_path / "home" / "hub"))
    assert "weights.pt" in done.stderr
    assert "100%" in done.stderr
    record = next((tmp_path / "records" / "weights").iterdir())
    assert json.loads(record.read_text())["sha256"] == DIGEST


def test_what_is_pinned_is_what_public_sources_state() -> None:
    source = BACKBONES["prithvi_eo_v2_100_tl"].source
    assert (source.size_bytes, source.revision, source.full_revision) == (
        454_660_610, "9bf8f858", None,
    )  # fmt: skip
    assert record_path(source).suffix == ".json"
