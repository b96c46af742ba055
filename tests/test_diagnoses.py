"""Names of diagnoses: what the labels and the training make of them."""

from pathlib import Path

import pandas as pd
import pytest

from isic_screen.data.diagnoses import DIAGNOSES, OTHER, class_of
from isic_screen.data.labels import read_labels
from isic_screen.errors import DataError
from isic_screen.training.sampling import NO_DIAGNOSIS, diagnosis_targets
from tests.small_sets import put_table

ARCHIVE = "isic_id,diagnosis_1,diagnosis_2,diagnosis_3"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Melanoma in situ", "mel"),
        ("Melanoma, NOS", "mel"),
        ("lentigo maligna melanoma", "mel"),
        ("Malignant melanocytic proliferations (Melanoma)", "mel"),
        ("Nevus, Atypical, Dysplastic, or Clark", "nv"),
        ("naevus", "nv"),
        ("seborrheic_keratosis", "bkl"),
        ("Basal cell carcinoma, Nodular", "bcc"),
        ("basal_cell_carcinoma", "bcc"),
        ("Squamous cell carcinoma in situ", "akiec"),
        ("scc", "akiec"),
        ("AK", "akiec"),
        ("angioma", "vasc"),
        ("cafe-au-lait_macule", OTHER),
        ("Merkel cell carcinoma", OTHER),
        ("Malignant adnexal epithelial proliferations - Follicular", OTHER),
        ("", None),
        ("mela", None),
        ("metastasis", None),
        ("Nevus, melanoma not excluded", None),
    ],
)
def test_a_name_stands_for_a_class(name: str, found: str | None) -> None:
    assert class_of(name) == found


def test_what_counts_as_another_diagnosis_is_also_learnt_as_one(tmp_path: Path) -> None:
    """Labels and training go by one table, whatever the spelling."""
    known = {"ak": "akiec", "scc": "akiec", "naevus": "nv", "angioma": "vasc", "seborrheic_keratosis": "bkl"}
    path = put_table(tmp_path, "image,diagnosis", *(f"{name},{name}" for name in (*known, "cafe-au-lait macule")))
    rows = read_labels(path).rows
    assert set(rows["target"]) == {0}
    *found, last = diagnosis_targets(rows)
    assert [DIAGNOSES[place] for place in found] == list(known.values())
    assert last == NO_DIAGNOSIS


def test_other_cancers_of_the_archive_are_no_melanomas(tmp_path: Path) -> None:
    epidermal = "Malignant,Malignant epidermal proliferations"
    path = put_table(
        tmp_path,
        ARCHIVE,
        f'a,{epidermal},"Squamous cell carcinoma, Invasive"',
        f"b,{epidermal},Squamous cell carcinoma in situ",
        "c,Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma",
        "d,Malignant,,Merkel cell carcinoma",
        f"e,{epidermal},of a kind that no table knows",
        "f,Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma Invasive",
        "g,Malignant,Malignant melanocytic proliferations (Melanoma),of a kind that no table knows",
        "h,Malignant,,",
        "i,Benign,,Nevus",
        name="metadata.csv",
    )
    labels = read_labels(path)
    targets = pd.Series(labels.rows["target"].to_numpy(), list(labels.rows["image_id"]))
    assert targets.to_dict() == {**dict.fromkeys("abcdei", 0), **dict.fromkeys("fgh", 1)}
    assert labels.warnings == (
        "metadata.csv: 5 malignant rows with a diagnosis other than melanoma counted as 0, as in the 2020 challenge "
        "(rows 2, 3, 4, 5, 6).",
    )


@pytest.mark.parametrize("diagnosis", ["metastasis", "Nevus, melanoma not excluded"])
def test_a_malignant_row_of_unknown_diagnosis_is_not_taken_for_a_melanoma(tmp_path: Path, diagnosis: str) -> None:
    path = put_table(tmp_path, "image,malignant,diagnosis", "a,yes,melanoma", f'b,yes,"{diagnosis}"', "c,no,nevus")
    with pytest.raises(DataError, match=f"1 malignant row with a diagnosis .* row 3: '{diagnosis}'.*column target"):
        read_labels(path)


def test_a_diagnosis_that_says_malignant_again_adds_nothing(tmp_path: Path) -> None:
    path = put_table(tmp_path, "image,malignant,diagnosis", "a,yes,Malignant", "b,yes,unknown", "c,no,benign")
    labels = read_labels(path)
    assert (list(labels.rows["target"]), labels.warnings) == ([1, 1, 0], ())
