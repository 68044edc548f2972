"""What is trained on which data, as the options of every command that trains or would."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

import workbench as wb
from workbench.cli._app import app, examples, progress_bar
from workbench.cli._recipe import RecipeCommand, assignments, make_recipe, recipe_field
from workbench.errors import RecipeError

if TYPE_CHECKING:
    from workbench.data import Dataset, Split
    from workbench.recipe import AnyRecipe, Recipe


def _data(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Data")


def _recipe(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Recipe")


# Help and defaults come from the recipe's fields: see RecipeCommand.
Word = Annotated[str | None, recipe_field]
Whole = Annotated[int | None, recipe_field]
Number = Annotated[float | None, recipe_field]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is trained on which data, as the options of a command say it."""

    data: Annotated[str, _data("A collection of the catalogue.")] = "simulated-floods"
    images: Annotated[
        str | None, _data("Your own data instead: folder or pattern of GeoTIFFs.")
    ] = None
    masks: Annotated[str | None, _data("Their labels, paired by name.")] = None
    bands: Annotated[
        str | None, _data("Bands of your images in file order, - for one not used: BLUE,-,RED.")
    ] = None
    classes: Annotated[str | None, _data("Names of the labels 0, 1, …: land,water.")] = None
    region: Annotated[
        str | None, _data("Their regions: one name, a pattern such as {region}_*, or polygons.")
    ] = None
    scale: Annotated[
        float, _data("Stored value times this is reflectance: 1e-4 for Sentinel-2 and HLS.")
    ] = 1.0
    chip_size: Annotated[int | None, _data("Cut images into chips of this side.")] = None
    frames: Annotated[
        int, _data("Dates in every image: all bands of the first, then all of the second.")
    ] = 1
    hold_out: Annotated[
        list[str] | None, _data("A region never trained on; may be repeated.")
    ] = None
    backbone: Word = None
    peft: Word = None
    peft_option: Annotated[
        list[str] | None, _recipe("NAME=VALUE of the PEFT method; may be repeated.")
    ] = None
    decoder: Word = None
    epochs: Whole = None
    batch_size: Word = None
    learning_rate: Number = None
    accumulate: Whole = None
    precision: Word = None
    loss: Word = None
    schedule: Word = None
    seed: Whole = None
    set_: Annotated[
        list[str] | None, _recipe("FIELD=VALUE of any other field of wb.Recipe.", "--set")
    ] = None
    baselines: Annotated[
        bool, _recipe("The baselines that suit the data.", "--baselines")
    ] = False

    def recipe(self) -> Recipe:
        """Make the recipe; what was not given keeps the API's default."""
        return make_recipe(self.peft, self.peft_option, self._changes())

    def split(self) -> Split:
        """Open the data and split them."""
        if self.images or self.masks:
            dataset = self._own_data()
        else:
            with progress_bar("opening") as progress:
                dataset = wb.load(self.data, progress=progress)
        return dataset.split(hold_out=self.hold_out or ())

    def split_and_recipes(self) -> tuple[Split, list[AnyRecipe]]:
        """Open the data, and make the recipe or the baselines; a wrong one is refused before."""
        if not self.baselines:
            recipe = self.recipe()
            return self.split(), [recipe]
        from workbench.recipe import scratch_unet

        changes = self._changes()
        scratch_unet(**changes)  # which of the others suit takes the data to say
        split = self.split()
        return split, wb.baselines(split.dataset, **changes)

    def _changes(self) -> dict[str, Any]:
        """Return the fields of the recipe that were given."""
        named = ("backbone", "decoder", "epochs", "learning_rate", "accumulate", "precision",
                 "loss", "schedule", "seed")
        said = {name: getattr(self, name) for name in named}
        said |= {"batch_size": _size(self.batch_size)} | assignments("--set", self.set_)
        return {name: value for name, value in said.items() if value is not None}

    def _own_data(self) -> Dataset:
        if self.images is None or self.masks is None or self.bands is None:
            raise RecipeError("Your own data need all of --images, --masks and --bands.")
        names = [None if band in ("", "-") else band for band in self.bands.split(",")]
        return wb.Dataset.from_folder(
            self.images, self.masks, bands=names,
            classes=self.classes.split(",") if self.classes else None, region=self.region,
            scale=self.scale, chip_size=self.chip_size, frames=self.frames,
        )  # fmt: skip


def _size(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def training_command(*lines: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command that takes `Choices` first: whoever calls it gives them as options.

    Args:
        *lines: Examples for its help.
    """

    def register(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(Choices, include_extras=True)
        shared = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default,
                              annotation=hints[field.name])
            for field in fields(Choices)
        ]
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        @functools.wraps(command)
        def from_options(**given: Any) -> None:
            chosen = {parameter.name: given.pop(parameter.name) for parameter in shared}
            command(Choices(**chosen), **given)

        # What typer makes the options from.
        from_options.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
        app.command(cls=RecipeCommand, epilog=examples(*lines))(from_options)
        return command

    return register
