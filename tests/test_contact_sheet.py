"""The contact sheet shows the right photos in the right order, and gets past those that cannot be read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isic_screen.errors import DataError
from isic_screen.evaluation import contact_sheet
from isic_screen.evaluation.contact_sheet import COLUMNS, MOST, SIDE, save_worst, worst

COLOURS = [(200, 30, 30), (30, 160, 30), (30, 30, 200), (200, 160, 0), (120, 0, 140), (0, 150, 150)]


@pytest.fixture
def predictions(tmp_path: Path) -> pd.DataFrame:
    """Three melanomas and three others, each photo of one colour."""
    paths = []
    for number, colour in enumerate(COLOURS):
        paths.append(tmp_path / f"photo-{number}.png")
        Image.new("RGB", (400, 200 if number % 2 else 400), colour).save(paths[-1])
    return pd.DataFrame(
        {
            "image_id": [f"image-{number}" for number in range(6)],
            "target": [1, 1, 1, 0, 0, 0],
            "probability": [0.004, 0.001, 0.03, 0.02, 0.001, 0.3],
            "path": [str(path) for path in paths],
        }
    )


def colours_of(file: Path) -> list[tuple[int, int, int]]:
    """The colours in the middles of the cells of a sheet, row by row, white at the end left out."""
    with Image.open(file) as sheet:
        assert sheet.mode == "RGB"
        width, height = SIDE + contact_sheet._GAP, SIDE + 2 * contact_sheet._LINE + contact_sheet._GAP
        first = contact_sheet._GAP + SIDE // 2
        rows = range(contact_sheet._TITLE + first, sheet.height, height)
        middles = [sheet.getpixel((first + column * width, y)) for y in rows for column in range(COLUMNS)]
    return [middle for middle in middles if middle != (255, 255, 255)]


def test_misses_are_melanomas_below_the_threshold_the_lowest_first(predictions):
    assert worst(predictions, threshold=0.01, kind="misses")["image_id"].tolist() == ["image-1", "image-0"]
    # At the threshold itself a lesion is referred.
    assert worst(predictions, threshold=0.004, kind="misses")["image_id"].tolist() == ["image-1"]


def test_false_alarms_are_others_at_or_above_it_the_highest_first(predictions):
    assert worst(predictions, threshold=0.01, kind="false alarms")["image_id"].tolist() == ["image-5", "image-3"]
    assert worst(predictions, threshold=0.3, kind="false alarms")["image_id"].tolist() == ["image-5"]


@pytest.mark.parametrize(("kind", "expected"), [("misses", ["a", "b", "c"]), ("false alarms", ["d", "e", "f"])])
def test_equally_wrong_photos_are_ordered_by_their_id(predictions, kind, expected):
    alike = predictions.assign(image_id=["c", "a", "b", "e", "f", "d"], probability=[0.01] * 3 + [0.2] * 3)
    assert worst(alike, threshold=0.1, kind=kind)["image_id"].tolist() == expected


@pytest.mark.parametrize(("kind", "numbers"), [("misses", [1, 0]), ("false alarms", [5, 3])])
def test_the_sheet_shows_them_in_that_order(tmp_path, predictions, kind, numbers):
    file = tmp_path / "a" / "sheet.png"
    assert save_worst(predictions, file, threshold=0.01, kind=kind) == []
    assert colours_of(file) == [COLOURS[number] for number in numbers]
    assert [path.name for path in file.parent.iterdir()] == ["sheet.png"]


def test_a_photo_is_captioned_with_its_id_and_probability(tmp_path, predictions, monkeypatch):
    shown: list[tuple[str, list[str]]] = []
    draw = contact_sheet._sheet

    def spy(title, cells):
        shown.append((title, [caption for _, *captions in cells for caption in captions]))
        return draw(title, cells)

    monkeypatch.setattr(contact_sheet, "_sheet", spy)
    save_worst(predictions, tmp_path / "sheet.png", threshold=0.01, kind="misses")
    title = "Worst misses: 2 of 2 melanomas below the threshold of 1 %"
    assert shown == [(title, ["image-1", "0.1 %", "image-0", "0.4 %"])]


def test_captions_are_drawn_below_their_photo_and_kept_within_its_width(tmp_path, predictions):
    long = predictions.assign(
        image_id=["an-image-id-that-is-far-too-long-for-its-place-" * 3 + str(n) for n in range(6)]
    )
    save_worst(long, tmp_path / "sheet.png", threshold=0.002, kind="misses")
    with Image.open(tmp_path / "sheet.png") as sheet:
        grey = np.asarray(sheet.convert("L"))
    left, below = contact_sheet._GAP, contact_sheet._TITLE + contact_sheet._GAP + SIDE
    captions = grey[below : below + 2 * contact_sheet._LINE]
    assert (captions[: contact_sheet._LINE, left : left + SIDE] < 128).any()
    assert (captions[contact_sheet._LINE :, left : left + SIDE] < 128).any()
    assert (captions[:, left + SIDE + 1 :] == 255).all()


def test_thumbnails_keep_the_shape_of_their_photo(tmp_path, predictions):
    save_worst(predictions, tmp_path / "sheet.png", threshold=0.002, kind="misses")  # image-1, twice as wide as high
    with Image.open(tmp_path / "sheet.png") as sheet:
        coloured = (np.asarray(sheet) == COLOURS[1]).all(axis=2)
    rows, columns = np.flatnonzero(coloured.any(axis=1)), np.flatnonzero(coloured.any(axis=0))
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (SIDE, SIDE // 2)


def test_unreadable_photos_are_named_and_the_next_ones_take_their_places(tmp_path, predictions):
    Path(predictions["path"][1]).write_bytes(b"not a photo")
    Path(predictions["path"][0]).unlink()
    skipped = save_worst(predictions, tmp_path / "sheet.png", threshold=0.05, kind="misses")
    assert len(skipped) == 2
    assert skipped[0].startswith("photo-1.png ")
    assert skipped[1] == "photo-0.png does not exist. Check the path."
    assert colours_of(tmp_path / "sheet.png") == [COLOURS[2]]


def test_unreadable_photos_take_no_place_among_the_twenty(tmp_path, predictions):
    Path(predictions["path"][1]).unlink()
    many = pd.concat([predictions.iloc[[1]]] * 3 + [predictions.iloc[[0]]] * (MOST + 1))
    assert len(save_worst(many, tmp_path / "sheet.png", threshold=0.05, kind="misses")) == 3
    assert colours_of(tmp_path / "sheet.png") == [COLOURS[0]] * 20


def test_no_more_than_twenty_are_shown_and_none_too_many_opened(tmp_path, predictions, monkeypatch):
    many = pd.concat([predictions.iloc[[1]]] * MOST + [predictions.iloc[[0]]] * 5)
    opened = []
    real = contact_sheet.open_photo
    monkeypatch.setattr(contact_sheet, "open_photo", lambda path: opened.append(path) or real(path))
    save_worst(many, tmp_path / "sheet.png", threshold=0.05, kind="misses")
    assert MOST == 20
    assert colours_of(tmp_path / "sheet.png") == [COLOURS[1]] * 20
    assert len(opened) == 20


def test_without_any_fault_the_sheet_says_so_and_replaces_an_older_one(tmp_path, predictions):
    file = tmp_path / "sheet.png"
    save_worst(predictions, file, threshold=0.05, kind="misses")
    assert save_worst(predictions, file, threshold=0.0, kind="misses") == []
    assert colours_of(file) == []
    with Image.open(file) as sheet:
        assert np.asarray(sheet.convert("L")).min() < 128  # the title


def test_other_kinds_and_tables_without_paths_are_refused(tmp_path, predictions):
    with pytest.raises(ValueError, match="misses, false alarms"):
        save_worst(predictions, tmp_path / "sheet.png", threshold=0.1, kind="best")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no column path"):
        save_worst(predictions.drop(columns="path"), tmp_path / "sheet.png", threshold=0.1, kind="misses")
    assert not (tmp_path / "sheet.png").exists()
