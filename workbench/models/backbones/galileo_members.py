"""The Galileo models that have a name: sizes, where their weights are."""

from __future__ import annotations

from workbench.models.backbones import Facts, Source, publish
from workbench.models.backbones._galileo_input import SENTINEL_2

# Of all three sizes. Source: allenai/rslearn (rslearn/models/galileo/galileo.py).
REVISION = "f039dd5dde966a931baeda47eb680fa89b253e4e"


def _published(size: str, dim: int, depth: int, heads: int, channels: tuple[int, ...]) -> Facts:
    return Facts(
        name=f"galileo_{size}",
        family="galileo",
        bands=SENTINEL_2,
        image_size=64,
        coords=("time",),
        architecture={"embed_dim": dim, "depth": depth, "num_heads": heads},
        # Ours: in proportion to the embedding; three stages take its patch of 8 to its pixels.
        decoders={
            "unet": {"channels": channels},
            "upernet": {"channels": channels[1]},
            "fcn": {"channels": channels[0], "num_convs": 3},
        },
        source=Source("nasaharvest/galileo", f"models/{size}/encoder.pt", revision=REVISION),
        licence="MIT",
        about="pre-trained on Sentinel-1 and -2 and more, global; one token a group of bands",
    )


# data/models/nano/config.json, config/models/tiny.json and base.json.
publish(
    _published("nano", 128, 4, 8, (128, 64, 32, 16)),
    _published("tiny", 192, 12, 3, (128, 64, 32, 16)),
    _published("base", 768, 12, 12, (512, 256, 128, 64)),
)
