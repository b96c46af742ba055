"""Comma and point are both decimal, wherever a number is typed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from isic_screen.operating_point import ThresholdTable
from isic_screen.training.recipe import load_recipe
from isic_screen.typed_number import typed_number
from isic_screen.ui.newest import Asked
from isic_screen.ui.texts import German, Texts
from isic_screen.ui.threshold import chosen, written


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0,43", 0.43),
        ("0.43", 0.43),
        (" 43 ", 43),
        (",5", 0.5),
        ("5,", 5),
        ("1,000", 1),
        ("1.000", 1),
        ("1.000,5", 1000.5),
        ("1,000.5", 1000.5),
        ("1 000,5", 1000.5),
        ("1.000.000", 1e6),
        ("-3", -3),
        ("\N{MINUS SIGN}3", -3),
        ("1,5e-3", 0.0015),
    ],
)
def test_a_number_is_read_the_same_with_either_mark(text, number):
    assert typed_number(text) == number


@pytest.mark.parametrize("text", ["", " ", "abc", ".", "0,4,3", "1.00,5", "12.34,5", "nan", "inf", "1_0", "5 %"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="not a number"):
        typed_number(text)


def test_a_recipes_number_on_the_command_line_may_have_a_comma():
    assert load_recipe("screen", ["label_smoothing=0,05"]).label_smoothing == 0.05


@pytest.fixture
def callbacks() -> SimpleNamespace:
    random = np.random.default_rng(0)
    targets = (random.random(400) < 0.5).astype(int)
    table = ThresholdTable.from_predictions(1 / (1 + np.exp(-random.normal(targets * 2 - 4, 1))), targets, 0.018)
    facts = SimpleNamespace(threshold_table=table, prevalence=0.018, default_threshold=0.012)
    return SimpleNamespace(
        texts=German(),
        screener=SimpleNamespace(facts=facts),
        point=table.at,
        threshold_for=lambda caught: table.threshold_for_sensitivity(caught / 100),
    )


def _asked(*choices: tuple[str, object]) -> Asked:
    given = [{"field": field, "value": value} for field, value in choices]
    nothing = dict.fromkeys(("photo", "screened", "run", "begun", "opened", "in_force"))
    return Asked.model_validate_json(json.dumps({"number": 1, "clock": "", "choices": given, **nothing}))


@pytest.mark.parametrize(
    ("choices", "threshold", "number", "prevalence"),
    [
        ([], 0.012, "1,2", 0.018),
        ([("threshold", "0,43")], 0.0043, "0,43", 0.018),
        ([("threshold", "0.43 %")], 0.0043, "0,43", 0.018),
        ([("threshold", "150")], 1.0, "100", 0.018),
        ([("threshold", "")], 0.012, "1,2", 0.018),
        ([("threshold", "0,43"), ("threshold", "x")], 0.0043, "0,43", 0.018),
        ([("prevalence", "2,5"), ("prevalence", "x")], 0.012, None, 0.025),
        ([("prevalence", "95")], 0.012, None, 0.9),
        ([("prevalence", "-3")], 0.012, "1,2", 0.018),
    ],
)
def test_choices_are_made_one_after_the_other(callbacks, choices, threshold, number, prevalence):
    found = chosen(_asked(*choices), callbacks)
    assert found.threshold == pytest.approx(threshold)
    assert found.prevalence == pytest.approx(prevalence)
    assert number is None or found.number == number


def test_a_number_that_is_left_as_it_is_shown_changes_nothing(callbacks):
    moved = chosen(_asked(("sensitivity", 90)), callbacks)
    left = chosen(_asked(("sensitivity", 90), ("threshold", moved.number)), callbacks)
    assert left.held == moved.held  # though the number is rounded, and the threshold is not


def test_what_was_typed_last_is_said_to_be_wrong_or_is_not(callbacks):
    assert "„&lt;b&gt;“" in (chosen(_asked(("threshold", "<b>")), callbacks).note or "")
    assert "100 %" in (chosen(_asked(("threshold", "150")), callbacks).note or "")
    assert "0,01" in (chosen(_asked(("prevalence", "0,001")), callbacks).note or "")
    assert chosen(_asked(("threshold", "x"), ("threshold", "1")), callbacks).note == ""
    assert chosen(_asked(), callbacks).note is None


def test_a_number_is_written_without_an_exponent():
    assert written(1e-7, German()) == "0,0000001"
    assert written(90.0, Texts()) == "90"
