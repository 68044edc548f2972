"""TerraTorch's files are read without running what they hold."""

from __future__ import annotations

import enum
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.assembly.terratorch.checkpoints import (
    CLOSE,
    imported,
    lightning,
    logits,
    needs_parity,
    reference,
)
from workbench.errors import WeightsError

pytestmark = needs_parity


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ref = reference("full_UNetDecoder")
    path = lightning(tmp_path, ref["state_dict"], hyper_parameters=_Evil())
    with pytest.raises(WeightsError, match=r"holds more than a model: it calls \w+\.mkdir"):
        imported(path, tmp_path, config=ref["cfg"])
    assert not (tmp_path / "harm").exists()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"not a whole (checkpoint|weight file)"):
        imported(path, tmp_path, config=ref["cfg"])


def test_what_lightning_keeps_beside_the_tensors_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("terratorch.datasets")
    monkeypatch.setitem(sys.modules, "terratorch", types.ModuleType("terratorch"))
    monkeypatch.setitem(sys.modules, "terratorch.datasets", module)
    bands = enum.Enum("HLSBands", {"BLUE": "BLUE", "RED": "RED"}, module="terratorch.datasets")
    module.HLSBands = bands  # type: ignore[attr-defined]
    attributes = type("AttributeDict", (dict,), {"__module__": "terratorch.datasets"})
    module.AttributeDict = attributes  # type: ignore[attr-defined]
    ref = reference("full_UNetDecoder")
    given = attributes(num_heads=4, first=bands.BLUE, path=Path("/data"))
    path = lightning(tmp_path, ref["state_dict"], hyper_parameters=given,
                     callbacks={"EarlyStopping": {"best": np.float64(0.25), "wait": 3}})
    monkeypatch.delitem(sys.modules, "terratorch.datasets")
    run = imported(path, tmp_path)
    torch.testing.assert_close(logits(run, ref["x"]), ref["logits"], **CLOSE)


def test_a_state_dict_alone_is_a_checkpoint_too(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    torch.save(ref["state_dict"], tmp_path / "model.pt")
    run = imported(tmp_path / "model.pt", tmp_path, config=ref["cfg"])
    torch.testing.assert_close(logits(run, ref["x"]), ref["logits"], **CLOSE)
