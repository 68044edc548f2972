"""The PEFT paper's grid: its recipes and its scores, as published.

Source: IBM/peft-geofm, the repository of the authors; `paper.json` beside this file says which of
its files each number comes from.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, unknown_name
from workbench.models.backbones import HLS_BANDS
from workbench.peft import METHODS
from workbench.recipe import Recipe
from workbench.storage import read_json

if TYPE_CHECKING:
    import pandas as pd

# Rows of the published table by the names of our backbones. Of Prithvi 2.0 100M the paper does not
# say which weights; those on the hub are the ones with time and location encodings.
MODELS = {
    "prithvi_eo_v1_100": "Prithvi 1.0 100M",
    "prithvi_eo_v2_100_tl": "Prithvi 2.0 100M",
    "prithvi_eo_v2_300": "Prithvi 2.0 300M",
    "clay_v1": "Clay v1",
    "decur_resnet50": "DeCUR",
}
SIX_BANDS = {"clay_v1": "Clay v1 (6 bands)", "decur_resnet50": "DeCUR (6 bands)"}
# Published, but not as a network or weights that we could name.
BASELINES = {"unet_encoder": "UNet (Rand.)", "vit_in21k": "ViT (IN-21K)"}
# Chips in one step (configs/datamodules).
BATCH_SIZES = {
    "sen1floods11": 8, "burn_scars": 8, "reBEN_7k": 32, "m_cashew_plantation": 8,
    "m_sa_crop_type": 8,
}  # fmt: skip
# The same under the names of our catalogue.
OURS = {
    "hls-burn-scars": "burn_scars", "reben-7k": "reBEN_7k",
    "m-cashew-plant": "m_cashew_plantation", "m-sa-crop-type": "m_sa_crop_type",
}  # fmt: skip
# Bands of Sentinel-2 that each model was given there.
CLAY_BANDS = ("BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3", "NIR_BROAD",
              "NIR_NARROW", "SWIR_1", "SWIR_2")  # fmt: skip
DECUR_BANDS = ("COASTAL_AEROSOL", *CLAY_BANDS[:8], "WATER_VAPOR", "CIRRUS", *CLAY_BANDS[8:])


def paper_recipe(
    backbone: str, method: str, dataset: str, decoder: str = "linear", *, six_bands: bool = False
) -> Recipe:
    """Return the recipe of one cell of the paper's table of methods.

    Batch size, epochs, patience, schedule, LoRA's and VPT's sizes are the paper's. So is the
    learning rate where `paper_scores()` lists one; elsewhere it stays open, and the method's
    default, which is ours, is used.

    Args:
        backbone: `prithvi_eo_v1_100`, `prithvi_eo_v2_100_tl`, `prithvi_eo_v2_300`, `clay_v1` or
            `decur_resnet50`.
        method: `linear_probe`, `vpt`, `lora`, `vit_adapter` or `full`.
        dataset: `sen1floods11`, `burn_scars`, `reBEN_7k`, `m_cashew_plantation` or
            `m_sa_crop_type`, or its name in `wb.open_catalog()`.
        decoder: The table is with `linear` only.
        six_bands: The row in which Clay or DeCUR sees the six bands of Prithvi only.

    Raises:
        UnknownNameError: The paper has no such backbone, method or dataset.
        RecipeError: The cell was not published; the message names those that were.
    """
    dataset = OURS.get(dataset, dataset)
    cell = _cell(backbone, method, dataset, decoder, six_bands)
    return Recipe(
        backbone=backbone,
        peft=METHODS[method](),
        decoder=decoder,
        batch_size=BATCH_SIZES[dataset],
        learning_rate=cell.get("learning_rate"),
        bands=_bands(backbone, dataset, six_bands),
    )


def paper_scores() -> pd.DataFrame:
    """Return the published scores, one row a cell.

    Columns: `model` and `dataset` as the paper calls them, `backbone` and `method` as we do,
    `miou` and `std` in percent over the authors' runs, the same for the region held out
    (Bolivia; Austria and Ireland), and the `learning_rate` where it is known.
    """
    import pandas as pd

    names = {row: name for table in (MODELS, SIX_BANDS, BASELINES) for name, row in table.items()}
    table = pd.DataFrame(_published()["cells"])
    table.insert(1, "backbone", table["model"].map(names))
    table.attrs["source"] = _published()["source"]
    return table


@cache
def _published() -> dict[str, Any]:
    return read_json(Path(__file__).with_suffix(".json"))


def _cell(
    backbone: str, method: str, dataset: str, decoder: str, six_bands: bool
) -> dict[str, Any]:
    methods = {cell["method"] for cell in _published()["cells"]}
    for kind, name, known in (
        ("backbone in the PEFT paper", backbone, {*MODELS, *BASELINES}),
        ("method in the PEFT paper", method, methods),
        ("dataset in the PEFT paper", dataset, set(BATCH_SIZES)),
    ):
        if name not in known:
            raise unknown_name(kind, name, known, "wb.paper_scores()")
    if backbone in BASELINES:
        raise RecipeError(
            f"The paper's {BASELINES[backbone]!r} has scores (wb.paper_scores()), but which "
            "network and weights it was is not said. wb.baselines(dataset) has a U-Net of ours."
        )
    if decoder != "linear":
        raise RecipeError(
            f"The paper's table of methods is with decoder='linear' only; got {decoder!r}. "
            f"paper_recipe(...).but(decoder={decoder!r}) is a recipe of your own."
        )
    return _in_row(backbone, method, dataset, six_bands)


def _in_row(backbone: str, method: str, dataset: str, six_bands: bool) -> dict[str, Any]:
    if six_bands and backbone not in SIX_BANDS:
        raise RecipeError(
            f"six_bands=True: the paper has such rows of {' and '.join(SIX_BANDS)} only; "
            f"{backbone} has six bands anyway."
        )
    model = (SIX_BANDS if six_bands else MODELS)[backbone]
    row = [cell for cell in _published()["cells"] if cell["model"] == model]
    for cell in row:
        if (cell["method"], cell["dataset"]) == (method, dataset):
            return cell
    published = ", ".join(dict.fromkeys(repr(cell["method"]) for cell in row))
    raise RecipeError(
        f"The paper has no cell of {backbone!r} with {method!r}. With {backbone!r} it published "
        f"{published}, each on {', '.join(BATCH_SIZES)}."
    )


def _bands(backbone: str, dataset: str, six_bands: bool) -> tuple[str, ...]:
    # Burn scars come with these six only.
    if six_bands or dataset == "burn_scars" or backbone.startswith("prithvi"):
        return HLS_BANDS
    if backbone == "clay_v1":
        return CLAY_BANDS
    # Only Sen1Floods11 is of level 1C, which has the band of cirrus clouds.
    l1c = dataset == "sen1floods11"
    return tuple(band for band in DECUR_BANDS if l1c or band != "CIRRUS")
