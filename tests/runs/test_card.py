from __future__ import annotations

from tests.runs.conftest import epoch, finished, started, step, write
from workbench.runs import write_card
from workbench.storage import write_json


def test_the_card_says_what_was_trained_on_what_and_how_it_went(run):
    write(run, started(), step(1), epoch(0), epoch(1), finished())
    write_json(run.folder / "evaluation" / "summary.json",
               {"test": {"miou": 0.83, "low": 0.8, "high": 0.85, "clusters": 7,
                         "regions": {"ghana": 0.83}},
                "held_out": {"miou": 0.74, "low": None, "high": None, "why": "2 clusters",
                             "regions": {"bolivia": None}}})
    write_card(run)
    card = (run.folder / "card.md").read_text()
    for words in ("# index", "land, water", "GREEN, NIR_NARROW", "tiny-floods: train",
                  "held out 8 (Bolivia)", "SpectralIndex()", "mIoU in region: 83.0 %",
                  "test, ghana: mIoU 83.0 %", "held out, bolivia: mIoU –",
                  "between 80.0 % and 85.0 % (95 % interval over 7 clusters)",
                  "no interval, 2 clusters", "## Limits", "torch "):
        assert words in card
    assert "simulated" not in card
