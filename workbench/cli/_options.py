"""The options that say what is trained on which data, for every command that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import workbench as wb
from workbench.cli._app import progress_bar
from workbench.cli._recipe import assignments, make_recipe, recipe_field
from workbench.errors import RecipeError

if TYPE_CHECKING:
    from workbench.data import Dataset, Split
    from workbench.recipe import AnyRecipe


def _data(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Data")


def _recipe(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Recipe")


Data = Annotated[str, _data("A collection of the catalogue.")]
Images = Annotated[str | None, _data("Your own data instead: folder or pattern of GeoTIFFs.")]
Masks = Annotated[str | None, _data("Their labels, paired by name.")]
Bands = Annotated[
    str | None, _data("Bands of your images in file order, - for one not used: BLUE,-,RED.")
]
Classes = Annotated[str | None, _data("Names of the labels 0, 1, …: land,water.")]
Region = Annotated[
    str | None, _data("Their regions: one name, a pattern such as {region}_*, or polygons.")
]
Scale = Annotated[
    float, _data("Stored value times this is reflectance: 1e-4 for Sentinel-2 and HLS.")
]
ChipSize = Annotated[int | None, _data("Cut images into chips of this side.")]
Frames = Annotated[
    int, _data("Dates in every image: all bands of the first, then all of the second.")
]
HoldOut = Annotated[list[str] | None, _data("A region never trained on; may be repeated.")]
# Help and defaults come from the recipe's fields: see RecipeCommand.
Word = Annotated[str | None, recipe_field]
Whole = Annotated[int | None, recipe_field]
Number = Annotated[float | None, recipe_field]
PeftOption = Annotated[
    list[str] | None, _recipe("NAME=VALUE of the PEFT method; may be repeated.")
]
Set = Annotated[list[str] | None, _recipe("FIELD=VALUE of any other field of wb.Recipe.", "--set")]
Baselines = Annotated[bool, _recipe("The baselines that suit the data.", "--baselines")]


def open_split(given: dict[str, Any]) -> Split:
    """Open the data that the options name and split them."""
    if given["images"] or given["masks"]:
        dataset = _own_data(given)
    else:
        with progress_bar("opening") as progress:
            dataset = wb.load(given["data"], progress=progress)
    return dataset.split(hold_out=given["hold_out"] or ())


def make_recipes(given: dict[str, Any], split: Split) -> list[AnyRecipe]:
    """Make the recipes that the options name; what was not given keeps the API's default."""
    fields = ("backbone", "decoder", "epochs", "learning_rate", "accumulate", "precision",
              "loss", "schedule", "seed")
    said = {name: given[name] for name in fields} | {"batch_size": _size(given["batch_size"])}
    said |= assignments("--set", given["set_"])
    changes = {field: value for field, value in said.items() if value is not None}
    if given["baselines"]:
        return wb.baselines(split.dataset, **changes)
    return [make_recipe(given["peft"], given["peft_option"], changes)]


def _size(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _own_data(given: dict[str, Any]) -> Dataset:
    if None in (given["images"], given["masks"], given["bands"]):
        raise RecipeError("Your own data need all of --images, --masks and --bands.")
    names = [None if band in ("", "-") else band for band in given["bands"].split(",")]
    return wb.Dataset.from_folder(
        given["images"], given["masks"], bands=names,
        classes=given["classes"].split(",") if given["classes"] else None,
        region=given["region"], scale=given["scale"], chip_size=given["chip_size"],
        frames=given["frames"],
    )  # fmt: skip
