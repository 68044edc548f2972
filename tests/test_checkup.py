"""The doctor says what is there, what is not, and what to do about it."""

from __future__ import annotations

import functools
import http.server
import importlib.metadata
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import workbench as wb
from workbench import checkup
from workbench.checkup import Checkup, Finding


class Answer(http.server.BaseHTTPRequestHandler):
    """A hub that answers every question with one status."""

    def __init__(self, status: int, *args: object) -> None:
        self.status = status
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    handler = functools.partial(Answer, request.param)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield address
        server.shutdown()
        thread.join()


def only(look: Iterator[Finding]) -> Finding:
    (finding,) = look
    return finding


def test_this_environment_has_no_problems_and_every_note_has_advice():
    found = wb.doctor()
    assert found.problems == ()
    assert [
        finding for finding in found.findings if finding.level != "ok" and not finding.advice
    ] == []
    assert {"Python", "packages", "cache: workbench", "hub", "labextensions"} <= {
        finding.what for finding in found.findings
    }


def test_it_shows_itself_as_text_and_as_escaped_html():
    found = Checkup(
        (Finding("ok", "Python", "3.13"), Finding("problem", "torch", "<gone>", "Cure."))
    )
    assert repr(found) == (
        "ok       Python  3.13\nproblem  torch   <gone>\n         → Cure.\n1 problem, no notes"
    )
    assert "&lt;gone&gt;" in found._repr_html_()


@pytest.mark.parametrize("hub", [200], indirect=True)
def test_a_hub_that_answers_is_ok(hub):
    assert only(checkup._hub(3)) == Finding("ok", "hub", f"{hub} answers")


@pytest.mark.parametrize("hub", [503], indirect=True)
def test_a_hub_in_trouble_is_a_note(hub):
    finding = only(checkup._hub(3))
    assert (finding.level, finding.found) == ("note", f"{hub} answers 503")


def test_no_hub_at_all_is_a_note(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    finding = only(checkup._hub(3))
    assert finding.level == "note"
    assert "cannot be reached" in finding.found


def test_the_hub_is_left_alone_when_the_user_says_offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "not asked" in only(checkup._hub(3)).found


def test_a_missing_and_an_outdated_package_are_named_with_the_range():
    numpy = importlib.metadata.version("numpy")
    wrong = checkup._misfits([Requirement("numpy>=999"), Requirement("no-such-thing>=1")])
    assert list(wrong.values()) == [f"numpy is {numpy}, not >=999", "no-such-thing is missing"]


def test_a_disk_that_is_nearly_full_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkup, "LITTLE_SPACE_BYTES", 1e18)
    levels = {finding.what: finding.level for finding in checkup._disk()}
    assert levels == {"disk: current folder": "problem", "disk: cache": "problem"}


def test_the_size_of_a_cache_counts_a_linked_file_once(tmp_path, monkeypatch):
    (tmp_path / "blob").write_bytes(b"x" * 5000)
    (tmp_path / "link").symlink_to(tmp_path / "blob")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    finding = next(iter(checkup._caches()))
    assert finding.found.startswith("5.")
    assert str(Path(tmp_path)) in finding.found
