"""What exists, without pixels: a static STAC catalogue of collections and their regions."""

from workbench.catalog.catalog import Catalog, open_catalog
from workbench.catalog.collection import CatalogBand, CatalogClass, Collection, Region

__all__ = [
    "Catalog",
    "CatalogBand",
    "CatalogClass",
    "Collection",
    "Region",
    "open_catalog",
]
