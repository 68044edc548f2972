from __future__ import annotations

from workbench.data import index
from workbench.data.progress import Bar


def test_a_bar_counts_chips_and_says_how_many_there_are(capsys):
    with Bar() as show:
        show(0, 40)
        show(40, 40)
    said = capsys.readouterr().err
    assert "index" in said
    assert "40/40" in said
    assert "chips" in said


def test_nothing_is_shown_where_nothing_is_read_or_all_is_read_soon(capsys):
    with Bar() as show:
        show(0, 0)
    with Bar(delay_s=60) as show:
        show(40, 40)
    assert capsys.readouterr().err == ""


def test_indexing_a_folder_shows_how_far_it_is_where_it_takes_long(
        tiny_folder, tiny_floods, capsys, monkeypatch):
    monkeypatch.setattr(index, "_PATIENCE_S", 0.0)
    again = type(tiny_floods).from_folder(
        str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=tiny_floods.bands,
        classes=["land", "water"], scale=1e-4)
    assert f"{len(again)}/{len(again)}" in capsys.readouterr().err
