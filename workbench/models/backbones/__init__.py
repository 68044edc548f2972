"""Backbones: the contract, and the registries of families and of what is published.

Every other file of this folder is one family with its published members as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.errors import RecipeError
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
    """

    derived: ClassVar[frozenset[str]] = frozenset()
    encodings: ClassVar[tuple[str, ...]] = ()

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
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return feature maps ``(B, D, H, W)`` of all blocks, or of those asked for.

        All blocks run whatever is asked for; `blocks=()` returns an empty list.
        """
        raise NotImplementedError

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
    """A file on the Hugging Face hub."""

    repo: str
    file: str


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
