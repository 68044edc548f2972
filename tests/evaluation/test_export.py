from __future__ import annotations

import pandas as pd

from tests.evaluation.conftest import synthetic
from workbench.evaluation import compare, export

COMPARISON = compare([synthetic("lora_a|b", skill=2.5, noise=1),
                      synthetic("ndwi", skill=0.5, noise=3, baseline=True)])


def test_markdown_has_a_row_for_every_run_and_place_with_its_interval():
    text = COMPARISON.to_markdown()
    assert f"| ndwi (baseline) | 1.2 k | {COMPARISON.entries[1].pooled('test')} |" in text
    assert "lora_a\\|b" in text  # a bar would end the cell
    for place in ("r0", "h0"):
        assert f"| {place} |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {6}
    assert "bootstrap" in text


def test_latex_is_escaped_and_every_row_ends():
    text = COMPARISON.to_latex()
    assert r"lora\_a|b" in text
    assert r"in region: mIoU \%" in text
    assert "lora_a" not in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 2
    assert all(line.endswith(r"\\") for line in body)


def test_whatever_latex_would_take_for_a_command_is_harmless():
    assert export.escaped("a\\b {50 %} $x^2_1$ #1 & ~ ± 3") == (
        r"a\textbackslash{}b \{50 \%\} \$x\textasciicircum{}2\_1\$ \#1 \& \textasciitilde{} "
        r"$\pm$ 3")


def test_csv_holds_the_numbers_as_they_are(tmp_path):
    COMPARISON.to_csv(tmp_path / "scores.csv")
    back = pd.read_csv(tmp_path / "scores.csv", keep_default_na=True)
    pd.testing.assert_series_equal(back["miou"], COMPARISON.table()["miou"])
    assert back["region"].tolist() == COMPARISON.table()["region"].tolist()
