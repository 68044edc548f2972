"""Backbones: the contract, and the registries of families and of what is published.

Every other file of this folder is one family with its published members as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.models.layers import Normalize
from workbench.models.metadata import Dates, LonLat
from workbench.models.weights import State, state_hash
from workbench.registry import Registry, import_plugins

# The six bands of Harmonized Landsat Sentinel-2 that Prithvi was trained with, in its order.
HLS_BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")


class Backbone(nn.Module):
    """A network from an image to feature maps.

    Attributes:
        name: Name in the registry, or the family's.
        bands: Canonical names of the bands it takes, in order.
        mean: Mean reflectance (0 to 1) by band that the weights were trained with, or None.
        std: Standard deviation likewise.
        patch_size: Side in pixels of the cell of the coarsest feature.
        size_multiple: Image sides have to be padded to a multiple of it.
        num_features: Channels of each feature map.
        strides: Pixels per cell of each feature map.
        blocks: The transformer blocks, called in order with the tokens ``(B, N, D)`` as first
            positional argument and returning nothing but tokens, of any number N; None for other
            networks. PEFT methods put hooks on them.
        embed_dim: Channels D of a token; 0 for other networks.
        num_heads: Heads of the attention of a block; 0 for other networks.
        num_frames: Dates of an image that it is built for.
        num_prefix_tokens: Tokens that come before those of the patches: class token, registers.
        pretrained: Whether the weights were learned before.
        derived: Names of buffers that follow from the architecture and the image size.
        encodings: Which of `"time"` and `"location"` the family can encode.
        extras: Which of `"gsd"` and `"month"` the family takes beside them.
        max_frames: Dates of an image that the family takes at most; None for any number.
        default_bands: Bands where none are asked for and a name says no others.
        statistics: Mean and standard deviation by band, in physical units, that all published
            weights of the family share.
    """

    derived: ClassVar[frozenset[str]] = frozenset()
    encodings: ClassVar[tuple[str, ...]] = ()
    extras: ClassVar[tuple[str, ...]] = ()
    max_frames: ClassVar[int | None] = 1
    default_bands: ClassVar[tuple[str, ...]] = HLS_BANDS
    statistics: ClassVar[Mapping[str, tuple[float, float]]] = {}

    name: str
    bands: tuple[str, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    patch_size: int
    size_multiple: int
    num_features: tuple[int, ...]
    strides: tuple[int, ...]
    blocks: nn.ModuleList | None
    embed_dim: int = 0
    num_heads: int = 0
    num_frames: int = 1
    num_prefix_tokens: int = 0
    pretrained: bool = False

    def forward(
        self,
        image: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return feature maps ``(B, D, H, W)`` of all blocks, or of those asked for.

        All blocks run whatever is asked for; `blocks=()` returns an empty list.

        Args:
            image: What `prepare` returns.
            time: What `encode` returns.
            location: Likewise.
            gsd: Metres a pixel, of all images or ``(B,)`` of each.
            month: Month of all images, or ``(B,)`` or ``(B, T)`` of each, 0 (January) to 11.
            blocks: Indices of blocks; negative ones count from the end.

        Raises:
            RecipeError: Something is given that the family does not take.
        """
        raise NotImplementedError

    @property
    def sections(self) -> list[nn.Module]:
        """The modules that most activations lie in, one after the other; none where unknown."""
        return list(self.blocks or ())

    def refuse(self, **given: object) -> None:
        """Raise the error of metadata, given as not None, that the family does not take."""
        taken = (*self.encodings, *self.extras)
        wrong = [name for name, value in given.items() if value is not None and name not in taken]
        if wrong:
            takes = " and ".join(taken) or "nothing"
            raise RecipeError(
                f"{self.name} takes no {' and no '.join(wrong)}; beside the image it takes {takes}."
            )

    def input_layer(self, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
        """Return the module that makes the input from physical units; NaN is not valid.

        Args:
            mean: Mean by band in physical units: the weights' own, or a dataset's.
            std: Standard deviation likewise.
        """
        return Normalize(mean, std)

    def prepare(self, image: Tensor) -> Tensor:
        """Return the input for an image in physical units, by the weights' own statistics.

        An untrained network without statistics takes the image as it is.

        Args:
            image: ``(B, C, H, W)`` or ``(B, C, T, H, W)``: reflectance 0 to 1, SAR in decibel;
                NaN where not valid.

        Raises:
            RecipeError: The weights have no statistics for these bands.
        """
        mean, std = self.mean, self.std
        if mean is None or std is None:
            if self.pretrained:
                raise RecipeError(
                    f"{self.name!r} has no statistics for the bands {', '.join(self.bands)}; scale "
                    "images as its weights expect them."
                )
            mean, std = (0.0,) * len(self.bands), (1.0,) * len(self.bands)
        return self.input_layer(mean, std).to(image.device)(image)

    def encode(
        self,
        dates: Dates | Sequence[Dates] | None = None,
        lonlat: LonLat | Sequence[LonLat] | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return time and location as `forward` takes them; None for what is not given.

        Args:
            dates: ISO date of each image, or one for each of its frames.
            lonlat: Longitude and latitude of each image's centre in degrees.

        Raises:
            RecipeError: The family does not encode what is given.
            DataError: Something is no date, or no position on the globe.
        """
        if dates is not None or lonlat is not None:
            raise RecipeError(f"{self.name} encodes neither time nor location; leave them out.")
        return None, None

    def token_grid(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return how the tokens after the prefix run: outer, rows, columns, inner.

        Plain ViTs have one token a patch and frame: ``(T, h, w, 1)``. Where a patch has several
        tokens that follow each other, their number is the last.

        Args:
            image: What `forward` takes.
        """
        frames = image.shape[2] if image.ndim == 5 else 1
        height, width = image.shape[-2:]
        return frames, height // self.patch_size, width // self.patch_size, 1

    def linear_roles(self) -> dict[str, list[str]]:
        """Return the paths of the linear layers by role: qkv or q, k, v; proj, fc1, fc2."""
        return {}

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return published tensors under this module's names, for this module's bands.

        Args:
            state: The tensors of a file.
            bands: Bands that the tensors were trained with.
            origin: Where they come from, for messages.
        """
        return state

    def weights_hash(self) -> str:
        """Return the SHA-256 of the weights, whatever image size the module is built for."""
        return state_hash(self, self.derived)


@dataclass(frozen=True)
class Source:
    """A file on the Hugging Face hub, with what a public source states of it.

    Attributes:
        repo: Owner and name of the repository.
        file: Path of the file in it.
        revision: Commit. The hub knows only whole ones (40 digits); an abbreviated one says
            where the other facts were read.
        size_bytes: Size of the file.
        sha256: SHA-256 of the file, or its first digits as in the file names of torch.hub.
    """

    repo: str
    file: str
    revision: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def full_revision(self) -> str | None:
        """The commit, where it is known in full."""
        return self.revision if self.revision and len(self.revision) == 40 else None

    def __str__(self) -> str:
        return f"{self.file} of {self.repo}"


@dataclass(frozen=True)
class Facts:
    """What is known of a backbone that has a name.

    `mean` and `std` are by band in reflectance, 0 to 1. `shipped` is a file inside the package.
    `decoders` holds the decoder options that suit its size.
    """

    name: str
    family: str
    bands: tuple[str, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: int = 224
    coords: tuple[str, ...] = ()
    architecture: Mapping[str, Any] = field(default_factory=dict)
    decoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: Source | None = None
    shipped: str | None = None
    licence: str = "Apache-2.0"
    about: str = ""

    @property
    def pretrained(self) -> bool:
        """Whether weights exist."""
        return self.source is not None or self.shipped is not None


FAMILIES: Registry[type[Backbone]] = Registry("family of backbones", "wb.backbones()")
BACKBONES: Registry[Facts] = Registry("backbone", "wb.backbones()")


def publish(*entries: Facts) -> None:
    """Register named backbones."""
    for entry in entries:
        BACKBONES.add(entry.name, entry)


import_plugins(__name__, __path__)
