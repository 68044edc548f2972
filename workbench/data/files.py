"""Finding image and mask files, and telling which belong together by their names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.data.raster import SUFFIXES
from workbench.errors import DataError

FileSpec = str | Path | Sequence[str | Path]


def find_files(spec: FileSpec, what: str) -> list[Path]:
    """Return the GeoTIFFs meant by a folder (with its subfolders), a pattern, a file or a list.

    Args:
        spec: A folder, a glob pattern such as ``"chips/*_S2.tif"``, a file, or a list of files.
        what: Name of the argument, for the error.

    Raises:
        DataError: Nothing matches, or a listed file is not there.
    """
    if not isinstance(spec, (str, Path)):
        found = [file for entry in spec for file in find_files(entry, what)]
        if not found:
            raise DataError(f"{what}=[] is an empty list; pass a folder, a pattern or files.")
        return found
    path = Path(os.path.abspath(Path(spec).expanduser()))
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.rglob("*") if _is_raster(file)]
        other = {file.suffix for file in path.rglob("*") if file.is_file()} if not found else set()
        seen = f" (it holds {', '.join(sorted(other)[:6])} files)" if other else ""
        where = f"The folder {path}{seen}"
    elif glob.has_magic(str(path)):
        found = [Path(file) for file in glob.glob(str(path), recursive=True)]
        found = [file for file in found if _is_raster(file)]
        where = f"The pattern {str(path)!r}"
    else:
        raise DataError(
            f"{what}={str(spec)!r}: there is no such file or folder ({path}). Check the spelling; "
            f"the working folder is {Path.cwd()}."
        )
    if not found:
        raise DataError(
            f"{where} given as {what} matches no GeoTIFF ({', '.join(SUFFIXES)}). Check the path, "
            "or convert the files with gdal_translate."
        )
    return sorted(found)


def _is_raster(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.is_file() and path.suffix.lower() in SUFFIXES and not hidden


def pair_files(images: Sequence[Path], masks: Sequence[Path]
               ) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Pair images with masks by name; order is never trusted.

    The parts of the names that all images share and the masks do not (`S2Hand`), and the other
    way round (`LabelHand`), are left out; what remains must be equal.

    Returns:
        The pairs in order of the images, and the images without a mask.

    Raises:
        DataError: No pair at all, or a name that fits twice.
    """
    own_masks = set(masks)
    images = [image for image in images if image not in own_masks]
    if not images:
        raise DataError(
            "Every file given as images is also given as masks; use patterns that tell them "
            "apart, such as images='data/*_S2.tif', masks='data/*_label.tif'."
        )
    _refuse_twice(images, "images")
    _refuse_twice(masks, "masks")
    if len(images) == len(masks) == 1:
        return [(images[0], masks[0])], []
    best: list[tuple[Path, Path]] = []
    for tokens in (_whole, _words, _letters_and_digits):
        pairs = _pair(images, masks, tokens)
        if len(pairs) > len(best):
            best = pairs
    if not best:
        raise DataError(
            f"No image has a mask of the same name: images such as {images[0].name}, masks such "
            f"as {masks[0].name}. Name them alike except for one word (a_S2.tif, a_label.tif)."
        )
    paired = {image for image, _ in best}
    return best, [image for image in images if image not in paired]


def _whole(stem: str) -> list[str]:
    return [stem]


def _words(stem: str) -> list[str]:
    return [word for word in re.split(r"[_.\-\s]+", stem) if word]


def _letters_and_digits(stem: str) -> list[str]:
    return re.findall(r"[A-Za-z]+|\d+", stem)


Key = tuple[str, ...]


def _keys(files: Sequence[Path], others: Sequence[Path],
          tokens: Callable[[str], list[str]]) -> dict[Path, Key]:
    mine, theirs = _tokens(files, tokens), _tokens(others, tokens)
    shared = _in_all(mine)
    differing = shared - _in_all(theirs)
    return {
        file: tuple(word for word in words if word not in differing)
        for file, words in mine.items()
    }


def _in_all(words: dict[Path, list[str]]) -> set[str]:
    first, *others = words.values()
    return set(first).intersection(*others)


def _tokens(files: Sequence[Path], tokens: Callable[[str], list[str]]) -> dict[Path, list[str]]:
    base = common_folder(files)
    return {
        file: [
            word.lower()
            for word in (*file.parent.relative_to(base).parts, *tokens(file.stem))
        ]
        for file in files
    }


def _pair(images: Sequence[Path], masks: Sequence[Path],
          tokens: Callable[[str], list[str]]) -> list[tuple[Path, Path]]:
    image_keys = _keys(images, masks, tokens)
    by_key: dict[Key, list[Path]] = {}
    for mask, key in _keys(masks, images, tokens).items():
        by_key.setdefault(key, []).append(mask)
    pairs = []
    for image, key in image_keys.items():
        fitting = by_key.get(key, [])
        if len(fitting) > 1:
            raise DataError(
                f"{image} fits more than one mask: {fitting[0].name} and {fitting[1].name}. "
                "Give the masks by a narrower pattern, such as masks='data/*_label.tif'."
            )
        if fitting:
            pairs.append((image, fitting[0]))
    masks_used: dict[Path, Path] = {}
    for image, mask in pairs:
        if mask in masks_used:
            raise DataError(
                f"{mask} fits more than one image: {masks_used[mask].name} and {image.name}. "
                "Give the images by a narrower pattern, such as images='data/*_S2.tif'."
            )
        masks_used[mask] = image
    return pairs


def common_folder(files: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all files."""
    return Path(os.path.commonpath([file.parent for file in files]))


def _refuse_twice(files: Sequence[Path], what: str) -> None:
    seen: set[Path] = set()
    for file in files:
        if file in seen:
            raise DataError(f"{file} is given twice in {what}; chips would have the same id.")
        seen.add(file)


def scene_names(images: Sequence[Path]) -> list[str]:
    """Return a name for each image: its stem, with its folders where stems repeat.

    Raises:
        DataError: Two images have one name even so.
    """
    names = [image.stem for image in images]
    if len(set(names)) < len(names):
        base = common_folder(images)
        names = ["-".join(image.relative_to(base).with_suffix("").parts) for image in images]
    seen: dict[str, Path] = {}
    for name, image in zip(names, images, strict=True):
        if name in seen:
            raise DataError(
                f"{seen[name]} and {image} would both give chips named {name!r}. Rename one, or "
                "leave it out of images=."
            )
        seen[name] = image
    return names
