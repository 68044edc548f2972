"""Files of chips: GeoParquet that says what it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pyarrow.parquet as pq

from workbench.storage import atomic_file

_FACTS = b"workbench"


def facts_of(path: Path) -> dict[str, Any] | None:
    """Return what a file of chips was made from, None where there is none."""
    try:
        told: dict[str, Any] = json.loads(pq.read_schema(path).metadata[_FACTS])
    except (OSError, KeyError, TypeError, ValueError):  # none, or not ours: it is made anew
        return None
    return told


def read_chips(path: Path) -> geopandas.GeoDataFrame | None:
    """Return the chips, None where they cannot be read."""
    try:
        return geopandas.read_parquet(path).set_index("chip_id")
    except (OSError, ValueError, KeyError):
        return None


def write_chips(path: Path, chips: geopandas.GeoDataFrame, facts: dict[str, Any]) -> None:
    """Write chips, and what they were made from, whole or not at all."""
    with atomic_file(path) as temporary:
        chips.reset_index().to_parquet(temporary, compression="zstd")
        plain = pq.read_table(temporary)
        told = {**plain.schema.metadata, _FACTS: json.dumps(facts).encode()}
        pq.write_table(plain.replace_schema_metadata(told), temporary, compression="zstd")
