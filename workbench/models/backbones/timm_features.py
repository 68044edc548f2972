"""Convolutional networks of timm as feature pyramids, and the ResNets that have a name here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BandError, RecipeError
from workbench.models.backbones import FAMILIES, Backbone, Facts, Source, publish
from workbench.models.backbones._timm import RGB, complete_model, create, fit_timm_state, pyramid
from workbench.models.weights import State

# Sentinel-2 level 1C in the order of SSL4EO-S12: B01 to B08, B8A, B09, B10, B11, B12.
SENTINEL_2_L1C = (
    "COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3",
    "NIR_BROAD", "NIR_NARROW", "WATER_VAPOR", "CIRRUS", "SWIR_1", "SWIR_2",
)  # fmt: skip


@FAMILIES.register("timm_features")
class TimmFeatures(Backbone):
    """The features of a convolutional network at strides of 4, 8, 16 and 32, finest first."""

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (224, 224),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        model: str = "resnet50",
    ) -> None:
        super().__init__()
        if num_frames != 1 or coords:
            raise RecipeError(f"timm's {model} takes one frame, and neither time nor location.")
        if not pyramid(model):
            raise RecipeError(f"timm's {model} has no features at strides of 4 to 32.")
        self.model_name = model
        self.bands = bands
        self.blocks = None
        self.model: Any = create(self._build)
        # Some of timm's networks have the channels as the last axis.
        self.channels_last = getattr(self.model, "output_fmt", None) == "NHWC"
        self.num_features = tuple(self.model.feature_info.channels())
        self.strides = tuple(self.model.feature_info.reduction())
        self.patch_size = self.size_multiple = self.strides[-1]

    def _build(self) -> Any:
        # timm takes seconds to import: only who builds a network waits.
        import timm

        return timm.create_model(
            self.model_name, pretrained=False, in_chans=len(self.bands), features_only=True,
            out_indices=pyramid(self.model_name),
        )  # fmt: skip

    def train(self, mode: bool = True) -> TimmFeatures:
        """Set the training mode; frozen batch normalisation keeps its statistics."""
        super().train(mode)
        for module in self.modules():
            frozen = not any(weight.requires_grad for weight in module.parameters())
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and frozen:
                module.eval()
        return self

    @property
    def sections(self) -> list[nn.Module]:
        """The stages, where timm calls one after the other; the layers before the first stay."""
        from timm.models._features import FeatureListNet

        stages = self.model.children() if isinstance(self.model, FeatureListNet) else ()
        return [stage for stage in stages if any(stage.children())]

    def forward(
        self,
        image: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return the feature maps ``(B, D, H, W)`` of all levels, or of those asked for."""
        self.refuse(time=time, location=location, gsd=gsd, month=month)
        if image.ndim == 5 and image.shape[2] == 1:
            image = image[:, :, 0]
        if image.ndim != 4 or image.shape[1] != len(self.bands):
            raise BandError(
                f"{self.name} takes images (B, {len(self.bands)}, H, W) with the bands "
                f"{', '.join(self.bands)}; got {tuple(image.shape)}."
            )
        # Faster convolutions on CPUs.
        outputs = list(self.model(image.contiguous(memory_format=torch.channels_last)))
        if self.channels_last:
            outputs = [output.permute(0, 3, 1, 2) for output in outputs]
        return outputs if blocks is None else [outputs[index] for index in blocks]

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return timm's tensors without the classifier, for this module's bands."""
        complete = complete_model(self.model_name)
        fitted = fit_timm_state(self.model, complete, state, bands, self.bands, origin)
        return {f"model.{name}": tensor for name, tensor in fitted.items()}


publish(
    Facts(
        name="decur_resnet50",
        family="timm_features",
        bands=SENTINEL_2_L1C,
        # Trained on reflectance as it is (stored values / 10 000).
        mean=(0.0,) * len(SENTINEL_2_L1C),
        std=(1.0,) * len(SENTINEL_2_L1C),
        architecture={"model": "resnet50"},
        # As in the PEFT paper (IBM/peft-geofm, configs/decoders); the others are the defaults.
        decoders={"fcn": {"channels": 512, "num_convs": 4}, "linear": {"upsampling": 32}},
        # The digits in the file's name are the first of its SHA-256, as torch.hub has it.
        source=Source(
            "torchgeo/decur", "rn50_ssl4eo-s12_ms_decur_ep100-fc6b09ff.pth", sha256="fc6b09ff"
        ),
        about="pre-trained on SSL4EO-S12 (Sentinel-2 beside Sentinel-1), global",
    ),
    Facts(
        name="resnet50",
        family="timm_features",
        bands=RGB,
        architecture={"model": "resnet50"},
        # What timm's `resnet50` stands for; tests compare.
        source=Source("timm/resnet50.a1_in1k", "model.safetensors"),
        about="pre-trained on photographs (ImageNet-1k), from timm",
    ),
)
