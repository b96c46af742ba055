"""Melanoma or not: malignant is not melanoma, a diagnosis knows better than a target, and what is open is left out."""

from pathlib import Path

import pytest

from isic_screen.data.labels import read_labels
from isic_screen.data.tables import read_source
from isic_screen.errors import DataError
from tests.small_sets import put_photos, put_table, targets

ISIC_2024 = "isic_id,target,patient_id,tbp_lv_A,iddx_full,iddx_1,iddx_2,iddx_3,iddx_4,mel_thick_mm"


@pytest.mark.parametrize(
    ("lines", "expected", "warned"),
    [
        # Another cancer, whatever column says malignant.
        (
            ["class,diagnosis", "malignant,basal cell carcinoma", "benign,nevus"],
            [0, 0],
            ["1 malignant row with a", "2)"],
        ),
        (
            ["target,dx", "1,bcc", "1,mel", "0,nv"],
            [0, 1, 0],
            ["column target: 1 row with 1 but a diagnosis", "rows 2)"],
        ),
        (["label,dx", "1,SCC", "malignant,AK"], [0, 0], ["1 row with 1 but", "1 malignant row with a diagnosis other"]),
        (["malignant,diagnostic", "1,BCC", "1,MEL"], [0, 1], ["column malignant: 1 malignant row with a diagnosis"]),
        (
            ["benign_malignant,diagnosis_3", "malignant,Merkel cell carcinoma"],
            [0],
            ["1 malignant row with a diagnosis"],
        ),
        # The other direction.
        (["target,dx", "0,mel", "0,nv"], [1, 0], ["column target: 1 row with 0 but the diagnosis melanoma", "rows 2)"]),
        (["benign_malignant,diagnosis", "benign,Melanoma in situ"], [1], ["1 row with 0 but the diagnosis melanoma"]),
        (["class,diagnosis_full", "nevus,melanoma metastasis"], [1], ["column class: 1 row with 0 but"]),
        (["class,diagnosis", "melanoma,benign"], [0], ["1 row with 1 but a diagnosis other"]),
        # Malignant, and no diagnosis to say of what kind.
        (["class", "malignant", "benign"], [1, 0], ["column class: 1 malignant row without a diagnosis", "carcinomas"]),
        (["target", "Malignant", "0"], [1, 0], ["column target: 1 malignant row without a diagnosis"]),
        (["malignant,diagnosis", "yes,Malignant", "yes,unknown", "no,benign"], [1, 1, 0], ["2 malignant rows without"]),
        # Nothing to say.
        (["target,dx", "1,mel", "0,nv", "0,unknown", "1,"], [1, 0, 0, 1], []),
        (["benign_malignant,target", "malignant,0", "benign,0"], [0, 0], []),
        (["malignant,diagnosis", "yes,melanoma", "no,nevus"], [1, 0], []),
        (["target,diagnosis", "0,Nevus", ",Melanoma", "x,bcc"], [0, 1, 0], []),
        # A melanoma is not benign.
        (
            ["benign_malignant,target", "benign,1"],
            [1],
            ["column target: 1 row contradicted by column benign_malignant"],
        ),
        # Several diagnoses: the most specific is told, and a melanoma is not lost.
        (
            ["dx,diagnosis_full", 'NV,"Melanoma in situ"'],
            [1],
            ["contradict each other (diagnosis_full, dx) counted as m"],
        ),
        (["diagnosis_2,diagnosis_3", "Malignant epidermal proliferations,Nevus"], [0], []),
        # One-hot tables.
        (["MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK", "1.0,0,0,0,0,0,0,0,0", "0,0,0,0,0,0,0,1.0,0"], [1, 0], []),
        (["MEL,NV,BCC", "1,1,0"], [1], ["1 row with diagnoses that contradict each other"]),
        (["melanoma,seborrheic_keratosis", "0.0,1.0", "0.0,0.0", "1.0,0.0"], [0, 0, 1], []),
        (["target,scar,wart", "1,1,0", "0,0,1"], [1, 0], []),  # marks, not classes
    ],
)
def test_the_diagnosis_decides(tmp_path: Path, lines: list[str], expected: list[int], warned: list[str]) -> None:
    header, *values = lines
    path = put_table(tmp_path, f"image,{header}", *(f"{place},{value}" for place, value in enumerate(values)))
    labels = read_labels(path)
    assert list(labels.rows["target"]) == expected
    told = " ".join(labels.warnings)
    assert all(part in told for part in warned), told
    assert bool(labels.warnings) == bool(warned), told


def test_isic_2024_counts_carcinomas_as_targets(tmp_path: Path) -> None:
    squamous = "Malignant::Malignant epidermal proliferations::Squamous cell carcinoma, NOS"
    melanoma = "Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ"
    path = put_table(
        tmp_path,
        ISIC_2024,
        "a,0,IP_1,5,Benign,Benign,,,,",
        f'b,1,IP_2,5,"{squamous}",Malignant,Malignant epidermal proliferations,"Squamous cell carcinoma, NOS",,',
        f"c,1,IP_3,5,{melanoma},Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma in situ,,0.4",
        "d,1,IP_4,5,Malignant,Malignant,,,,",
        "e,0,IP_5,5,Indeterminate::Indeterminate melanocytic proliferations,Indeterminate,x,,,",
    )
    labels = read_labels(path)
    assert list(labels.rows["target"]) == [0, 0, 1, 1, 0]
    told = " ".join(labels.warnings)
    assert (
        "1 malignant row with a diagnosis other than melanoma counted as 0, as in the 2020 challenge (rows 3)" in told
    )
    assert "1 malignant row without a diagnosis counted as melanoma" in told


def test_the_diagnosis_told_is_the_most_specific_one_known(tmp_path: Path) -> None:
    header = "image,MEL,NV,diagnosis_2,diagnosis,diagnosis_full"
    path = put_table(tmp_path, header, 'a,0,1,family,NV,"Nevus, Reed"', "b,0,1,family,NV,?", "c,1,0,,,")
    assert list(read_labels(path).rows["diagnosis"]) == ["Nevus, Reed", "NV", "mel"]


def test_the_archives_open_and_other_rows_are_left_out(tmp_path: Path) -> None:
    """With isic-cli's metadata: blank, indeterminate, and photos that are not dermoscopic, all counted."""
    put_table(
        tmp_path,
        "isic_id,diagnosis_1,diagnosis_2,diagnosis_3,image_type,patient_id",
        "a,Benign,,Nevus,dermoscopic,p1",
        "b,Malignant,,Melanoma Invasive,dermoscopic,p2",
        "c,Indeterminate,Indeterminate melanocytic proliferations,AIMP,dermoscopic,p1",
        "d,Indeterminate,Indeterminate epidermal proliferations,Solar or actinic keratosis,dermoscopic,p3",
        "e,,,,dermoscopic,p2",
        "f,Benign,,Nevus,clinical: close-up,p4",
        "g,Malignant,,of no known kind,TBP tile: close-up,p5",
        name="metadata.csv",
    )
    put_photos(tmp_path, *(f"{letter}.jpg" for letter in "abcdefg"))
    data = read_source(tmp_path)
    assert targets(data) == {"a": 0, "b": 1, "d": 0}
    types, open_rows = data.warnings
    assert "2 photos not dermoscopic left out (" in types
    assert "clinical: close-up 1" in types
    assert "2 rows left out, as melanoma is neither stated nor excluded (rows 4, 6)" in open_rows


def test_a_set_without_any_dermoscopic_photo_is_read_with_a_warning(tmp_path: Path) -> None:
    lines = ("isic_id,target,image_type", "a,1,TBP tile: close-up", "b,0,TBP tile: close-up")
    labels = read_labels(put_table(tmp_path, *lines))
    assert list(labels.rows["target"]) == [1, 0]
    assert "none of the photos is dermoscopic (TBP tile: close-up 2)" in labels.warnings[0]


@pytest.mark.parametrize(
    "lines",
    [
        ["image,target", "a,1", "b,"],  # in somebody's own table a gap is a mistake
        ["image,dx", "a,mel", "b,unknown"],
        ["image,malignant,dx", "a,1,mel", "b,1,no melanoma?"],
    ],
)
def test_what_is_not_readable_is_an_error(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(DataError, match="row 3"):
        read_labels(put_table(tmp_path, *lines))


def test_a_table_that_leaves_all_open(tmp_path: Path) -> None:
    path = put_table(tmp_path, "isic_id,diagnosis_1", "a,Indeterminate", "b,")
    with pytest.raises(DataError, match=r"does not say of any image .* 2 rows left out"):
        read_labels(path)
