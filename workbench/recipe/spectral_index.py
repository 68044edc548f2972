"""SpectralIndex: the recipe without any learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from workbench.options import Options

IndexName = Literal["ndwi", "mndwi"]
NearInfrared = Literal["NIR_BROAD", "NIR_NARROW"]


class SpectralIndex(Options):
    """A water index with a threshold: the baseline without any learning.

    NDWI = (green - near infrared) / (green + near infrared), McFeeters 1996;
    MNDWI = (green - short-wave infrared) / (green + short-wave infrared), Xu 2006.
    """

    kind: ClassVar[str] = "spectral_index"

    index: IndexName = Field(default="ndwi", description="Which index.")
    threshold: float | Literal["tuned"] = Field(
        default=0.0,
        description="Water is above it, -1 to 1; 'tuned' chooses it on the training part.",
    )

    nir: NearInfrared = Field(
        default="NIR_NARROW",
        description="Near infrared of NDWI; NIR_BROAD, the finer one of Sentinel-2, where the data "
        "have it.",
    )

    @field_validator("threshold", mode="before")
    @classmethod
    def _number_or_tuned(cls, threshold: Any) -> Any:
        number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
        if threshold != "tuned" and not (number and -1 <= threshold <= 1):
            raise ValueError(f"threshold={threshold!r} is neither within -1 and 1 nor 'tuned'")
        return threshold

    @property
    def bands(self) -> tuple[str, str]:
        """The two bands it needs."""
        return ("GREEN", "SWIR_1" if self.index == "mndwi" else self.nir)

    @property
    def seed(self) -> int:
        """Nothing is random: always 0."""
        return 0

    @property
    def name(self) -> str:
        """A short name for folders and tables, such as `ndwi-tuned`."""
        shown = self.threshold if self.threshold == "tuned" else f"{self.threshold:g}"
        return f"{self.index}-{shown}"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        given = self.model_dump(mode="json")
        return {"kind": self.kind, "given": given, "resolved": {"bands": list(self.bands)}}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SpectralIndex:
        """Return the recipe that `to_json` wrote."""
        return SpectralIndex(**data["given"])
