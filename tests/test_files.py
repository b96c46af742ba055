"""What is looked at and what is passed over: the same in a folder, in a ZIP and in training data."""

import os
import zipfile
from pathlib import Path

import pytest

from isic_screen.__main__ import main
from isic_screen.archive import Archive
from isic_screen.batch import find_photos
from isic_screen.data.folders import index_photos
from isic_screen.data.tables import read_source
from isic_screen.errors import ScreenError
from isic_screen.files import PassedOver
from tests.conftest import lesion
from tests.odd_files import jpeg

JPEG = jpeg()
DICOM = bytes(128) + b"DICM" + bytes(400)

LOOKED_AT = {
    "a.jpg": JPEG, "B.JPEG": b"damaged", "deep/er/c.png": b"", "scan": JPEG, "IM000001": DICOM,
    "1.2.840.113619": DICOM, "photo.jpg.download": JPEG, "x.dcm": b"", "raw/IMG_1.CR2": b"", "raw/IMG_2.nef": b"",
    "d.psd": b"", "e.svg": b"<svg>", "f.gif": b"GIF89a", "g.heic": b"", "h.avif": b"", "i.dng": b"",
    "more.zip": b"PK", "notes.txt.tif": b"text",
}  # fmt: skip
HIDDEN = {
    "._a.jpg": b"\0\5\x16\7", ".hidden.jpg": JPEG, ".DS_Store": b"", ".Trashes/501/deleted.jpg": JPEG,
    "__MACOSX/._a.jpg": b"", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": JPEG, "deep/@eaDir/t.jpg": JPEG,
    "#recycle/old.jpg": JPEG, "$RECYCLE.BIN/S-1/$R1.jpg": JPEG, "System Volume Information/s.jpg": JPEG,
    ".Spotlight-V100/s.jpg": JPEG, "Thumbs.db": b"\xd0\xcf\x11\xe0", "desktop.ini": b"", "lost+found/1.jpg": JPEG,
}  # fmt: skip
OTHERS = {
    "a.xmp": b"<x/>", "IMG_1.AAE": b"<x/>", "MVI_1.THM": JPEG, "a.json": b"{}", "read me.txt": b"BMI",
    "t.csv": b"BMI,age", "IMG_1.MOV": b"\0\0\0\x14ftypqt  ", "letter.pdf": b"%PDF-1.7", "letter.docx": b"PK\3\4",
    "DICOMDIR": DICOM, "LICENSE": b"",
}  # fmt: skip


def _laid_out(folder: Path, *kinds: dict[str, bytes]) -> Path:
    for files in kinds:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def _zipped(path: Path, *kinds: dict[str, bytes]) -> Archive:
    with zipfile.ZipFile(path, "w") as made:
        for files in kinds:
            for name, content in files.items():
                made.writestr(name, content)
    return Archive(path, path.name)


def test_one_rule_for_folders_zips_and_training_data(tmp_path):
    folder = _laid_out(tmp_path / "folder", LOOKED_AT, HIDDEN, OTHERS)
    found, passed_over = find_photos([folder])
    assert [name for name, _ in found] == sorted(LOOKED_AT)
    with _zipped(tmp_path / "photos.zip", LOOKED_AT, HIDDEN, OTHERS) as archive:
        assert {name for name, _ in archive} == set(LOOKED_AT)
        assert archive.passed_over == passed_over
    index = index_photos(folder)
    assert {str(photo) for photo in (*index.photos, *index.unread)} == set(LOOKED_AT)
    assert index.passed_over == passed_over
    assert passed_over.hidden == len(HIDDEN)
    assert passed_over.others.total() == len(OTHERS)


@pytest.mark.parametrize("name", [*HIDDEN, *OTHERS])
def test_each_alone_is_no_photo_and_the_sentence_counts_it(tmp_path, name):
    files = {name: (HIDDEN | OTHERS)[name]}
    counts = (
        "1 hidden or of the system, 0 no pictures" if name in HIDDEN else "0 hidden or of the system, 1 no pictures"
    )
    with pytest.raises(ScreenError, match=f"There is no photo in the folder .*; passed over: {counts}"):
        find_photos([_laid_out(tmp_path / "folder", files)])
    with _zipped(tmp_path / "photos.zip", files) as archive:
        assert list(archive) == []


def test_what_is_named_is_tried_whatever_it_is(tmp_path):
    folder = _laid_out(tmp_path / ".hidden", HIDDEN, {"a.jpg": JPEG})
    files = [folder / ".hidden.jpg", folder / "desktop.ini"]
    found, passed_over = find_photos([*files, folder])
    assert found == sorted([("a.jpg", folder / "a.jpg"), *((str(file), file) for file in files)])
    assert passed_over == PassedOver(len(HIDDEN))


def test_a_file_that_may_not_be_looked_at_has_a_row(tmp_path, monkeypatch):
    folder = _laid_out(tmp_path / "folder", {"a.jpg": JPEG, "IM000001": DICOM})
    os.mkfifo(folder / "pipe")
    (folder / "nowhere").symlink_to(tmp_path / "gone")
    real = open
    monkeypatch.setattr("builtins.open", lambda path, *more: real(path, *more) if "IM" not in str(path) else _denied())
    found, passed_over = find_photos([folder])
    assert [name for name, _ in found] == ["IM000001", "a.jpg"]
    assert passed_over.others.total() == 2


def _denied():
    raise PermissionError


def test_the_command_says_in_one_line_what_it_passed_over(tmp_path, lite0_file, capsys):
    folder = _laid_out(tmp_path / "folder", HIDDEN, OTHERS)
    lesion(0).save(folder / "a.jpg")
    (folder / "b.dcm").write_bytes(DICOM)
    assert main(["screen", str(folder), "--model", str(lite0_file)]) == 3
    told = capsys.readouterr()
    assert [line.split(",")[0] for line in told.out.splitlines()] == ["file", "a.jpg", "b.dcm"]
    assert f"Passed over: {len(HIDDEN)} hidden or of the system, {len(OTHERS)} no pictures (" in told.err
    assert main(["screen", str(folder / "a.jpg"), "--model", str(lite0_file)]) == 0
    assert "Passed over" not in capsys.readouterr().err


def test_training_data_counts_pictures_that_are_not_read(tmp_path):
    folder = _laid_out(tmp_path / "data", {"raw/ISIC_1.cr2": b"", "part_1.zip": b"PK", ".DS_Store": b"", "a.xmp": b""})
    lesion(0).save(folder / "ISIC_0.jpg")
    (folder / "IM000001").write_bytes(JPEG)
    (folder / "labels.csv").write_text("image_name,target\nISIC_0,0\nIM000001,1\nISIC_1,0\n")
    data = read_source(folder)
    assert list(data.rows["image_id"]) == ["IM000001", "ISIC_0"]
    assert data.warnings[-2:] == (
        "data: 2 pictures or archives of kinds that are not read left out: part_1.zip, raw/ISIC_1.cr2.",
        "data: Passed over: 1 hidden or of the system, 1 no pictures (.xmp).",
    )


def test_suffixes_are_fit_to_be_shown():
    passed_over = PassedOver()
    for name in ("a.\x1b[2J", "b.json", "c.json", "d", "e." + "x" * 300, "f.1", "g.2", "h.3"):
        passed_over.count(name)
    assert str(passed_over) == "0 hidden or of the system, 8 no pictures (.json, .?[2j, .xxxxxxxxxxx, .1, .2, …)"
