from workbench.data import Dataset


def test_a_dataset_says_what_was_left_out(tiny_floods):
    dataset = Dataset(tiny_floods.info, tiny_floods.chips, {"a": "no mask: x", "b": "no mask: y"})
    assert "  left out: 2 no mask\n" in repr(dataset)
    assert "left out" not in repr(tiny_floods)


def test_an_empty_selection_still_has_a_text(tiny_floods):
    assert "chips: 0 of 32 × 32 pixels" in repr(tiny_floods.select([]))


def test_a_split_shows_its_parts_by_region(tiny_floods):
    html = tiny_floods.split("bolivia")._repr_html_()
    assert "held out 8 (Bolivia)" in html
    assert html.count("<tr>") == 1 + 3
