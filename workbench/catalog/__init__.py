"""What exists, without pixels: a static STAC catalogue of collections and their regions."""

from workbench.catalog.catalog import Catalog, open_catalog
from workbench.catalog.collection import (
    Asset,
    CatalogBand,
    CatalogClass,
    Collection,
    Place,
    PublishedSplit,
    Region,
)

__all__ = [
    "Asset",
    "Catalog",
    "CatalogBand",
    "CatalogClass",
    "Collection",
    "Place",
    "PublishedSplit",
    "Region",
    "open_catalog",
]
