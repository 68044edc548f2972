"""What there is to choose from."""

from __future__ import annotations

from pathlib import Path

import pytest

import workbench as wb
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.models.hub import record_path
from workbench.peft import METHODS
from workbench.storage import write_json


def test_tables_list_every_registered_name_as_text_and_html() -> None:
    pairs = [(wb.backbones(), BACKBONES), (wb.peft_methods(), METHODS), (wb.decoders(), DECODERS)]
    for table, registry in pairs:
        assert list(table) == list(registry)
        for shown in (repr(table), table._repr_html_()):
            assert all(name in shown for name in registry)
        assert "<script" not in table._repr_html_()


def test_a_backbones_row_has_its_size_and_the_methods_that_fit() -> None:
    row = wb.backbones()["prithvi_eo_v2_600_tl"]
    assert (row["parameters"], row["depth"], row["patch"]) == ("631.2 M", 32, 14)
    assert set(row["fits"]) == set(METHODS)
    assert "lora" not in wb.backbones()["unet_encoder"]["fits"]


def test_a_methods_row_writes_its_options_out() -> None:
    assert wb.peft_methods()["lora"]["options"] == (
        "LoRA(rank=16, alpha=16, dropout=0.0, targets=('q', 'v', 'fc1', 'fc2'), "
        "dora=False, rslora=False, initialization='kaiming')"
    )


def test_a_backbones_row_says_what_its_file_is_checked_against(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))

    def row(name: str) -> tuple[str, str]:
        shown = wb.backbones()[name]
        return shown["checked"], shown["size"]

    assert row("decur_resnet50") == ("pinned", "–")
    assert row("prithvi_eo_v2_100_tl") == ("not yet downloaded", "454.7 MB")
    assert row("workbench_tiny") == ("–", "–")
    source = BACKBONES["prithvi_eo_v2_300"].source
    assert row("prithvi_eo_v2_300") == ("not yet downloaded", "–")
    write_json(record_path(source), {"sha256": "0" * 64, "size_bytes": 1_300_000_000})
    assert row("prithvi_eo_v2_300") == ("recorded", "1.3 GB")
