"""The tab about the model: all of it from the model file."""

import re
from dataclasses import replace

from isic_screen import load_model
from isic_screen.ui.about import about
from isic_screen.ui.texts import German, Texts
from tests.page_text import text_of

texts = Texts()


def test_about_reads_everything_from_the_file(bundled_model):
    text = text_of(about(bundled_model, texts))
    facts = bundled_model.facts
    assert facts.intended_use in text
    assert all(limit in text for limit in facts.limits)
    assert facts.licence in text
    assert bundled_model.sha256 in text
    for block in facts.metrics["sources"].values():
        auc = block["metrics"]["roc_auc"]
        assert f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" in text


def test_about_tells_the_figures_of_every_group(bundled_model):
    html = about(bundled_model, texts)
    text = text_of(html)
    for source, block in bundled_model.facts.metrics["sources"].items():
        groups = [group for members in block["subgroups"]["by"].values() for group in members]
        assert html.count('<th scope="row">') > len(groups)
        for group in groups:
            assert f"{group['n']:,} ({group['positives']:,})" in text
            if group["roc_auc"]["value"] is not None:
                assert f"{group['roc_auc']['value']:.3f}" in text
        assert source in text
    assert "too few to say" in text
    without = bundled_model.facts.metrics["sources"]["isic2020"]["camera_shortcut"]["roc_auc"]
    assert f"{without['value']:.3f}" in text


def test_images_of_a_source_that_names_nobody_are_not_called_patients(bundled_model):
    text = text_of(about(bundled_model, texts))
    assert "isic2017: 2,146 images, 400 melanomas, no two known to be of one patient or lesion" in text
    assert "isic2020: 908 images, 464 melanomas, 624 patients or lesions" in text


def test_no_rate_of_a_group_is_rounded_to_all(bundled_model):
    text = text_of(about(bundled_model, texts))
    by = bundled_model.facts.metrics["sources"]["ham10000"]["subgroups"]["by"]
    back = next(group for group in by["body site"] if group["label"] == "back")["sensitivity"]
    assert (back["count"], back["total"]) == (323, 324)
    assert "99.7\N{NARROW NO-BREAK SPACE}% (98 – 100)" in text
    every = sum(
        group["sensitivity"].get("count") == group["sensitivity"].get("total", 0)
        for block in bundled_model.facts.metrics["sources"].values()
        for groups in block["subgroups"]["by"].values()
        for group in groups
    )
    assert text.count("100.0\N{NARROW NO-BREAK SPACE}% (") == every


def test_what_was_left_out_for_the_area_stands_below_the_area(bundled_model):
    html = about(bundled_model, texts)
    names = re.findall(r'<th scope="row">(.*?)</th>', html)
    assert names[names.index(texts.FACT_AUC) + 1] == texts.FACT_AUC_WITHOUT
    model = replace(bundled_model, facts=replace(bundled_model.facts, metrics={}))
    assert texts.FACT_AUC_WITHOUT not in about(model, texts)


def test_about_has_german_numbers_and_german_commas(bundled_model):
    text = text_of(about(bundled_model, German()))
    assert "ham10000: 10.015 Bilder, 1.113 Melanome, 7.470 Patienten oder Läsionen" in text
    assert "isic2017: 2.146 Bilder, 400 Melanome; von keinen zweien ist bekannt" in text
    auc = bundled_model.facts.metrics["sources"]["isic2020"]["metrics"]["roc_auc"]
    value, low, high = (f"{auc[name]:.3f}".replace(".", ",") for name in ("value", "low", "high"))
    assert f"isic2020: {value} ({low} bis {high}), 908 Bilder, 464 Melanome" in text


def test_a_model_without_metrics_says_that_they_are_not_stated(lite0_file):
    assert texts.NOT_STATED in text_of(about(load_model(lite0_file), texts))
