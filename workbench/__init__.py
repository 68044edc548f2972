"""Fine-tune geospatial foundation models with few parameters, and see where they hold up.

Every public name is imported at its first use, so that `import workbench` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from workbench import errors
    from workbench.assembly import (
        backbones,
        build_model,
        decoders,
        describe,
        load_model,
        merge,
        peft_methods,
    )
    from workbench.assembly.terratorch import import_terratorch
    from workbench.catalog import Catalog, Collection, open_catalog
    from workbench.catalog.fetching import download
    from workbench.checkup import doctor
    from workbench.data import Dataset, Split, concat, load
    from workbench.data.labels import Labels
    from workbench.estimation import Estimate, estimate
    from workbench.evaluation import Comparison, Scores, compare, evaluate
    from workbench.evaluation.chipmap import chip_map
    from workbench.evaluation.maps import confidence_map, disagreement_map, error_map
    from workbench.fitting import fit, launch, resume
    from workbench.fitting.studying import study
    from workbench.labelling import fit_labels
    from workbench.losses import CrossEntropy, Dice, Focal
    from workbench.paper import paper_recipe, paper_scores
    from workbench.peft import (
        IA3,
        VPT,
        BitFit,
        EarthAdapter,
        FullFineTuning,
        LastBlocks,
        LinearProbe,
        LoRA,
        NormTuning,
        ViTAdapter,
    )
    from workbench.plots import plot
    from workbench.prediction import predict, scene_view, seams, to_cog, to_polygons
    from workbench.recipe import Recipe, SpectralIndex, baselines
    from workbench.runs import Run, list_runs, open_run
    from workbench.runs.studies import Study, open_study
    from workbench.schedules import Cosine, Plateau
    from workbench.training.features import clear_features
    from workbench.widgets.app import Workbench
    from workbench.widgets.comparing import compare_map
    from workbench.widgets.configure import configure
    from workbench.widgets.dashboard import dashboard
    from workbench.widgets.labeller import label
    from workbench.widgets.picker import pick
    from workbench.widgets.scene_map import scene_map

# fmt: off
_NAMES = {
    "workbench.catalog": ("open_catalog", "Catalog", "Collection"),
    "workbench.catalog.fetching": ("download",),
    "workbench.data": ("load", "Dataset", "Split", "concat"),
    "workbench.data.labels": ("Labels",),
    "workbench.labelling": ("fit_labels",),
    "workbench.paper": ("paper_recipe", "paper_scores"),
    "workbench.recipe": ("Recipe", "SpectralIndex", "baselines"),
    "workbench.losses": ("CrossEntropy", "Focal", "Dice"),
    "workbench.schedules": ("Plateau", "Cosine"),
    "workbench.peft": (
        "LinearProbe", "LoRA", "FullFineTuning", "IA3", "BitFit", "NormTuning", "LastBlocks",
        "VPT", "ViTAdapter", "EarthAdapter",
    ),
    "workbench.assembly": (
        "build_model", "load_model", "merge", "describe",
        "backbones", "decoders", "peft_methods",
    ),
    "workbench.assembly.terratorch": ("import_terratorch",),
    "workbench.fitting": ("fit", "launch", "resume"),
    "workbench.runs": ("Run", "open_run", "list_runs"),
    "workbench.fitting.studying": ("study",),
    "workbench.runs.studies": ("Study", "open_study"),
    "workbench.estimation": ("estimate", "Estimate"),
    "workbench.evaluation": ("evaluate", "Scores", "compare", "Comparison"),
    "workbench.evaluation.chipmap": ("chip_map",),
    "workbench.evaluation.maps": ("error_map", "disagreement_map", "confidence_map"),
    "workbench.prediction": ("predict", "scene_view", "seams", "to_cog", "to_polygons"),
    "workbench.plots": ("plot",),
    "workbench.widgets.comparing": ("compare_map",),
    "workbench.widgets.app": ("Workbench",),
    "workbench.widgets.configure": ("configure",),
    "workbench.widgets.dashboard": ("dashboard",),
    "workbench.widgets.labeller": ("label",),
    "workbench.widgets.picker": ("pick",),
    "workbench.widgets.scene_map": ("scene_map",),
    "workbench.checkup": ("doctor",),
    "workbench.training.features": ("clear_features",),
}
# fmt: on
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "open_catalog", "Catalog", "Collection", "download", "pick",
    "load", "Dataset", "Split", "concat", "Labels", "label", "fit_labels",
    "Recipe", "SpectralIndex", "baselines", "paper_recipe", "paper_scores",
    "LinearProbe", "LoRA", "FullFineTuning", "peft_methods",
    "IA3", "BitFit", "NormTuning", "LastBlocks", "VPT", "ViTAdapter", "EarthAdapter",
    "CrossEntropy", "Focal", "Dice", "Plateau", "Cosine",
    "backbones", "decoders", "describe", "build_model", "load_model", "merge",
    "estimate", "Estimate", "fit", "launch", "resume", "Run", "open_run", "list_runs",
    "study", "Study", "open_study",
    "import_terratorch",
    "evaluate", "Scores", "compare", "Comparison",
    "chip_map", "error_map", "disagreement_map", "confidence_map",
    "predict", "seams", "to_cog", "to_polygons", "plot", "scene_view", "scene_map", "compare_map",
    "configure", "dashboard", "Workbench",
    "doctor", "clear_features", "errors",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("workbench.errors")
    if name not in _HOME:
        raise AttributeError(_no_such_name(name))
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _no_such_name(name: str) -> str:
    import difflib

    # Case is what people get wrong first: wb.lora, wb.recipe.
    lower = {known.lower(): known for known in __all__}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    hint = f" Did you mean {lower[near[0]]!r}?" if near else " dir(workbench) lists all names."
    return f"module 'workbench' has no attribute {name!r}.{hint}"
