"""What can be wrong with a label table: a sentence that says where, or a count when the rest can be used."""

from pathlib import Path

import pytest

from isic_screen.data.tables import read_labels, read_source
from isic_screen.errors import DataError
from tests.small_sets import put_photos, put_plain, put_table, targets

# Faults of a table


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["picture,target", "a,1"], "no image column: one of image_name, .*; it has picture, target"),
        (["image,age", "a,1"], "no target column: one of target, .*; it has image, age"),
        (["image,target"], "a header but no rows"),
        ([""], "labels.csv is empty"),
        (["image,target", "a,1", "b,7", "c,", "d,0"], "column target: 2 rows .* row 3: '7', row 4: ''"),
        (["image,target", "a,1", "", "b,maybe"], "row 4: 'maybe'"),
        (["image,diagnosis", "a,melanoma", "b,unknown"], "column diagnosis: 1 row .* row 3: 'unknown'"),
        (["image,target", *["b,x"] * 9], "9 rows .*row 6: 'x' and 4 more"),
        (["image,target", "a,1", " ,0"], "no image id in 1 row: 3"),
        (["image,target", "a,1", "b,0", "a,0"], r"both as melanoma and as not: a \(rows 2, 4\)"),
        (["image,target", "a,1", "a.jpg,0"], r"a.jpg \(rows 2, 3\)|both as melanoma and as not"),
        (["image,target", "../x,1"], r"outside the data folder with '../x' \(row 2\)"),
        (["image,target", "a,1", "p/../../x.jpg,0"], r"outside the data folder with 'p/../../x.jpg' \(row 3\)"),
        (["image,target", r"..\x,1"], "outside the data folder"),
        (["image,target", "/etc/passwd,1"], "outside the data folder"),
        (["image,target", "C:\\x.jpg,1"], "outside the data folder"),
        (["image,target", "a,1", "b,0,5"], "row 3: 3 values under 2 column names"),
        (["image,target,target", "a,1,1"], "more than one column called target"),
        (["image,target", 'a,"1'], "not a well-formed CSV"),
    ],
)
def test_faulty_table(tmp_path: Path, lines: list[str], sentence: str) -> None:
    put_plain(tmp_path, *lines)
    with pytest.raises(DataError, match=sentence) as caught:
        read_source(tmp_path)
    assert str(tmp_path / "labels.csv") in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\x01\x02\x03" * 50, "not a text file"),
        (b"PK\x03\x04 a workbook", "Save it as CSV"),
        (b"\xff\xfeodd", "not a text file"),
        (b"", "is empty"),
    ],
)
def test_file_that_is_no_table(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_source(tmp_path)


def test_table_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv does not exist"):
        read_labels(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str, newline: str) -> None:
    put_photos(tmp_path, "a.jpg", "b.jpg")
    lines = ["image,target,site,age", "a,1,Füße,45", "b,0,,"]
    text = newline.join(line.replace(",", separator) for line in lines)
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    rows = read_source(tmp_path).rows
    assert list(rows["target"]) == [1, 0]
    assert rows.loc[0, "site"] == "Füße"
    assert rows.loc[0, "age"] == 45


def test_quoted_commas_and_padding(tmp_path: Path) -> None:
    put_plain(tmp_path, "image , target,site,,", ' a ,1,"head, neck",,', "b,0", photos=2)
    data = read_source(tmp_path)
    assert targets(data) == {"a": 1, "b": 0}
    assert list(data.rows["site"]) == ["head, neck", ""]


def test_numeric_ids_keep_their_zeros(tmp_path: Path) -> None:
    put_photos(tmp_path, "0042.jpg", "42.jpg", "1e3.jpg")
    put_table(tmp_path, "image,target,patient_id", "0042,1,007", "42,0,7", "1e3,0,1.0")
    data = read_source(tmp_path)
    assert targets(data) == {"0042": 1, "42": 0, "1e3": 0}
    assert sorted(data.rows["patient"]) == ["007", "1.0", "7"]
    assert data.rows["group"].nunique() == 3


# Faults that are counted


def test_rows_without_a_photo_are_counted(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0", *(f"gone{n},0" for n in range(8)), photos=2)
    data = read_source(tmp_path)
    assert len(data.rows) == 2
    [warning] = data.warnings
    assert warning == (
        f"{tmp_path.name}: 8 rows of labels.csv without a photo left out: gone0, gone1, gone2, gone3, gone4 and 3 more."
    )


@pytest.mark.parametrize("photos", [0, 1])
def test_next_to_no_photos_is_an_error(tmp_path: Path, photos: int) -> None:
    put_plain(tmp_path, "image,target", "a,1", *(f"gone{n},0" for n in range(200)), photos=photos)
    with pytest.raises(DataError, match=rf"photos for {photos} of the 201 rows of labels\.csv: none called .*gone"):
        read_source(tmp_path)


def test_photos_without_a_row_are_counted(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0", photos=4)
    put_photos(tmp_path, "test/e.jpg", "masks/a_mask.png", ".cache/f.jpg", "latest/g.jpg")
    warning, passed_over = read_source(tmp_path).warnings
    assert warning.endswith("3 photos without a row left out: c.jpg, d.jpg, latest/g.jpg.")
    assert passed_over.endswith("Passed over: 1 hidden or of the system, 0 no pictures.")


def test_repeated_rows_are_collapsed(tmp_path: Path) -> None:
    put_plain(tmp_path, "image,target", "a,1", "b,0", "a,1", "b,0", "b.jpg,0", photos=2)
    data = read_source(tmp_path)
    assert targets(data) == {"a": 1, "b": 0}
    first, second = data.warnings
    assert "2 repeated rows left out, the first of each image kept (rows 4, 5)" in first
    assert "1 repeated row left out, the first of each image kept (rows 6)" in second
