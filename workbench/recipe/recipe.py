"""Recipe: a training as frozen options that survive JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from workbench.data.bands import canonical_all
from workbench.errors import RecipeError
from workbench.losses import CrossEntropy, Loss, as_loss
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.models.loading import encodings, find_facts
from workbench.options import Names, Options
from workbench.peft import FullFineTuning, LoRA, Method, method
from workbench.schedules import Plateau, Schedule, as_schedule

# From nothing, larger steps than fine-tuning's: AdamW's usual value.
LR_FROM_SCRATCH = 1e-3


class Recipe(Options):
    """How to train: backbone, PEFT method, decoder and optimisation.

    Defaults are the PEFT paper's (IBM/peft-geofm, configs): AdamW, 100 epochs, batches of 8, early
    stopping after 15 epochs and half the learning rate after 4 without a better validation loss,
    cross-entropy, flips and rotations as the only augmentation. Its weight decay is not known; 0.01
    is AdamW's.
    """

    kind: ClassVar[str] = "recipe"

    backbone: str = Field(
        default="workbench_tiny", description="Name of the backbone; wb.backbones() lists all."
    )
    peft: Annotated[Method, BeforeValidator(method)] = Field(
        default=LoRA(), description="Fine-tuning method, by name or with options."
    )
    decoder: str = Field(
        default="unet", description="Decoder: 'unet' is sharper, 'linear' the smallest."
    )
    epochs: int = Field(default=100, ge=1, description="Most epochs to train.")
    batch_size: int | Literal["auto"] = Field(
        default=8,
        description="Chips computed at once; 'auto' takes as many as fit, a power of two.",
    )
    accumulate: int = Field(
        default=1, ge=1, description="Batches in one step: more chips a step in the same memory."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Number format of the network; auto is bf16 on GPUs that have it, else fp32.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Compute activations again instead of keeping them: about half the memory, a "
        "third more time.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the network first (torch.compile): minutes that long trainings on "
        "GPUs win back.",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="Peak learning rate; by default the method's."
    )
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's weight decay.")
    patience: int = Field(
        default=15, ge=1, description="Epochs without a better validation loss before stopping."
    )
    schedule: Annotated[Schedule, BeforeValidator(as_schedule)] = Field(
        default=Plateau(),
        description="How the learning rate changes, 'plateau' or 'cosine', by name or with "
        "options.",
    )
    loss: Annotated[Loss, BeforeValidator(as_loss)] = Field(
        default=CrossEntropy(),
        description="What training lowers: 'cross_entropy', 'focal' or 'dice', by name or with "
        "options.",
    )
    class_weights: tuple[float, ...] | Literal["balanced"] | None = Field(
        default=None,
        description="What errors in each class count: a number each, or 'balanced' for rare "
        "classes to count as much as common ones.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each label spread over all classes; 0.1 where labels are noisy.",
    )
    augment: bool = Field(
        default=True, description="Flip and rotate chips in training (eight ways)."
    )
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="Seed of weights, order, augmentation and dropout."
    )
    normalization: Literal["dataset", "published", "backbone"] = Field(
        default="dataset",
        description="Whose band statistics scale the input: measured on the training part "
        "('dataset'), stated by the dataset's source ('published'), or the pre-training's.",
    )
    bands: Names | None = Field(
        default=None, description="Bands to use, by name; by default all that the dataset has."
    )
    metadata: Literal["none", "time", "location", "both"] = Field(
        default="none",
        description="What the backbone is told beside pixels. The paper recommends 'none'.",
    )
    feature_cache: Literal["fp32", "fp16", "off"] = Field(
        default="fp32",
        description="How features of a frozen backbone are kept on disk, to be computed only once.",
    )

    weights: str | None = Field(
        default=None,
        description="File with the backbone's weights, 'hub' for the published ones, or 'random'; "
        "by default what comes with its name.",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _whole_path(cls, weights: Any) -> Any:
        if not isinstance(weights, str | Path) or weights in ("hub", "random"):
            return weights
        if not str(weights).strip():
            raise ValueError("weights='' names no file")
        # Whole, because runs are opened from other folders too.
        return str(Path(weights).expanduser().absolute())

    @field_validator("batch_size", mode="before")
    @classmethod
    def _number_or_auto(cls, size: Any) -> Any:
        whole = isinstance(size, int) and not isinstance(size, bool)
        if size != "auto" and not (whole and size >= 1):
            raise ValueError(f"batch_size={size!r} is neither a whole number from 1 on nor 'auto'")
        return size

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, name: str) -> str:
        find_facts(name)
        return name

    @field_validator("class_weights", mode="before")
    @classmethod
    def _useful_weights(cls, weights: Any) -> Any:
        if weights is None or weights == "balanced":
            return weights
        numbers = list(weights) if isinstance(weights, (list, tuple)) else []
        useful = all(
            isinstance(number, (int, float)) and 0 <= number < math.inf for number in numbers
        )
        if not (useful and any(numbers)):
            raise ValueError(
                f"class_weights={weights!r} is neither 'balanced' nor a number for each class, 0 "
                "or more and not all 0"
            )
        return tuple(map(float, numbers))

    @field_validator("decoder")
    @classmethod
    def _known_decoder(cls, name: str) -> str:
        assert DECODERS[name]
        return name

    @field_validator("bands")
    @classmethod
    def _known_bands(cls, bands: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if bands is None else canonical_all(bands)

    @model_validator(mode="after")
    def _known_encodings(self) -> Self:
        if set(self.coords) <= set(encodings(self.backbone)):
            return self
        having = [name for name in BACKBONES if set(self.coords) <= set(encodings(name))]
        raise ValueError(
            f"metadata={self.metadata!r}: {self.backbone!r} has no encoding of "
            f"{' and '.join(self.coords)}. Those that have: {', '.join(having)}"
        )

    @property
    def coords(self) -> tuple[str, ...]:
        """Which of `time` and `location` the backbone is told."""
        if self.metadata == "both":
            return ("time", "location")
        return () if self.metadata == "none" else (self.metadata,)

    @property
    def chips_at_once(self) -> int:
        """The batch size, a number.

        Raises:
            RecipeError: It is "auto" and was not settled.
        """
        if self.batch_size == "auto":
            raise RecipeError(
                "batch_size='auto' is settled where a training starts: wb.fit, wb.launch, "
                "wb.estimate. Give a number here."
            )
        return self.batch_size

    @property
    def lr(self) -> float:
        """The learning rate: as given, else the method's, else from scratch's."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LR_FROM_SCRATCH if self.from_scratch else self.peft.default_lr

    @property
    def name(self) -> str:
        """A short name for folders and tables, such as `workbench_tiny-lora-rank4-unet`."""
        if self.from_scratch:
            return f"{self.backbone.removesuffix('_encoder')}-scratch"
        changed = self.peft.changed().items()
        options = (f"{name}{'+'.join(v) if isinstance(v, tuple) else v}" for name, v in changed)
        told = [] if self.metadata == "none" else [f"metadata-{self.metadata}"]
        kind = self.peft.kind.replace("_", "-")
        loss = [] if isinstance(self.loss, CrossEntropy) else [self.loss.kind]
        if self.weights is not None:
            told.append(f"weights-{Path(self.weights).stem}")
        backbone = self.backbone.replace("/", "-")
        return "-".join([backbone, kind, *options, self.decoder, *told, *loss])

    @property
    def pretrained(self) -> bool:
        """Whether the backbone starts from weights that were learned before."""
        if self.weights is None:
            return find_facts(self.backbone).pretrained
        return self.weights != "random"

    @property
    def from_scratch(self) -> bool:
        """Whether everything is trained and nothing was learned before."""
        return isinstance(self.peft, FullFineTuning) and not self.pretrained

    def to_json(self) -> dict[str, Any]:
        """Return plain data: every field as it is, and what the open ones resolve to."""
        chosen = {name: getattr(self, name).to_json() for name in ("peft", "loss", "schedule")}
        given = {**self.model_dump(mode="json"), **chosen}
        return {"kind": self.kind, "given": given, "resolved": {"learning_rate": self.lr}}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `to_json` wrote, also before schedules could be chosen."""
        given = dict(data["given"])
        if "lr_patience" in given:
            patience, factor = given.pop("lr_patience"), given.pop("lr_factor")
            given["schedule"] = Plateau(patience=patience, factor=factor)
        return Recipe(**given)
