"""Every language says everything, with the same placeholders, and numbers are written its way."""

import ast
import re
import string
from dataclasses import replace
from html import escape
from importlib import import_module
from itertools import product
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import pandas as pd
import pytest

from isic_screen import archive, formats, photo
from isic_screen.formats import foreign
from isic_screen.frames import Cut
from isic_screen.quality import _border, _doubtful, _unfit, assess, unlike_training
from isic_screen.training.about import load_about
from isic_screen.training.folds import LEAKS, ON_VALIDATION, UNSEEN, basis_of
from isic_screen.ui import batch
from isic_screen.ui.about import about
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import LANGUAGES, German, Texts
from tests.conftest import ROOT, lesion

OTHERS = [texts for texts in LANGUAGES if type(texts) is not Texts]
NAMES = sorted(name for name in dir(Texts) if name.isupper())
SAME_IN_BOTH = {"TITLE", "PRESET"}


def _placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("texts", OTHERS, ids=lambda texts: texts.LANGUAGE)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_there_in_every_language(texts, name):
    said_by = next(kind for kind in type(texts).__mro__ if name in vars(kind))
    assert said_by.__name__.startswith(type(texts).__name__), f"{name} is still in English"
    english, other = getattr(Texts, name), getattr(texts, name)
    assert type(other) is type(english)
    if isinstance(english, str):
        assert _placeholders(other) == _placeholders(english)
        assert other.strip()
        assert other != english or name in SAME_IN_BOTH or len(english) < 12


def test_numbers_have_the_marks_of_the_language():
    assert percent(0.018, German()).startswith("1,8")
    assert percent(0.018, Texts()).startswith("1.8")


def test_every_finding_about_a_photo_is_translated():
    fit = assess(lesion(0, size=(400, 300)))
    odd = {
        "side": (50, 120, 400),
        "contrast": (0.0, 0.2),
        "flat": (0.0, 0.9),
        "colour_spread": (0.0, 0.05, 0.5),
        "coarseness": (0.1, 0.9),
        "sharpness": (0.1, 5.0),
        "brightness": (0.1, 0.5),
        "burnt": (0.0, 0.5),
    }
    findings = set(unlike_training(fit, refused=True).reasons)
    for values in product(*odd.values()):
        measured = replace(fit, **dict(zip(odd, values, strict=True)))
        findings |= {*_unfit(measured), *_doubtful(measured)}
    findings |= set(_border(Cut(0.12, 0, 0.3, 0.05)))
    assert len(findings) >= 12
    german = German()
    for finding in findings:
        translated = german.reason(finding)
        assert translated != finding
        assert [sign for sign in translated if sign.isdigit()] == [sign for sign in finding if sign.isdigit()]
        assert Texts().reason(finding) == finding
    assert german.reason("something new {odd} 5") == "something new {odd} 5"


def test_how_a_model_was_evaluated_is_translated():
    apart = pd.DataFrame({"fold": [0, 0, 1], "group": ["a", "a", "b"]})
    folds, leaky = basis_of(apart), basis_of(apart.assign(group="a"))
    said = [folds, leaky, f"{folds}; {UNSEEN}", ON_VALIDATION, f"{ON_VALIDATION}; {LEAKS}"]
    for basis in said:
        translated = German().stated(basis)
        assert not re.search(r"\b(the|by|images|on|of|no|as|fold|cross)\b", translated), translated
        assert Texts().stated(basis) == basis
    assert German().stated(folds).startswith("2-fache Kreuzvalidierung nach Patient oder Läsion")
    assert German().stated("On a new (set).") == "On a new (set)."


def test_what_the_projects_models_state_of_themselves_is_translated(bundled_model):
    files = [load_about(ROOT / "train" / "about.toml"), vars(bundled_model.facts)]
    said = {sentence for facts in files for sentence in (facts["intended_use"], *facts["limits"], facts["licence"])}
    for sentence in said:
        translated = German().stated(sentence)
        assert not re.search(r"\b(the|by|on|of|not|is|and|for|it)\b", translated), translated
        assert Texts().stated(sentence) == sentence
    page = about(bundled_model, German())
    assert not any(escape(sentence) in page for sentence in said)
    assert escape(German().stated(bundled_model.facts.limits[-1])) in page


def _said(node: ast.expr, module: ModuleType) -> str:
    """The text of a string in a source file, with 7 for what is filled in and the module's own constants."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        constant = getattr(module, node.value.id, "7") if isinstance(node.value, ast.Name) else "7"
        return constant if isinstance(constant, str) else "7"
    return "".join(_said(part, module) for part in node.values) if isinstance(node, ast.JoinedStr) else ""


def _faults() -> list[str]:
    """Every sentence about a file in the sources, with "photo.jpg" for its subject."""
    readers = [import_module(f"{formats.__name__}.{found.name}") for found in iter_modules(formats.__path__)]
    found = [f"{what}. {advice}" for _, _, what, advice in foreign._SIGNATURES]
    for module in (photo, archive, batch, *readers):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PhotoError" and node.args:
                found.append(_said(node.args[0], module).removeprefix("7 "))
            elif isinstance(node, ast.Return) and node.value is not None and module is foreign:
                found.append(_said(node.value, module))
    sentences = [fault for fault in found if re.search("[a-z] [a-z]", fault)]
    return [fault if fault.startswith("There") else f"photo.jpg {fault}" for fault in sentences]


def test_every_fault_of_a_file_is_translated():
    faults = _faults()
    assert len(faults) >= 50
    for fault in faults:
        translated = German().fault(fault)
        assert translated != fault, fault
        assert not re.search(r"\b(is|has|the|it|again|choose|photos|not|and)\b", translated), translated
        assert Texts().fault(fault) == fault
    empty = German().fault("The file is empty (0 bytes). Choose a photo.")
    assert empty == "Die Datei ist leer (0 Bytes). Wählen Sie ein Foto."
    assert German().fault("Something new.") == "Something new."


def test_nobody_is_said_to_be_new_to_a_model_that_was_trained_on_them(bundled_model):
    """The counts are of its twins in cross-validation; the model itself was trained on all images."""
    training = bundled_model.facts.training
    assert training["training_part"]["images"] == sum(source["images"] for source in training["sources"].values())
    assert "new to the network that was judged" in Texts.EVIDENCE
    assert "dem beurteilten Netz neu" in German.EVIDENCE


def test_photos_are_not_taken_for_people_nor_melanomas_for_all_that_a_rate_rests_on():
    """What is counted are photos, and specificity rests on how the lesions look that are no melanomas."""
    assert "Each photo counts as one person." in Texts.EVIDENCE
    assert "Jedes Foto zählt als eine Person." in German.EVIDENCE
    assert "and their other lesions" in Texts.RESTATED
    assert "und ihre anderen Läsionen" in German.RESTATED
