"""Every generated figure in README and model card is what the files behind it say."""

import json
import re
import tomllib

import pytest

import isic_screen
from benchmarks import training_report
from benchmarks.training_report import CHALLENGE
from isic_screen.evaluation.ablation import table_of
from isic_screen.ui.layout import DELETE_CACHE, kept
from isic_screen.ui.photo_tab import SESSION_SECONDS
from isic_screen.ui.texts import LANGUAGES
from tests.conftest import ROOT
from train.card_tables import reference_block, result_of
from train.model_card import EVALUATION, model_card
from train.write_docs import REPORT, evaluation_report, with_generated


def test_the_readme_is_as_its_command_writes_it(bundled_model):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_generated(readme, bundled_model) == readme
    assert len(re.findall("<!-- generated: ", readme)) == 6


def test_the_account_of_speed_is_as_its_command_writes_it(bundled_model):
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert with_generated(text, bundled_model) == text
    assert re.findall(r"<!-- generated: (\w+)", text) == ["stages", "engines", "speed"]
    for engine in json.loads((ROOT / "benchmarks" / "results" / "engines.json").read_text())["engines"]:
        assert f"| {engine['engine']} |" in text
    for image in re.findall(r"\]\(\.\./(assets/[^)]+)\)", text):
        assert (ROOT / image).is_file()


def test_the_model_card_is_as_its_command_writes_it(bundled_model):
    assert (ROOT / "assets" / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card(bundled_model)


def test_the_evaluation_report_is_as_its_command_writes_it(bundled_model):
    text = REPORT.read_text(encoding="utf-8")
    assert evaluation_report(text, bundled_model) == text
    assert (
        json.loads((EVALUATION / "metrics.json").read_text(encoding="utf-8")).items()
        <= bundled_model.facts.metrics.items()
    )


def test_the_ablation_is_as_its_command_writes_it():
    results = json.loads((ROOT / "assets" / "ablation.json").read_text(encoding="utf-8"))
    assert (ROOT / "assets" / "ABLATION.md").read_text(encoding="utf-8") == table_of(results)


def test_numbers_typed_into_the_readme_are_those_of_the_model_file(bundled_model):
    """Those of tables are written by a command; these sentences are not."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    sources = bundled_model.facts.training["sources"]
    images = bundled_model.facts.training["training_part"]["images"]
    assert f"fine-tuned on {images:,} dermoscopy images of three sources" in readme
    assert f"({sources['isic2020']['images']:,} of its {CHALLENGE:,} images)" in readme
    assert f"they hold at its prevalence, {100 * bundled_model.facts.prevalence:g} % in the bundled model" in readme
    close_ups = result_of("skin_photos")["not dermoscopy"]["close-ups of skin"]
    assert "more than half of the close-ups look familiar" in readme
    assert close_ups["doubtful_or_refused_by_distance"] < close_ups["pictures"] / 2


def test_the_paper_is_quoted_with_the_size_of_what_it_measured(bundled_model):
    """It measured on its validation part, a fifth of the set."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    paper = tomllib.loads((ROOT / "train" / "paper.toml").read_text(encoding="utf-8"))
    assert round(CHALLENGE / paper["images"]) == 5
    for text in (readme, model_card(bundled_model)):
        assert "measured on a fifth of the full set" in text


def test_the_document_on_training_has_the_figures_of_its_benchmarks():
    document = training_report.DOCUMENT.read_text(encoding="utf-8")
    assert training_report.with_tables(document) == document


def test_the_card_shows_the_files_own_figures(bundled_model):
    auc = reference_block(bundled_model)["metrics"]["roc_auc"]
    card = model_card(bundled_model)
    assert f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" in card
    assert bundled_model.sha256 in card
    for limit in bundled_model.facts.limits:
        assert limit in card
    for image in re.findall(r"\]\((evaluation/[^)]+)\)", card):
        assert (ROOT / "assets" / image).is_file()


@pytest.mark.parametrize(
    "document", ["README.md", "SECURITY.md", "docs/serving.md", "docs/transparency.md", "assets/MODEL_CARD.md"]
)
def test_how_long_anything_is_kept_is_said_in_the_same_words_everywhere(document):
    """Those of the page, with the numbers by which uploads and answers are deleted."""
    sentence = kept(LANGUAGES[0])
    assert re.findall(r"\d+", sentence) == [f"{sum(DELETE_CACHE) // 60}", f"{SESSION_SECONDS // 60}"] == ["20", "60"]
    text = " ".join((ROOT / document).read_text(encoding="utf-8").split())
    assert sentence in text
    assert not re.search("nothing is (kept|stored)|kept nowhere|twenty minutes", text, flags=re.IGNORECASE)


def test_front_matter_is_a_spaces(bundled_model):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    front = readme.split("---\n")[1]
    entries = dict(re.findall(r"^(\w+): *(.*)$", front, flags=re.MULTILINE))
    assert entries["sdk"] == "gradio"
    assert (ROOT / entries["app_file"]).is_file()
    assert len(entries["short_description"]) <= 60  # the hub refuses longer ones
    required = (ROOT / "requirements.txt").read_text()
    floor = re.search(r"gradio>=(\d+)\.(\d+)", required)
    assert tuple(map(int, entries["sdk_version"].split(".")[:2])) >= tuple(map(int, floor.groups()))


def test_the_readmes_python_runs_as_written(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(snippet, "README.md", "exec"), {})
    assert re.fullmatch(r"\d+\.\d+% (True|False) (fit|doubtful).*\n", capsys.readouterr().out)


def test_the_package_has_the_version_of_its_model(bundled_model):
    assert isic_screen.__version__ == bundled_model.facts.version
