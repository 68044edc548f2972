"""The lines of Python that each part of the report stands for."""

from __future__ import annotations

from workbench.demo.subject import Subject
from workbench.recipe import Recipe

_LOAD = """import workbench as wb
{code}
split = floods.split(hold_out=["{region}"])
"""
_FIT = """recipe = wb.Recipe({backbone}peft=wb.LoRA(), epochs={epochs}, batch_size=4)
lora = wb.fit(recipe, split, name="lora")
full = wb.fit(recipe.but(peft="full", learning_rate=5e-4), split, name="full")
linear = wb.fit(recipe.but(peft="linear_probe"), split, name="linear-probe")
beat = wb.baselines(floods, epochs={epochs}, batch_size=4)
baselines = [wb.fit(recipe, split) for recipe in beat]
"""
_COMPARE = """comparison = wb.compare([lora, full, linear, *baselines])
comparison.table()      # every region, with intervals
comparison.gap()        # in region, held out, and the gap
comparison.verdicts()   # what may be said of differences
"""
_REGIONS = """wb.plot(comparison, "regions")
"""
_CHIPS = """wb.plot([lora, full, linear, baselines[-1]], "chips", count=6)
"""
_PREDICT = """water = wb.predict(lora, "scene.tif")    # class and probability, same grid
wb.to_cog(water, "water.tif")
wb.plot(water, scene="scene.tif")
"""
_CURVES = """wb.plot([lora, full, linear], "curves")
"""


def snippets(subject: Subject, epochs: int) -> dict[str, str]:
    """Return the code by part of the report; `all` is a script that runs as it is."""
    default = Recipe.model_fields["backbone"].default
    facts = {
        "region": subject.hold_out, "epochs": epochs, "code": subject.code,
        "backbone": "" if subject.backbone == default else f'backbone="{subject.backbone}", ',
    }  # fmt: skip
    load, train = _LOAD.format(**facts), _FIT.format(**facts)
    return {
        "split": load + 'split.audit()\nwb.plot(split, "world")',
        "fit": train + _CURVES.rstrip(),
        "compare": _COMPARE.rstrip(),
        "regions": _REGIONS.rstrip(),
        "chips": _CHIPS.rstrip(),
        "predict": _PREDICT.rstrip(),
        "all": "\n".join((load, train, _COMPARE, _PREDICT)).rstrip(),
    }
