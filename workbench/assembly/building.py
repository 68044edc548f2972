"""Build the model that a recipe describes, for the bands and classes of a dataset."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from workbench.data.bands import canonical_all, positions
from workbench.data.info import ClassInfo, parse_classes
from workbench.errors import BandError, RecipeError
from workbench.models import load_backbone
from workbench.models.backbones import Backbone
from workbench.models.decoders import DECODERS, Decoder
from workbench.models.loading import Weights, find_facts
from workbench.models.recompute import require_sections
from workbench.models.segmenter import Segmenter
from workbench.models.spectral_index import IndexModel
from workbench.peft import Adapter
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex, recipe_from_json

Model = Segmenter | IndexModel


@dataclass(frozen=True)
class ModelDescription:
    """Everything but tensors that a model is rebuilt from and used with.

    `scale` and `offset` turn stored values into the physical units the model takes;
    `weights_hash` is of the frozen backbone, None where the backbone is saved or there is none.
    `weights_bands`, `architecture` and `decoder_options` are empty where the backbone's name says
    it all.
    """

    recipe: AnyRecipe
    classes: tuple[ClassInfo, ...]
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1.0
    offset: float = 0.0
    image_size: int | tuple[int, int] | None = None
    num_frames: int = 1
    weights: str | None = None
    weights_hash: str | None = None
    weights_bands: tuple[str, ...] | None = None
    architecture: dict[str, Any] = field(default_factory=dict)
    decoder_options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        classes = [entry.model_dump() for entry in self.classes]
        # asdict goes into dataclasses only; recipe and classes are pydantic.
        return {**asdict(self), "recipe": self.recipe.to_json(), "classes": classes}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ModelDescription:
        """Return the description that `to_json` wrote."""
        size, trained = data["image_size"], data.get("weights_bands")
        return ModelDescription(**{
            **data,
            "recipe": recipe_from_json(data["recipe"]),
            "classes": tuple(ClassInfo(**entry) for entry in data["classes"]),
            **{name: tuple(data[name]) for name in ("bands", "mean", "std")},
            "image_size": tuple(size) if isinstance(size, list) else size,
            "weights_bands": None if trained is None else tuple(trained),
        })  # fmt: skip


def build_model(
    recipe: AnyRecipe,
    *,
    classes: int | Sequence[str | ClassInfo],
    bands: Sequence[str],
    image_size: int | tuple[int, int] | None = None,
    num_frames: int = 1,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    weights: Weights = None,
    weights_bands: Sequence[str] | None = None,
    architecture: Mapping[str, Any] | None = None,
    decoder_options: Mapping[str, Any] | None = None,
) -> Model:
    """Build a model that takes physical units and gives logits ``(B, K, y, x)``.

    Args:
        recipe: What to build; its seed decides every random weight.
        classes: Their number, names, or `ClassInfo`.
        bands: Bands there are, by name; the recipe may narrow them.
        image_size: Side in pixels that positions are made for; by default the backbone's. Any
            other size works too.
        num_frames: Number of dates in an image.
        mean: Mean of each of `bands` in physical units; by default the backbone's.
        std: Standard deviation likewise.
        scale: Stored value * scale + offset is the physical unit; kept for prediction.
        offset: See `scale`.
        weights: Weights of the backbone, as in `load_backbone`; by default the recipe's.
        weights_bands: Bands that `weights` were trained with, where the name says others.
        architecture: Sizes of a backbone without a name, as in `load_backbone`.
        decoder_options: Sizes of the decoder; by default those that suit the backbone.

    Returns:
        A module with `bands`, `adapter` (None for an index) and `description`.

    Raises:
        RecipeError: The PEFT method does not fit the backbone; those that do are named. Or its
            activations cannot be computed again.
        BandError: A band that the recipe needs is not there.
        WeightsError: The backbone's weights are missing or broken.
    """
    if weights is None and isinstance(recipe, Recipe):
        weights = recipe.weights
    named = [f"class {k}" for k in range(classes)] if isinstance(classes, int) else classes
    description = ModelDescription(
        recipe=recipe,
        classes=parse_classes(named)[0],
        bands=_bands(recipe, bands),
        mean=(), std=(), scale=scale, offset=offset,
        image_size=image_size, num_frames=num_frames,
        weights=str(weights) if isinstance(weights, str | Path) else None,
        weights_bands=None if weights_bands is None else canonical_all(weights_bands),
        architecture=dict(architecture or {}), decoder_options=dict(decoder_options or {}),
    )  # fmt: skip
    if isinstance(recipe, SpectralIndex):
        return _index_model(recipe, description)
    where = positions(description.bands, canonical_all(bands), "The dataset")
    given = None
    if mean is not None and std is not None:
        given = tuple(mean[i] for i in where), tuple(std[i] for i in where)
    return _segmenter(recipe, description, given, weights)


def _segmenter(
    recipe: Recipe,
    description: ModelDescription,
    given: tuple[tuple[float, ...], tuple[float, ...]] | None,
    weights: Weights,
) -> Segmenter:
    backbone = _backbone(recipe, description, weights)
    mean, std = _statistics(recipe, backbone, given)
    digest = None if recipe.peft.saves_backbone else backbone.weights_hash()
    adapter, decoder = _equip(
        recipe, backbone, len(description.classes), description.decoder_options
    )
    model = Segmenter(backbone.input_layer(mean, std), backbone, decoder)
    model.adapter = adapter
    model.coords = recipe.coords
    model.description = replace(description, mean=mean, std=std, weights_hash=digest)
    return model


def build_skeleton(
    recipe: Recipe,
    *,
    classes: int,
    bands: Sequence[str],
    image_size: int | tuple[int, int] | None = None,
    num_frames: int = 1,
) -> Segmenter:
    """Build the module of `build_model` without memory for its weights: names and sizes only.

    Nothing is read or downloaded. The arguments are those of `build_model`.
    """
    description = ModelDescription(
        recipe=recipe, classes=(), bands=_bands(recipe, bands), mean=(), std=(),
        image_size=image_size, num_frames=num_frames,
    )  # fmt: skip
    with torch.device("meta"):
        # Some networks of timm choose a device themselves.
        backbone = _backbone(recipe, description, "random").to("meta")
        adapter, decoder = _equip(recipe, backbone, classes, {})
        count = len(backbone.bands)
        model = Segmenter(backbone.input_layer([0.0] * count, [1.0] * count), backbone, decoder)
    model.adapter = adapter
    return model


def _backbone(recipe: Recipe, description: ModelDescription, weights: Weights) -> Backbone:
    with _seeded(recipe.seed):
        backbone = load_backbone(
            recipe.backbone,
            weights=weights,
            bands=description.bands,
            image_size=description.image_size,
            num_frames=description.num_frames,
            # A family without a size has only the encodings that are asked for.
            coords=find_facts(recipe.backbone).coords or recipe.coords,
            weights_bands=description.weights_bands,
            **description.architecture,
        )
    recipe.peft.require_fit(backbone)
    return backbone


def _equip(
    recipe: Recipe, backbone: Backbone, num_classes: int, decoder_options: Mapping[str, Any]
) -> tuple[Adapter, Decoder]:
    """Apply the method to the backbone and build the decoder for the features there are then."""
    with _seeded(recipe.seed):
        adapter = recipe.peft.apply(backbone)
    if recipe.gradient_checkpointing and adapter.trains_backbone:
        require_sections(backbone)
    kind = DECODERS[recipe.decoder]
    options = decoder_options or find_facts(recipe.backbone).decoders.get(recipe.decoder, {})
    if kind.sees_image:
        options = {"num_bands": len(backbone.bands) * backbone.num_frames, **options}
    with _seeded(recipe.seed):
        decoder = kind(backbone.num_features, backbone.strides, num_classes, **options)
    return adapter, decoder


def _statistics(
    recipe: Recipe,
    backbone: Backbone,
    given: tuple[tuple[float, ...], tuple[float, ...]] | None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    own = None
    if backbone.mean is not None and backbone.std is not None:
        own = backbone.mean, backbone.std
    if recipe.normalization == "backbone":
        if own is None:
            raise RecipeError(
                f"normalization='backbone': {backbone.name!r} has no statistics for the bands "
                f"{', '.join(backbone.bands)}. Use normalization='dataset'."
            )
        return own
    if chosen := given or own:
        return chosen
    warnings.warn(
        "No band statistics: the model takes its input as it is. Pass mean and std.", stacklevel=4
    )
    count = len(backbone.bands)
    return (0.0,) * count, (1.0,) * count


def _index_model(recipe: SpectralIndex, description: ModelDescription) -> IndexModel:
    if len(description.classes) != 2:
        raise RecipeError(
            f"{recipe!r} tells two classes apart; the dataset has {len(description.classes)}."
        )
    first = "water" in description.classes[0].name.lower()
    threshold = 0.0 if recipe.threshold == "tuned" else recipe.threshold
    model = IndexModel(recipe.bands, threshold, water=0 if first else 1)
    model.description = description
    return model


def _bands(recipe: AnyRecipe, bands: Sequence[str]) -> tuple[str, ...]:
    available = canonical_all(bands)
    if not available:
        raise BandError("bands=[] is empty; name the bands of the images.")
    if recipe.bands is None:
        return available
    positions(recipe.bands, available, "The dataset")
    return recipe.bands


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, and leave the caller's random state as it was."""
    if torch.get_default_device().type == "meta":
        # Nothing is drawn, and a form may do it in a thread beside a training.
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
