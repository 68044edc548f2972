"""The Prithvi models that have a name: sizes, bands, statistics, where their weights are."""

from __future__ import annotations

from typing import Any

from workbench.models.backbones import HLS_BANDS, Facts, Source, publish

# config.json of the model repositories, there in reflectance x 10 000.
V1_MEAN = (0.0775, 0.1081, 0.1229, 0.2497, 0.2204, 0.1611)
V1_STD = (0.1282, 0.1270, 0.1399, 0.1368, 0.1292, 0.1155)
V2_MEAN = (0.1087, 0.1342, 0.1433, 0.2734, 0.1958, 0.1363)
V2_STD = (0.2248, 0.2179, 0.2178, 0.1850, 0.1242, 0.1049)

# Embedding, depth, heads.
TINY, BASE, LARGE, HUGE = (192, 12, 3), (768, 12, 12), (1024, 24, 16), (1280, 32, 16)
# The decoders of the PEFT paper (IBM/peft-geofm, configs/decoders).
PAPER_DECODERS: dict[str, dict[str, Any]] = {
    "unet": {"channels": (512, 256, 128, 64)},
    "upernet": {"channels": 256},
    "fcn": {"channels": 512, "num_convs": 4},
}
# Ours: in proportion, for embeddings of 192; quick on a CPU.
SMALL_DECODERS: dict[str, dict[str, Any]] = {
    "unet": {"channels": (128, 64, 32, 16)},
    "upernet": {"channels": 64},
    "fcn": {"channels": 128, "num_convs": 4},
}

# What the hub's page of a file states, read at this commit.
STATED: dict[str, dict[str, Any]] = {
    "Prithvi_EO_V2_100M_TL.pt": {"revision": "9bf8f858", "size_bytes": 454_660_610},
}


def _published(
    name: str, size: tuple[int, int, int], hub: str, *, patch: int = 16, version: int = 2
) -> Facts:
    coords = ("time", "location") if name.endswith("_tl") else ()
    dim, depth, heads = size
    file = f"{hub.replace('-EO-', '_EO_V').replace('.0-', '_').replace('-', '_')}.pt"
    return Facts(
        name=name,
        family="prithvi",
        bands=HLS_BANDS,
        mean=V1_MEAN if version == 1 else V2_MEAN,
        std=V1_STD if version == 1 else V2_STD,
        coords=coords,
        architecture={
            "embed_dim": dim, "depth": depth, "num_heads": heads, "patch_size": patch,
        },
        decoders=SMALL_DECODERS if size is TINY else PAPER_DECODERS,
        source=Source(f"ibm-nasa-geospatial/{hub}", file, **STATED.get(file, {})),
        about="pre-trained on Harmonized Landsat Sentinel-2, "
        + ("contiguous US" if version == 1 else "global"),
    )  # fmt: skip


publish(
    Facts(
        name="workbench_tiny",
        family="prithvi",
        bands=HLS_BANDS,
        image_size=128,
        architecture={"embed_dim": 192, "depth": 6, "num_heads": 3, "patch_size": 8},
        # Three stages take its patch of 8 to its pixels.
        decoders={**SMALL_DECODERS, "fcn": {"channels": 64, "num_convs": 3}},
        shipped="workbench_tiny",
        about="pre-trained on simulated scenes, shipped with the package",
    ),
    _published("prithvi_eo_v1_100", BASE, "Prithvi-EO-1.0-100M", version=1),
    _published("prithvi_eo_v2_tiny_tl", TINY, "Prithvi-EO-2.0-tiny-TL"),
    _published("prithvi_eo_v2_100_tl", BASE, "Prithvi-EO-2.0-100M-TL"),
    _published("prithvi_eo_v2_300", LARGE, "Prithvi-EO-2.0-300M"),
    _published("prithvi_eo_v2_300_tl", LARGE, "Prithvi-EO-2.0-300M-TL"),
    _published("prithvi_eo_v2_600", HUGE, "Prithvi-EO-2.0-600M", patch=14),
    _published("prithvi_eo_v2_600_tl", HUGE, "Prithvi-EO-2.0-600M-TL", patch=14),
)
