"""Many photos on the page: what is listed, in which order, and that one bad file stops nothing."""

import hashlib
import io
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from pypdf import PdfReader

from isic_screen import Screener, archive, load_model, open_photo
from isic_screen.errors import PhotoError
from isic_screen.explain import METHODS
from isic_screen.operating_point import restate
from isic_screen.ui import batch
from isic_screen.ui.api import Api
from isic_screen.ui.batch import Batch, Uploads, parts, progress, result, screen, table
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.numbers import against, percent
from isic_screen.ui.texts import German, Texts
from isic_screen.ui.upload import Upload
from tests.conftest import lesion
from tests.printed import ON

texts = Texts()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    for seed in range(4):
        lesion(seed, dark=seed % 2 == 1, size=(400, 300)).save(folder / f"photo-{seed}.png")
    (folder / "broken.jpg").write_text("no photo")
    with zipfile.ZipFile(folder / "more.zip", "w") as made:
        made.write(folder / "photo-1.png", "inner/photo-1.png")
        made.writestr("notes.jpg", "not a photo")
        made.writestr("notes.txt", "not called one")
        made.writestr("__MACOSX/._photo.png", "beside it")
    return folder


@pytest.fixture(scope="module")
def callbacks(lite0_file) -> Callbacks:
    return Callbacks(Screener(load_model(lite0_file)), texts)


@pytest.fixture(scope="module")
def found(folder, callbacks) -> Batch:
    given = [str(folder / name) for name in ("photo-0.png", "broken.jpg", "photo-1.png", "more.zip", "photo-2.png")]
    return Batch([row for rows in screen(callbacks.screener, Uploads(given)) for row in rows])


def _names(html: str) -> list[str]:
    return re.findall(r'class="name"><\w+[^>]*>([^<]*)<', html)


def test_files_and_what_is_in_archives_come_in_order(folder):
    given = [str(folder / name) for name in ("photo-0.png", "more.zip", "broken.jpg")]
    uploads = Uploads(given)
    assert uploads.expected == 6  # as the ZIP says
    assert [name for name, _ in uploads] == ["photo-0.png", "inner/photo-1.png", "notes.jpg", "broken.jpg"]
    assert uploads.expected == 4


def test_a_zip_is_opened_once_for_a_batch(folder, callbacks, monkeypatch):
    opened = []
    real = archive.zipfile.ZipFile
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda *given: opened.append(given) or real(*given))
    answer = Api(callbacks.screener).batch([str(folder / "more.zip"), str(folder / "photo-0.png")])
    assert [photo["file"] for photo in answer["photos"]] == ["inner/photo-1.png", "notes.jpg", "photo-0.png"]
    assert answer["passed_over"] == {"hidden": 1, "others": 1}
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Texts(), "All 2 photos are done. Passed over: 1 hidden or of the system, 1 no pictures (.txt)."),
        (German(), "Alle 2 Fotos sind fertig. Übergangen: 1 versteckt oder vom System, 1 keine Bilder (.txt)."),
    ],
)
def test_what_is_passed_over_is_counted_beside_the_list(folder, callbacks, language, sentence):
    uploads = Uploads([str(folder / "more.zip")])
    rows = [row for rows in screen(callbacks.screener, uploads) for row in rows]
    told = result(language.BATCH_DONE, Batch(rows, passed_over=uploads.passed_over), language)
    assert told == f'<p class="batch-progress">{sentence}</p>'
    assert "Passed over" not in result(language.BATCH_DONE, Batch(rows), language)


def test_uploads_of_one_name_are_told_apart_everywhere(folder, callbacks, tmp_path):
    """In list, opened case, CSV, PDF and API, as members of a ZIP are; a name is as it was given."""
    given = []
    for number, (source, name) in enumerate(
        (("photo-0.png", "Läsion (1).png"), ("photo-1.png", "Läsion (1).png"), ("broken.jpg", "Läsion (1).png"))
    ):
        (tmp_path / str(number)).mkdir()
        path = shutil.copy(folder / source, tmp_path / str(number) / "L sion 1.png")  # as Gradio names it
        given.append(Upload.of(str(path), name))
    names = ["Läsion (1).png", "Läsion (1).png (2)", "Läsion (1).png (3)"]
    assert [name for name, _ in Uploads(given)] == names
    rows = [row for rows in screen(callbacks.screener, Uploads(given)) for row in rows]
    assert [row.name for row in rows] == names
    assert str(rows[2].result).startswith(names[2])
    hashes = [hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12] for path in given]
    assert [row.sha256 for row in rows] == hashes
    case = rows[1].case(rows[1].result)
    assert (case.name, case.sha256) == (names[1], hashes[1])
    assert sorted(_names(table(Batch(rows), callbacks.point(0.1), 0.018, "all", 1, texts))) == names
    assert [told["file"] for told in Api(callbacks.screener).batch(given)["photos"]] == names
    report = PdfReader(io.BytesIO(callbacks.batch_report(Batch(rows), 0.0, 0.018, ON))).pages[0].extract_text()
    assert all(name in report for name in [*names, *hashes])


def test_a_photo_in_a_zip_has_the_hash_of_its_own_file(folder, callbacks):
    rows = [row for rows in screen(callbacks.screener, Uploads([str(folder / "more.zip")])) for row in rows]
    assert rows[0].sha256 == hashlib.sha256((folder / "photo-1.png").read_bytes()).hexdigest()[:12]


def test_more_than_the_most_end_in_a_sentence(folder, monkeypatch):
    monkeypatch.setattr(batch, "MAX_PHOTOS", 2)
    listed = list(Uploads([str(folder / f"photo-{n}.png") for n in range(4)]))
    assert len(listed) == 3
    assert "more than 2 photos" in str(listed[2][1])


def test_every_photo_has_the_answer_it_has_alone(found, folder, callbacks):
    rows = {row.name: row for row in found.rows}
    assert len(rows) == 6
    for name, file in (("photo-0.png", "photo-0.png"), ("inner/photo-1.png", "photo-1.png")):
        alone = callbacks.screener.screen(open_photo(folder / file))
        assert rows[name].result.probability == pytest.approx(alone.probability, abs=1e-4)
    for name in ("broken.jpg", "notes.jpg"):
        assert isinstance(rows[name].result, PhotoError)
        assert name in str(rows[name].result)


def test_the_table_is_sorted_with_what_was_not_screened_last(found, callbacks):
    html = table(found, callbacks.point(0.0), 0.018, "all", 1, texts)
    names = _names(html)
    probabilities = {row.name: row.result.probability for row in found.rows if not isinstance(row.result, PhotoError)}
    screened = names[: len(probabilities)]
    assert [probabilities[name] for name in screened] == sorted(probabilities.values(), reverse=True)
    assert set(names[len(probabilities) :]) == {"broken.jpg", "notes.jpg"}
    assert html.count("data:image/webp") == len(probabilities)


def test_threshold_filter_and_prevalence_are_followed(found, callbacks):
    probabilities = sorted(row.result.probability for row in found.rows if not isinstance(row.result, PhotoError))
    point = callbacks.point(probabilities[-1])  # only the highest one is at it
    flagged = sum(probability >= probabilities[-1] for probability in probabilities)
    for chosen, expected in (
        ("all", 6),
        ("refer", flagged),
        ("below", len(probabilities) - flagged),
        ("unscreened", 2),
    ):
        assert len(_names(table(found, point, 0.018, chosen, 1, texts))) == expected
    html = table(found, point, 0.2, "refer", 1, texts)
    restated = [restate(probability, 0.018, 0.2) for probability in probabilities]
    threshold, written = against(restated[-1], restated, texts)
    assert f"threshold of {threshold}," in html
    assert f'class="number">{written[-1]}<' in html
    assert f"{flagged} to refer" in html
    assert "prevalence of 20" in html


def test_a_row_just_below_the_threshold_does_not_read_like_it(found, callbacks):
    highest = max(row.result.probability for row in found.rows if not isinstance(row.result, PhotoError))
    html = table(found, callbacks.point(highest + 1e-6), 0.018, "all", 1, texts)
    threshold = re.search(r"threshold of ([\d.]+)", html).group(1)
    written = re.search(r'class="number">([\d.]+)', html).group(1)
    assert float(written) < float(threshold)


def test_a_long_table_comes_in_parts(found, callbacks, monkeypatch):
    monkeypatch.setattr(batch, "ROWS_SHOWN", 4)
    point = callbacks.point(0.0)
    first, second = (table(found, point, 0.018, "all", part, texts) for part in (1, 2))
    assert (len(_names(first)), len(_names(second))) == (4, 2)
    assert parts(found, 0.0, "all") == 2
    assert table(found, point, 0.018, "all", 99, texts) == second
    assert "Photos 5 to 6 of 6" in second


def test_names_and_reasons_arrive_as_text(callbacks):
    name = '<img src=x onerror="alert(1)">.jpg'
    html = table(Batch([batch.Row(name, PhotoError(f"{name} is empty"))]), callbacks.point(0.1), 0.018, "all", 1, texts)
    assert "<img" not in html
    assert "&lt;img" in html


def test_an_unfit_photo_has_no_probability_anywhere(callbacks, tmp_path):
    lesion(0, size=(60, 60)).save(tmp_path / "tiny.png")
    rows = [row for rows in screen(callbacks.screener, Uploads([str(tmp_path / "tiny.png")])) for row in rows]
    html = table(Batch(rows), callbacks.point(0.0), 0.018, "all", 1, texts)
    assert re.search(r'class="number"><', html)
    assert "1 not screened" in html
    answer = Api(callbacks.screener).batch([str(tmp_path / "tiny.png")])
    assert answer["photos"][0]["probability"] is None
    assert answer["photos"][0]["flagged"] is None
    report = PdfReader(io.BytesIO(callbacks.batch_report(Batch(rows), 0.0, 0.018, ON)))
    assert percent(rows[0].result.probability, texts) not in report.pages[0].extract_text().split("tiny.png")[1][:80]


def test_a_case_of_the_batch_is_shown_as_alone(found, callbacks):
    row = found.rows[0]
    assert percent(row.result.probability, texts) in callbacks.verdict(row.case(row.result), 0.03, 0.018)
    assert callbacks.heat(row.case(row.result), METHODS[0])


def test_a_photo_can_be_had_again_as_it_was_given_until_its_upload_is_deleted(folder, callbacks, tmp_path):
    given = [str(shutil.copy(folder / name, tmp_path)) for name in ("more.zip", "broken.jpg", "photo-0.png")]
    rows = [row for rows in screen(callbacks.screener, Uploads(given)) for row in rows]
    found = Batch(rows, paths=given)
    assert [row.name for row in rows] == ["inner/photo-1.png", "notes.jpg", "broken.jpg", "photo-0.png"]
    for number, file in ((0, "photo-1.png"), (3, "photo-0.png")):
        case = rows[number].case(rows[number].result)
        callbacks.measure_spread(case, found.source(number))
        assert case.spread == callbacks.screener.spread(open_photo(folder / file))
    (tmp_path / "more.zip").unlink()  # the others are there, but at other places in the row
    assert found.source(0) is None
    assert found.source(3) is None


def test_progress_tells_what_is_left():
    html = progress(30, 120, 10.0, texts)
    assert "30 of 120" in html
    assert "0:30" in html
    assert 'value="30" max="120"' in html
    assert "left" not in progress(0, 120, 0, texts)
