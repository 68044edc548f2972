from __future__ import annotations

import dataclasses

import pytest
import shapely

from workbench.data.audit import Audit
from workbench.data.doctor import Finding
from workbench.errors import DataError
from workbench.plots import PLOTS, audit, plot, render


@pytest.fixture
def split(tiny_floods):
    return tiny_floods.split(hold_out=["bolivia"])


def moved(split, place):
    """Return the split with its chips elsewhere: `place` takes a number and gives a shape."""
    chips = split.dataset.chips.copy()
    chips["geometry"] = [place(number) for number in range(len(chips))]
    dataset = type(split.dataset)(split.dataset.info, chips.set_geometry("geometry", crs=4326))
    return dataclasses.replace(split, dataset=dataset)


def words(figure):
    texts = [text.get_text() for axes in figure.get_axes() for text in axes.texts]
    return " ".join([*texts, *(axes.get_title(loc="left") for axes in figure.get_axes())])


def found(split, *levels):
    ids = split.parts["train"]
    return Audit(tuple(
        Finding(level, f"something {number} is the matter with some chips", ids[: number + 1],
                "do something about it", f"check {number}")
        for number, level in enumerate(levels)
    ), split)


def test_a_chip_carries_its_part_and_its_worst_finding(split):
    table = audit.data(found(split, "error", "warning", "note", "ok"))
    chips = table.chips
    assert chips["part"].value_counts().to_dict() == {
        part: len(ids) for part, ids in split.parts.items()}
    flagged = chips["level"].reindex(split.parts["train"][:4]).tolist()
    assert flagged[:3] == ["error", "warning", "note"]
    assert chips["level"].notna().sum() == 3
    assert table.right == ("check 3",)


def test_the_audit_is_asked_where_none_is_given(split):
    checks = {finding.check for finding in split.audit().findings}
    table = audit.data(split)
    assert {finding.check for finding in table.findings} | set(table.right) == checks


def test_each_place_has_a_map_and_regions_side_by_side_share_one(split):
    assert audit.data(split).names == ("Bolivia", "Ghana", "Spain")
    near = moved(split, lambda number: shapely.box(number, 0, number + 0.9, 0.9))
    assert audit.data(near).names == ("Bolivia, Ghana, Spain",)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_every_finding_can_be_read_beside_the_map(split, count, theme):
    table = audit.data(found(split, *["error"] * count, "ok"))
    figure = render(PLOTS["audit"], table, theme=theme)
    told = words(figure)
    assert all(f"check {number}" in told for number in range(count))
    assert ("found nothing wrong" in told) == (count == 0)
    assert f"Nothing wrong with check {count}" in told
    height = figure.bbox.height
    boxes = [text.get_window_extent() for text in figure.get_axes()[-1].texts if text.get_text()]
    assert min(box.y0 for box in boxes) >= 0
    assert max(box.y1 for box in boxes) <= height
    assert max(box.x1 for box in boxes) <= figure.bbox.width
    assert not [1 for place, box in enumerate(boxes) for other in boxes[:place]
                if box.shrunk(1, 0.8).overlaps(other.shrunk(1, 0.8))]


def test_beyond_what_can_be_read_the_rest_is_counted(split):
    table = audit.data(found(split, *["note"] * 17))
    assert "and 3 more: split.audit() lists all" in words(render(PLOTS["audit"], table))


def test_chips_without_a_place_are_counted_beside_the_map(split):
    some = moved(split, lambda number: shapely.box(0, 0, 1, 1) if number else None)
    assert "1 more chips are not on the map" in words(plot(some, "audit"))
    nowhere = moved(split, lambda number: None)
    assert "No chip has a place on the map" in words(plot(nowhere, "audit"))


def test_a_place_on_the_antimeridian_is_one_small_map(split):
    def box(number):
        west = 179 + 0.1 * number
        if west >= 180:
            return shapely.box(west - 360, 0, west - 359.9, 0.1)
        return shapely.box(west, 0, west + 0.1, 0.1)

    figure = plot(moved(split, box), "audit")
    low, high = figure.get_axes()[0].get_xlim()
    assert high - low < 6


def test_many_places_are_dots_on_one_map_of_the_world(split):
    far = moved(split, lambda number: shapely.box(10 * number, 0, 10 * number + 1, 1))
    far.dataset.chips["region"] = [f"place-{number}" for number in range(len(far.dataset))]
    assert f"{len(far.dataset)} regions" in words(plot(far, "audit"))


def test_an_audit_alone_is_drawn_as_its_split_is_and_nothing_else_is(split):
    report = split.audit()
    table, same = audit.data(report), audit.data(split)
    assert table.chips["part"].equals(same.chips["part"])
    assert [str(finding) for finding in table.findings] == list(map(str, same.findings))
    assert words(plot(report)) == words(plot(split, "audit"))
    with pytest.raises(DataError, match="is drawn of a split, not of Dataset"):
        plot(split.dataset, "audit")
