"""TerraTorch's files: Lightning checkpoints and configurations, read without running code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import RecipeError
from workbench.models.weights import State, read_file, unwrap_state
from workbench.storage import read_json


def read_checkpoint(path: Path) -> tuple[State, dict[str, Any]]:
    """Return the tensors of a checkpoint and the hyper-parameters beside them, where there are any.

    Raises:
        WeightsError: The file is missing or damaged, or would run code.
    """
    loaded = read_file(path)
    parameters = loaded.get("hyper_parameters") if isinstance(loaded, Mapping) else None
    return unwrap_state(loaded, str(path)), dict(parameters or {})


def read_config(config: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a configuration given as a mapping, or as the path of a YAML or JSON file."""
    if config is None or isinstance(config, Mapping):
        return dict(config or {})
    import yaml

    path = Path(config).expanduser()
    if not path.is_file():
        raise RecipeError(f"There is no configuration {path}.")
    try:
        said = read_json(path) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not a configuration of TerraTorch: {error}") from error
    if not isinstance(said, Mapping):
        raise RecipeError(f"{path} is not a configuration of TerraTorch: it holds no mapping.")
    return dict(said)


class Said:
    """What several configurations say; the first that says something decides."""

    def __init__(self, *sources: Mapping[str, Any]) -> None:
        self._sources = sources

    def find(self, *names: str) -> Any:
        """Return the first value under one of the names, at any depth; None where there is none."""
        for source in self._sources:
            for name in names:
                for value in _values(source, name):
                    return value
        return None


def _values(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if node.get(name) is not None:
            yield node[name]
        for value in node.values():
            yield from _values(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _values(value, name)
