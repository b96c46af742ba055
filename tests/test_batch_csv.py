"""The page's CSV agrees with the page: its prevalence, its "not screened"; and no name in it becomes a formula."""

import csv
import io
from dataclasses import replace

import pytest

from isic_screen import Screening
from isic_screen.errors import PhotoError
from isic_screen.export import COLUMNS, write_csv
from isic_screen.operating_point import OperatingPoint, ThresholdTable, restate
from isic_screen.quality import assess
from isic_screen.ui.batch import Row
from isic_screen.ui.batch_csv import batch_csv
from isic_screen.ui.texts import German, Texts
from tests.conftest import lesion
from tests.printed import ON, SHA, example_model

POINT = ThresholdTable((0.01, 0.03), (9, 5), (7, 2), 9, 9, 0.018).at(0.03)
FIT = assess(lesion(0, size=(400, 300)))
UNFIT = replace(FIT, verdict="unfit", reasons=("blank (nothing can be seen on it; take the photo again)",))


def _screening(probability: float, quality=FIT) -> Screening:
    return Screening(probability, 0.0, quality, None)  # type: ignore[arg-type]


def _told(rows: list[Row], prevalence: float = 0.018, point: OperatingPoint = POINT) -> list[dict[str, str]]:
    made = batch_csv(rows, point, prevalence, Texts(), model=example_model(), on=ON)
    return list(csv.DictReader(io.StringIO(made, newline="")))


def test_it_has_the_command_lines_columns_and_values_and_names_its_prevalence():
    results = [("b.jpg", _screening(0.03)), ("a.jpg", _screening(0.0299)), ("c.jpg", PhotoError("c.jpg is empty."))]
    rows = _told([Row(*result, sha256="12345e678901") for result in results[:2]] + [Row(*results[2])])
    appended = ("prevalence", "made_at", "photo_file", "model")
    assert tuple(rows[0]) == (*COLUMNS, *appended)
    same = ("0.018", "2026-11-23T14:05:00+01:00")
    hashes, model = ["SHA-256 12345e678901"] * 2 + [""], f"example 7.1, SHA-256 {SHA[:12]}"
    assert [tuple(row.pop(name) for name in appended) for row in rows] == [(*same, each, model) for each in hashes]
    assert [row["flagged"] for row in rows] == ["1", "0", ""]
    command_line = io.StringIO(newline="")
    write_csv(command_line, results, 0.03)
    assert rows == list(csv.DictReader(io.StringIO(command_line.getvalue(), newline="")))


def test_another_prevalence_restates_probability_and_threshold_and_says_so():
    rows = _told([Row("a.jpg", _screening(0.03)), Row("b.jpg", _screening(0.0299))], 0.2)
    for row, probability in zip(rows, (0.03, 0.0299), strict=True):
        assert float(row["probability"]) == pytest.approx(restate(probability, 0.018, 0.2), rel=1e-5)
        assert float(row["threshold"]) == pytest.approx(restate(0.03, 0.018, 0.2), rel=1e-5)
        assert row["prevalence"] == "0.2"
    assert [row["flagged"] for row in rows] == ["1", "0"]


def test_an_unfit_photo_keeps_its_score_but_is_neither_flagged_nor_cleared():
    (row,) = _told([Row("a.jpg", _screening(0.5, UNFIT))])
    assert row["probability"] == "0.5"
    assert row["flagged"] == ""
    assert row["quality"].startswith("unfit: blank")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_out_of_a_zip_is_no_formula(start):
    name = f'{start}HYPERLINK("http://example.org","x").jpg'
    screened, faulty = _told([Row(name, _screening(0.1)), Row(name, PhotoError(f"{name} is empty."))])
    assert screened["file"] == faulty["file"] == f"'{name}"
    assert not faulty["error"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert faulty["error"].endswith('HYPERLINK("http://example.org","x").jpg is empty.')
    as_given = io.StringIO(newline="")
    write_csv(as_given, [(name, _screening(0.1))], 0.03)  # the command line's contract
    assert next(csv.DictReader(io.StringIO(as_given.getvalue(), newline="")))["file"] == name


def test_a_german_spreadsheet_finds_its_columns_and_numbers():
    made = batch_csv(
        [Row("Müller; Änne, links.jpg", _screening(0.0299))], POINT, 0.018, German(), model=example_model(), on=ON
    )
    (row,) = csv.DictReader(io.StringIO(made, newline=""), delimiter=";")
    assert row["file"] == "Müller; Änne, links.jpg"
    assert (row["probability"], row["threshold"], row["prevalence"]) == ("0,0299", "0,03", "0,018")
    assert row["flagged"] == "0"


def test_other_names_stay_as_they_are():
    for name in ("patient=1.jpg", "Müller, Änne – Rücken.jpg", "'quoted'.jpg"):
        assert _told([Row(name, _screening(0.1))])[0]["file"] == name
    assert _told([Row("ü\udce4.jpg", _screening(0.1))])[0]["file"] == "ü\\udce4.jpg"
