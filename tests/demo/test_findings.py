from __future__ import annotations

from workbench.demo import findings


def test_a_difference_is_claimed_only_with_its_verdict(comparison):
    text = findings.headline(comparison(lora=0.9, full=0.8, unet=0.7, ndwi=0.6), "Bolivia")
    assert text == ("In Bolivia, which no run had seen, LoRA does better than full fine-tuning; "
                    "LoRA does better than every baseline.")


def test_equal_runs_are_not_ranked(comparison):
    text = findings.headline(comparison(lora=0.9, full=0.9, unet=0.9, ndwi=0.6), "Bolivia")
    assert "no difference between LoRA and full fine-tuning is shown" in text
    assert text.endswith("LoRA does better than NDWI > 0.")


def test_a_baseline_that_wins_is_named_first(comparison):
    text = findings.headline(comparison(lora=0.7, full=0.8, unet=0.9, ndwi=0.6), "Bolivia")
    assert text == ("In Bolivia, which no run had seen, full fine-tuning and U-Net from scratch do "
                    "better than LoRA.")
    text = findings.headline(comparison(lora=0.8, full=0.8, unet=0.9, ndwi=0.6), "Bolivia")
    assert text.endswith("; U-Net from scratch does better than LoRA.")


def test_too_few_places_give_no_ranking(comparison):
    few = comparison(lora=0.9, full=0.6, unet=0.6, ndwi=0.6, clusters=3)
    text = findings.headline(few, "Bolivia")
    assert "too few independent places to rank LoRA and full fine-tuning" in text
    assert "better" not in text.replace("shown to do better than any baseline", "")


def test_a_gap_that_could_be_none_is_not_called_a_loss(comparison):
    first, second = findings.lead(comparison(0.9, 0.9, 0.9, 0.9), "Bolivia", epochs=1)
    assert "does not tell from none" in first
    assert "loss" not in first
    assert "one epoch only" in second


def test_the_pairs_asked_for_hold_lora_and_the_fine_tuned_runs(comparison):
    asked, others = findings.pairs(comparison(0.9, 0.8, 0.7, 0.6))
    assert asked == [("lora", "full"), ("lora", "unet-scratch"), ("lora", "ndwi-0")]
    assert len(asked) + len(others) == 6


def test_sentences_name_runs_as_the_report_does(comparison):
    (text,) = findings.sentences(comparison(0.9, 0.8, 0.7, 0.6), [("lora", "full")])
    assert text.startswith("LoRA is better than full fine-tuning")


def test_parameters_say_their_share():
    assert findings.parameters(250_000, 1_000_000) == "250.0 k (25 %)"
    assert findings.parameters(1_000_000, 1_000_000) == "1.0 M"
    assert findings.parameters(None, None) == "–"
