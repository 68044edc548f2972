"""What is worth knowing of a recipe before it is trained, each with its number."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.errors import RecipeError
from workbench.estimation.forecast import Forecast
from workbench.estimation.problem import Problem
from workbench.peft import VPT, FullFineTuning, LoRA
from workbench.recipe import Recipe
from workbench.reprs import readable_bytes

# Below this share of what full fine-tuning needs, a method is what one expects of it.
_HARDLY_LESS = 0.85


def hints(forecast: Forecast, recipe: Recipe) -> Iterator[str]:
    """Yield what the memory of a recipe's training says to whoever chose it."""
    peak = forecast.analysis(recipe).peak

    def other(**changes: object) -> int | None:
        try:
            return forecast.analysis(recipe.but(**changes)).peak.total
        except RecipeError:
            return None

    method = recipe.peft
    if isinstance(method, LoRA) and {"fc1", "fc2"} & set(method.targets):
        less = other(peft=method.but(targets=("q", "v")))
        if less and less < peak.total * _HARDLY_LESS:
            yield (
                "LoRA on fc1 and fc2 keeps their wide inputs for the backward pass: on q and v "
                f"alone tensors take {readable_bytes(less)} instead of "
                f"{readable_bytes(peak.total)}, targets=('q', 'v')."
            )
    if isinstance(method, LoRA | VPT):
        full = other(peft=FullFineTuning())
        if full and peak.total > _HARDLY_LESS * full:
            share = f"{100 * peak.total / full:.0f} % of what full fine-tuning takes"
            if isinstance(method, VPT):
                yield (
                    f"{method.tokens} prompts cost as much as patches: tensors take {share}. On "
                    "images with few patches fewer prompts do: peft=wb.VPT(tokens=10)."
                )
            else:
                again = other(gradient_checkpointing=True)
                down = f" to {readable_bytes(again)}" if again else ""
                yield (
                    f"Tensors take {share}: on large grids of patches activations rule, which LoRA "
                    f"does not save. gradient_checkpointing=True brings them down{down}."
                )
    if Problem.of(recipe, forecast.split).cached:
        work = forecast.analysis(recipe)
        saved = 100 * work.encoding.flops / max(work.step.flops, 1)
        yield (
            f"The backbone is frozen: {saved:.0f} % of a step's operations are its features, "
            "which are computed once and kept."
        )
