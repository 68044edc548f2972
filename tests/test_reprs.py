from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from workbench import reprs

EVIL = "<script>alert('x')</script>"


class Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong order, collects the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_is_well_formed_and_everything_in_it_is_escaped() -> None:
    html = reprs.html_card(EVIL, {EVIL: EVIL}, notes=[EVIL],
                           body=reprs.html_table([EVIL], [[EVIL], [3.5]]))
    read = Balanced(html)
    assert "script" not in read.tags
    assert read.text.count(EVIL) == 6
    assert "3.5" in read.text


def test_a_card_without_facts_has_no_table() -> None:
    assert "table" not in Balanced(reprs.html_card("title")).tags


def test_text_columns_are_aligned_and_no_line_ends_in_blanks() -> None:
    assert reprs.text_table(["run", "mIoU"], [["lora", 84.2], ["a", ""]]).split("\n") == [
        "run   mIoU", "lora  84.2", "a"]


def test_a_table_without_rows_is_its_header() -> None:
    assert reprs.text_table(["run"], []) == "run"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        reprs.text_table(["a", "b"], [["only one"]])


@pytest.mark.parametrize(("count", "text"), [
    (None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_400_000, "3.4 MB"),
    (2.5e9, "2.5 GB"), (7e13, "70.0 TB"),
])
def test_sizes_read_as_people_say_them(count: float | None, text: str) -> None:
    assert reprs.readable_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [
    (None, "–"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
    (3599.7, "1 h 00 min"), (7500, "2 h 05 min"),
])
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert reprs.readable_duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [
    (999, "999"), (1000, "1.0 k"), (3_140_000, "3.1 M"), (6e8, "600.0 M"), (2e9, "2.0 G"),
])
def test_counts_read_as_people_say_them(count: int, text: str) -> None:
    assert reprs.readable_count(count) == text


@pytest.mark.parametrize(("loss", "text"), [
    (None, "–"), (0.31849, "0.318"), (-12.5, "-12.500"), (2.1e30, "2.1e+30"),
])
def test_losses_take_few_places(loss: float | None, text: str) -> None:
    assert reprs.readable_loss(loss) == text


@pytest.mark.parametrize(("share", "text"), [(0.8314, "83.1 %"), (0.0, "0.0 %"), (None, "–")])
def test_shares_are_said_in_per_cent(share: float | None, text: str) -> None:
    assert reprs.readable_percent(share) == text


def test_a_path_is_said_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reprs.readable_path(tmp_path / "runs" / "lora") == str(Path("runs", "lora"))
    assert reprs.readable_path(tmp_path.parent) == str(tmp_path.parent)
