"""Pixels: bands, chips, indexes, splits and their audit (numpy and rasterio, no torch)."""

from workbench.data.dataset import Dataset
from workbench.data.folder import ChipWarning
from workbench.data.info import ClassInfo, DatasetInfo
from workbench.data.joining import concat
from workbench.data.sample import Sample
from workbench.data.sources import load, open_dataset
from workbench.data.split import PARTS, Split

__all__ = [
    "PARTS",
    "ChipWarning",
    "ClassInfo",
    "Dataset",
    "DatasetInfo",
    "Sample",
    "Split",
    "concat",
    "load",
    "open_dataset",
]
