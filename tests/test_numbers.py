"""Numbers are written so that none reads like another one or like nothing, and they add up."""

import math
from itertools import pairwise

import pytest

from isic_screen.operating_point import Per1000, restate
from isic_screen.ui.numbers import People, against, people, percent, round_percent
from isic_screen.ui.scale import Scale
from isic_screen.ui.texts import German, Texts

texts = Texts()


def _bare(written: str) -> str:
    return written.removesuffix("\N{NARROW NO-BREAK SPACE}%")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"),
        (0.0000001, "< 0.0001"),
        (0.00001, "0.0010"),
        (0.0000243, "0.0024"),
        (0.00057, "0.057"),
        (0.0057, "0.57"),
        (0.018, "1.8"),
        (0.0996, "10"),
        (0.2, "20"),
        (0.953, "95"),
        (0.9982, "99.8"),
        (0.9997, "99.97"),
        (0.999999, "> 99.99"),
        (1.0, "100.0"),
    ],
)
def test_percentages_keep_what_matters(share, text):
    assert _bare(percent(share, texts)) == text


def test_an_axis_has_round_percentages():
    assert [_bare(round_percent(share, German())) for share in (0.00001, 0.005, 0.3)] == ["0,001", "0,5", "30"]


def _value(written: str) -> float:
    return float(_bare(written).removeprefix("< ").removeprefix("> "))


def test_a_threshold_reads_apart_from_what_is_just_above_and_below_it():
    probabilities = [0.0249, 0.02491, 0.02498, 0.0254, 0.1, 0.00000001, 0.02496, 0.02496000001]
    threshold, written = against(0.02496, probabilities, texts)
    for probability, text in zip(probabilities, written, strict=True):
        assert (_value(text) >= _value(threshold)) == (probability >= 0.02496)
    assert against(0.02496, [0.2], texts) == (percent(0.02496, texts), [percent(0.2, texts)])
    assert against(0.02494, [0.02494, 0.02493], texts)[1][0] == against(0.02494, [0.02493], texts)[0]


@pytest.mark.parametrize("pair", [(0.0000002, 0.0000003), (0.99999, 0.999991), (0.0, 0.0000001)])
def test_so_it_does_at_the_ends(pair):
    lower, higher = pair
    threshold, (written,) = against(higher, [lower], texts)
    assert threshold != written
    assert _value(written) <= _value(threshold)


def test_a_part_of_a_person_is_not_nobody():
    assert people(0.36, texts) == "0.4"
    assert people(0.0496, texts) == "0.05"
    assert people(18.0, texts) == "18"
    assert people(610.4, texts) == "610"
    assert people(1000, texts) == "1,000"


def _number(written: str) -> float:
    return float(written.replace(",", ""))


@pytest.mark.parametrize("prevalence", [0.0001, 0.001, 0.00123, 0.018, 0.1, 0.9])
@pytest.mark.parametrize("sensitivity", [0.0, 0.5, 0.9504, 0.999, 1.0])
@pytest.mark.parametrize("specificity", [0.0, 0.6137, 0.9996])
def test_people_add_up_and_none_is_rounded_away(prevalence, sensitivity, specificity):
    sick, healthy = 1000 * prevalence, 1000 * (1 - prevalence)
    counts = Per1000(sick * sensitivity, sick * (1 - sensitivity), healthy * (1 - specificity), healthy * specificity)
    written = People.of(counts, texts)
    assert _number(written.found) + _number(written.missed) == pytest.approx(_number(written.melanomas))
    assert _number(written.recalled) + _number(written.cleared) == pytest.approx(_number(written.healthy))
    for text, count in (
        (written.found, counts.found),
        (written.missed, counts.missed),
        (written.recalled, counts.recalled_healthy),
        (written.cleared, counts.cleared_healthy),
    ):
        assert (_number(text) == 0) == (count == 0)
        assert math.isclose(_number(text), count, rel_tol=0.12, abs_tol=0.0)


def test_five_in_a_hundred_missed_of_one_melanoma_is_not_none():
    written = People.of(Per1000(0.95, 0.05, 390.0, 609.0), texts)
    assert (written.found, written.missed, written.melanomas) == ("0.95", "0.05", "1")


def test_the_scale_is_log_odds():
    scale = Scale.at(0.018)
    assert scale.position(0.5) - scale.position(0.1) == pytest.approx(scale.position(0.9) - scale.position(0.5))
    assert scale.position(0.0) == 0.0
    assert scale.position(1.0) == 1.0


@pytest.mark.parametrize("prevalence", [0.0001, 0.001, 0.018, 0.1, 0.5, 0.9])
def test_the_scale_reaches_what_the_prevalence_moves_and_its_labels_have_room(prevalence):
    scale = Scale.at(prevalence)
    for usual in (0.0006, 0.004, 0.8):
        assert 0 < scale.position(restate(usual, 0.018, prevalence)) < 1
    places = [scale.position(tick) for tick in scale.ticks(prevalence)]
    assert len(places) >= 3
    assert all(abs(place - scale.position(prevalence)) > 0.06 for place in places)
    assert all(right - left > 0.1 for left, right in pairwise(places))
    assert places[0] > 0.03
    assert places[-1] < 0.97
