"""What there is to choose from."""

from __future__ import annotations

import workbench as wb
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.peft import METHODS


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
