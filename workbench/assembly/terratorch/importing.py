"""import_terratorch: from a checkpoint to a run folder that predicts the same logits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from workbench.assembly.building import build_model
from workbench.assembly.files import save_model
from workbench.assembly.terratorch.methods import method_of
from workbench.assembly.terratorch.parts import (
    ADAPTER_MARKS,
    Parts,
    Sizes,
    decoder_of,
    sizes_of,
    split,
)
from workbench.assembly.terratorch.reading import Said, read_checkpoint, read_config
from workbench.data import ClassInfo, DatasetInfo
from workbench.data.bands import canonical_all
from workbench.errors import BandError, LabelError, RecipeError, WeightsError
from workbench.models.backbones import BACKBONES, FAMILIES
from workbench.models.backbones.clay import TRAINED_NM
from workbench.models.loading import find_facts
from workbench.models.segmenter import Segmenter
from workbench.models.weights import assign_state
from workbench.recipe import Recipe
from workbench.runs import Run, checkpoints, create_imported, refuse_existing

# Beside the checkpoints, because adapters never hold the frozen backbone.
BACKBONE = "backbone.safetensors"
_FROM_CHECKPOINT = f"../../{BACKBONE}"
# Micrometres that TerraTorch 1.2.13 gives Clay: by the names of bands, and where it is told none.
_CLAY_UM = {
    "COASTAL_AEROSOL": 0.44, "BLUE": 0.49, "GREEN": 0.56, "RED": 0.665, "RED_EDGE_1": 0.705,
    "RED_EDGE_2": 0.74, "RED_EDGE_3": 0.783, "NIR_BROAD": 0.832, "NIR_NARROW": 0.864,
    "WATER_VAPOR": 0.945, "CIRRUS": 1.373, "SWIR_1": 1.61, "SWIR_2": 2.20, "VV": 5.405,
    "VH": 5.405,
}  # fmt: skip
_CLAY_DEFAULT_UM = (0.493, 0.56, 0.665, 0.842, 1.61, 2.19)
Normalisation = Mapping[str, Any] | tuple[Sequence[float], Sequence[float]]


def import_terratorch(
    checkpoint: str | Path,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    normalisation: Normalisation | None = None,
    classes: Sequence[str | ClassInfo] | None = None,
    bands: Sequence[str] | None = None,
    scale: float | None = None,
    metadata: Literal["none", "time", "location", "both"] = "none",
    name: str | None = None,
    root: str | Path = "runs",
) -> Run:
    """Open a model that was fine-tuned with TerraTorch as a run that gives the same logits.

    Prithvi and Clay v1 with one of the four decoders, fine-tuned as a whole, with LoRA, VPT or the
    ViT-Adapter. What is not given is looked up in `config`, then in what Lightning stored beside
    the tensors. Which blocks feed the decoder is not stored: without `config` they are taken for
    the paper's (the last of each quarter, or the last).

    Args:
        checkpoint: A Lightning `.ckpt`, or a state dict as `.pt` or `.safetensors`. Nothing in it
            is run.
        config: TerraTorch's YAML, or a mapping with what the tensors cannot tell: `lora_alpha`,
            `num_heads` of sizes without a name, `necks`, `class_names`, `means` and `stds`.
        normalisation: Means and standard deviations by band that the images were scaled with, as
            a pair or as `{"means": …, "stds": …}`.
        classes: Names of the classes.
        bands: Names of the bands in the order of the model.
        scale: What stored values were multiplied by before the normalisation; by default the
            configuration's `constant_scale`, else 1.
        metadata: What the model was told beside pixels in training.
        name: Name of the run's folder; by default the checkpoint's.
        root: Folder of the runs.

    Returns:
        The run. Its training data are not known: give `wb.evaluate` a split.

    Raises:
        WeightsError: The file is damaged, would run code, or holds tensors of another model.
        RecipeError: Backbone, decoder or method is not one of those above, or something is missing.
        BandError: The names of the bands are not known.
        RunExistsError: The run folder is already there.

    Warns:
        UserWarning: There is no normalisation: the model takes its images as they are.
    """
    path = Path(checkpoint).expanduser()
    folder = Path(root) / (path.stem if name is None else name)
    refuse_existing(folder)
    state, beside = read_checkpoint(path)
    said = Said(read_config(config), beside)
    parts = split(state, str(path))
    sizes = sizes_of(parts, said)
    named = _bands(bands, sizes, said)
    described = _classes(classes, parts.num_classes, said)
    factor = float(said.find("constant_scale") or 1.0) if scale is None else scale
    mean, std = _statistics(normalisation, named, said)
    model = _model(parts, sizes, said, described, named, metadata, (mean, std, factor), str(path))
    # Before the adapter the model knew its weights as a mapping; on disk they lie beside it.
    kept = not model.description.recipe.peft.saves_backbone
    model.description = replace(model.description, weights=_FROM_CHECKPOINT if kept else None)
    info = _info(path, model, factor)
    with create_imported(folder, model.description.recipe, info, str(path), {
        "bands": list(named), "mean": list(mean), "std": list(std), "device": None,
        "weights_hash": model.description.weights_hash,
    }) as temporary:  # fmt: skip
        best = temporary / checkpoints.CHECKPOINTS / "best"
        best.mkdir(parents=True)
        save_model(model, best)
        if kept:
            save_file({key: value.float().contiguous() for key, value in parts.backbone.items()},
                      temporary / BACKBONE)  # fmt: skip
    return Run(folder)


def _model(
    parts: Parts, sizes: Sizes, said: Said, classes: Sequence[ClassInfo], bands: tuple[str, ...],
    metadata: Any, units: tuple[tuple[float, ...], tuple[float, ...], float], origin: str,
) -> Segmenter:  # fmt: skip
    backbone = _name(sizes)
    published = backbone in BACKBONES
    architecture = {} if published else sizes.architecture
    if sizes.family == "clay":
        architecture = {**architecture, "wavelengths_nm": _wavelengths(bands, said)}
    decoder, options, tensors = decoder_of(parts, said)
    mean, std, scale = units
    model = build_model(
        Recipe(backbone=backbone, peft=method_of(parts, sizes, said), decoder=decoder,
               metadata=metadata),
        classes=classes, bands=bands, mean=mean, std=std, scale=scale, weights=parts.backbone,
        weights_bands=bands, image_size=sizes.image_size, num_frames=sizes.num_frames,
        architecture=architecture, decoder_options=options,
    )  # fmt: skip
    assert isinstance(model, Segmenter)
    _same_wiring(model, said)
    assign_state(model.decoder, tensors, origin)
    own = {name: tensor for name, tensor in model.backbone.state_dict().items()
           if any(mark in name for mark in ADAPTER_MARKS)}  # fmt: skip
    if foreign := [name for name in {**own, **parts.adapter}
                   if name not in own or name not in parts.adapter
                   or own[name].shape != parts.adapter[name].shape]:  # fmt: skip
        raise WeightsError(f"{origin} holds an adapter that is not imported: {len(foreign)} of its "
                           f"tensors differ from ours, such as {foreign[0]}.")  # fmt: skip
    model.backbone.load_state_dict(parts.adapter, strict=False)
    return model.eval()


def _name(sizes: Sizes) -> str:
    """Return the published name of a size; the family's where it has none."""
    return next(
        (name for name, facts in BACKBONES.items()
         if facts.family == sizes.family and facts.source is not None
         and (sizes.family == "clay" or set(facts.coords) == set(sizes.coords))
         and facts.architecture.items() <= sizes.architecture.items()
         and sizes.architecture["mlp_ratio"] == 4),
        sizes.family,
    )  # fmt: skip


# What changes logits and is not in the tensors: names in a configuration, and the one value that is
# the same here.
_WIRING = {"decoder_align_corners": True, "decoder_in_index": -1, "backbone_padding": "reflect",
           "rescale": True}  # fmt: skip


def _same_wiring(model: Segmenter, said: Said) -> None:
    """Refuse a model that was put together in another way, or fed from other blocks."""
    for name, same in _WIRING.items():
        if (given := said.find(name)) not in (None, same):
            raise RecipeError(f"{name}={given!r} is not imported; only {same!r}.")
    asked = said.find("indices")
    depth = len(model.backbone.blocks or ())
    if isinstance(asked, list | tuple) and depth:
        given = tuple(index % depth for index in asked)
        # Decoders of one map take the last that they are given.
        if given[-len(model.decoder.blocks) :] != tuple(model.decoder.blocks):
            raise RecipeError(
                f"The decoder was fed from blocks {list(given)}; here it takes "
                f"{list(model.decoder.blocks)}, and no others can be imported."
            )


def _bands(given: Sequence[str] | None, sizes: Sizes, said: Said) -> tuple[str, ...]:
    named = given or said.find("backbone_bands", "model_bands", "output_bands", "bands")
    if named is None:
        named = FAMILIES[sizes.family].default_bands
    bands = canonical_all(named)
    if sizes.num_bands not in (None, len(bands)):
        raise BandError(
            f"The model takes {sizes.num_bands} bands; {len(bands)} are named "
            f"({', '.join(bands)}). Pass bands=[…], in the order of the model."
        )
    return bands


def _classes(
    given: Sequence[str | ClassInfo] | None, count: int, said: Said
) -> list[ClassInfo]:
    from workbench.data.info import parse_classes

    named = given or said.find("class_names") or [f"class {k}" for k in range(count)]
    if len(named) != count:
        raise LabelError(f"The model tells {count} classes apart; {len(named)} are named: "
                         f"{', '.join(map(str, named))}.")  # fmt: skip
    return list(parse_classes(list(named))[0])


def _statistics(
    given: Normalisation | None, bands: tuple[str, ...], said: Said
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(given, Mapping):
        told = Said(given)
        pair = told.find("means", "mean"), told.find("stds", "std")
    else:
        pair = given or (said.find("means", "mean"), said.find("stds", "std"))
    if pair[0] is None and pair[1] is None:
        warnings.warn(
            "No normalisation: the model takes its images as they are. Pass normalisation=(means, "
            "stds), or the configuration that holds them.", stacklevel=3,
        )  # fmt: skip
        return (0.0,) * len(bands), (1.0,) * len(bands)
    mean, std = (tuple(_numbers(entry, bands)) for entry in pair)
    return mean, std


def _numbers(entry: Any, bands: tuple[str, ...]) -> list[float]:
    if isinstance(entry, Mapping):
        by_name = dict(zip(canonical_all(list(entry)), entry.values(), strict=True))
        entry = [by_name.get(band) for band in bands]
    numbers = None if entry is None else list(entry)
    if numbers is None or None in numbers or len(numbers) != len(bands):
        raise RecipeError(f"normalisation: {entry!r} is not one number for each of "
                          f"{', '.join(bands)}.")  # fmt: skip
    return [float(number) for number in numbers]


def _wavelengths(bands: tuple[str, ...], said: Said) -> list[float]:
    """Return the nanometres that TerraTorch gave Clay."""
    told = said.find("backbone_bands", "model_bands")
    default = FAMILIES["clay"].default_bands
    if told is None and len(bands) == len(default):
        return [1000 * um for um in _CLAY_DEFAULT_UM]
    if told is not None and all(str(name).islower() for name in told):  # Clay's own names
        return [float(TRAINED_NM[band]) for band in bands if band in TRAINED_NM]
    if missing := [band for band in bands if band not in _CLAY_UM]:
        raise BandError(f"TerraTorch gives Clay no wavelength of {', '.join(missing)}.")
    return [1000 * _CLAY_UM[band] for band in bands]


def _info(path: Path, model: Segmenter, scale: float) -> DatasetInfo:
    said = model.description
    size = said.image_size or find_facts(said.recipe.backbone).image_size
    return DatasetInfo(
        name=f"unknown (imported from {path.name})", bands=said.bands, classes=said.classes,
        scale=scale, source={"kind": "imported", "checkpoint": str(path)}, stored_bands=said.bands,
        class_values=tuple(range(len(said.classes))),
        chip_shape=(size, size) if isinstance(size, int) else size, num_frames=said.num_frames,
    )  # fmt: skip
