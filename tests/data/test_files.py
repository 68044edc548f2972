from pathlib import Path

import pytest

from workbench.data.files import find_files, pair_files, scene_names
from workbench.errors import DataError


def paths(*names: str) -> list[Path]:
    return [Path("/data") / name for name in names]


def names_of(pairs):
    return [(image.name, mask.name) for image, mask in pairs]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_gives_its_geotiffs_and_those_of_subfolders(tmp_path):
    touch(tmp_path, "b.tif", "a/c.TIFF", "notes.txt", "d.vrt", ".hidden.tif")
    found = [file.relative_to(tmp_path).as_posix() for file in find_files(tmp_path, "images")]
    assert found == ["a/c.TIFF", "b.tif", "d.vrt"]


def test_patterns_files_and_lists_are_understood(tmp_path):
    touch(tmp_path, "x_S2.tif", "y_S2.tif", "x_label.tif")
    assert len(find_files(str(tmp_path / "*_S2.tif"), "images")) == 2
    assert len(find_files([tmp_path / "x_S2.tif", tmp_path / "y_S2.tif"], "images")) == 2


def test_a_path_that_is_not_there_is_named_with_the_working_folder(tmp_path):
    with pytest.raises(DataError, match=r"images='.*nowhere': there is no such file or folder"):
        find_files(str(tmp_path / "nowhere"), "images")


def test_a_folder_without_geotiffs_says_what_it_holds(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"it holds \.png files.* given as masks matches no Geo"):
        find_files(tmp_path, "masks")


def test_a_pattern_without_matches_is_quoted(tmp_path):
    with pytest.raises(DataError, match=r"The pattern '.*\*\.tif' given as images matches no"):
        find_files(str(tmp_path / "*.tif"), "images")


def test_an_empty_list_is_refused():
    with pytest.raises(DataError, match=r"images=\[\] is an empty list"):
        find_files([], "images")


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["Spain_7_S2Hand.tif", "Ghana_1_S2Hand.tif"],
         ["Ghana_1_LabelHand.tif", "Spain_7_LabelHand.tif"]),
        (["img_001.tif", "img_002.tif"], ["mask_002.tif", "mask_001.tif"]),
        (["image1.tif", "image2.tif"], ["mask2.tif", "mask1.tif"]),
        (["x.v1_merged.tif", "y.v1_merged.tif"], ["y.v1.mask.tif", "x.v1.mask.tif"]),
        (["images/a.tif", "images/b.tif"], ["masks/b.tif", "masks/a.tif"]),
        (["g/images/1.tif", "s/images/1.tif"], ["s/masks/1.tif", "g/masks/1.tif"]),
        (["A_S2.TIF", "B_S2.TIF"], ["b_label.tif", "a_label.tif"]),
    ],
)
def test_masks_are_found_by_name_not_by_order(images, masks):
    pairs, unpaired = pair_files(paths(*images), paths(*masks))
    assert [mask for _, mask in pairs] == paths(*reversed(masks))
    assert not unpaired


def test_one_image_and_one_mask_belong_together_whatever_their_names():
    pairs, _ = pair_files(paths("scene.tif"), paths("water.tif"))
    assert names_of(pairs) == [("scene.tif", "water.tif")]


def test_masks_in_the_folder_of_the_images_are_not_images():
    both = paths("a_S2.tif", "a_label.tif", "b_S2.tif", "b_label.tif")
    pairs, unpaired = pair_files(both, both[1::2])
    assert names_of(pairs) == [("a_S2.tif", "a_label.tif"), ("b_S2.tif", "b_label.tif")]
    assert not unpaired


def test_images_without_a_mask_are_returned():
    pairs, unpaired = pair_files(
        paths("a_S2.tif", "b_S2.tif", "c_S2.tif"), paths("a_label.tif", "c_label.tif")
    )
    assert len(pairs) == 2
    assert unpaired == paths("b_S2.tif")


def test_names_that_never_agree_are_shown():
    with pytest.raises(DataError, match=r"images such as lake\.tif, masks such as 1\.tif"):
        pair_files(paths("lake.tif", "river.tif"), paths("1.tif", "2.tif"))


def test_two_masks_for_one_image_are_refused():
    with pytest.raises(DataError, match=r"a_S2\.tif fits more than one mask"):
        pair_files(paths("a_S2.tif", "b_S2.tif"), paths("a_m.tif", "x/a_m.tif", "b_m.tif")[:1]
                   + paths("a-m.tif", "b_m.tif"))


def test_a_file_given_twice_would_repeat_a_chip_id():
    with pytest.raises(DataError, match=r"a\.tif is given twice in images; chips would have"):
        pair_files(paths("a.tif", "a.tif"), paths("m.tif"))


def test_the_same_files_as_images_and_masks_are_refused():
    with pytest.raises(DataError, match="use patterns that tell them apart"):
        pair_files(paths("a.tif"), paths("a.tif"))


def test_scenes_are_named_by_stem_and_by_folder_where_stems_repeat():
    assert scene_names(paths("a.tif", "b.tif")) == ["a", "b"]
    assert scene_names(paths("g/1.tif", "s/1.tif")) == ["g-1", "s-1"]


def test_two_images_of_one_name_are_refused():
    with pytest.raises(DataError, match=r"a\.tif and .*a\.vrt would both give chips named 'a'"):
        scene_names(paths("a.tif", "a.vrt"))
