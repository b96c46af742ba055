import numpy as np
import pandas as pd
import pytest

from isic_screen.training.sampling import (
    DIAGNOSES,
    FEW,
    NO_DIAGNOSIS,
    cameras,
    diagnosis_targets,
    draw,
    sampling_weights,
)

PLAIN = {"source_power": 1.0, "melanoma_share": 0.0, "diagnosis_power": 1.0, "within_camera": False}


def _rows(*blocks: tuple[int, str, int, str, float]) -> pd.DataFrame:
    """Rows in blocks of (how many, source, target, diagnosis, width); every original is two thirds as high as wide."""
    rows = [block[1:] for block in blocks for _ in range(block[0])]
    table = pd.DataFrame(rows, columns=["source", "target", "diagnosis", "width"])
    return table.assign(height=table["width"] * 2 / 3)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two sources of 300 and 100 images; in the first, the big camera took nearly benign lesions only."""
    table = _rows(
        (10, "large", 1, "melanoma", 6000),
        (180, "large", 0, "nevus", 6000),
        (20, "large", 0, "seborrheic keratosis", 6000),
        (30, "large", 1, "melanoma", 600),
        (60, "large", 0, "nevus", 600),
        (25, "small", 1, "mel", float("nan")),
        (64, "small", 0, "nv", float("nan")),
        (1, "small", 0, "df", float("nan")),
        (10, "small", 0, "bkl", float("nan")),
    )
    return table.sample(frac=1, random_state=0)  # neither sorted nor with an index that counts up


def _of(rows: pd.DataFrame, weights: np.ndarray, **wanted: object) -> float:
    chosen = np.ones(len(rows), bool)
    for column, value in wanted.items():
        chosen &= (rows[column] == value).to_numpy()
    return float(weights[chosen].sum())


@pytest.mark.parametrize("within_camera", [False, True])
@pytest.mark.parametrize("melanoma_share", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_weights_are_probabilities(rows, power, melanoma_share, within_camera):
    weights = sampling_weights(
        rows,
        source_power=power,
        melanoma_share=melanoma_share,
        diagnosis_power=power,
        within_camera=within_camera,
    )
    assert weights.shape == (len(rows),)
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()


def test_natural_sampling_draws_every_image_alike(rows):
    np.testing.assert_allclose(sampling_weights(rows, **PLAIN), 1 / len(rows))


@pytest.mark.parametrize(("power", "large"), [(1.0, 0.75), (0.5, 3**0.5 / (3**0.5 + 1)), (0.0, 0.5)])
def test_sources_follow_the_power_of_their_size(rows, power, large):
    weights = sampling_weights(rows, **{**PLAIN, "source_power": power, "melanoma_share": 0.3})
    assert _of(rows, weights, source="large") == pytest.approx(large)
    assert _of(rows, weights, source="small") == pytest.approx(1 - large)


@pytest.mark.parametrize("within_camera", [False, True])
def test_every_source_has_the_melanoma_share_and_each_melanoma_counts_alike(rows, within_camera):
    weights = sampling_weights(rows, **{**PLAIN, "melanoma_share": 0.4, "within_camera": within_camera})
    for source in ("large", "small"):
        whole = _of(rows, weights, source=source)
        assert _of(rows, weights, source=source, target=1) / whole == pytest.approx(0.4)
        melanomas = weights[((rows["source"] == source) & (rows["target"] == 1)).to_numpy()]
        np.testing.assert_allclose(melanomas, melanomas[0])


def test_cameras_have_one_melanoma_share_only_when_asked(rows):
    def share(width: int, *, within_camera: bool) -> float:
        weights = sampling_weights(rows, **{**PLAIN, "melanoma_share": 0.4, "within_camera": within_camera})
        return _of(rows, weights, width=width, target=1) / _of(rows, weights, width=width)

    assert share(6000, within_camera=True) == pytest.approx(0.4)
    assert share(600, within_camera=True) == pytest.approx(0.4)
    assert share(6000, within_camera=False) < 0.2 < 0.6 < share(600, within_camera=False)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_benign_diagnoses_follow_the_power_of_their_number(rows, power):
    weights = sampling_weights(rows, **{**PLAIN, "melanoma_share": 0.5, "diagnosis_power": power})
    counts = {"nv": 64, "df": 1, "bkl": 10}
    total = sum(count**power for count in counts.values())
    benign = _of(rows, weights, source="small", target=0)
    for diagnosis, count in counts.items():
        assert _of(rows, weights, source="small", diagnosis=diagnosis) / benign == pytest.approx(count**power / total)


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("within_camera", [False, True])
def test_a_source_of_one_class_is_drawn_from_alike(target, within_camera):
    rows = _rows((20, "one", target, "x", 600), (12, "both", 1, "x", 600), (15, "both", 0, "x", 600))
    weights = sampling_weights(rows, **{**PLAIN, "melanoma_share": 0.5, "within_camera": within_camera})
    np.testing.assert_allclose(weights[:20], 1 / 47)
    assert weights.sum() == pytest.approx(1)


def test_a_camera_needs_enough_images_of_both_classes():
    rows = _rows(
        (FEW, "a", 1, "", 600),
        (FEW, "a", 0, "", 600),
        (FEW - 1, "a", 1, "", 900),
        (500, "a", 0, "", 900),
        (500, "a", 0, "", 1200),
        (FEW, "b", 1, "", float("nan")),
        (FEW, "b", 0, "", float("nan")),
        (FEW - 1, "b", 0, "", 600),
        (500, "b", 1, "", 600),
    )
    named = cameras(rows)
    groups = rows.assign(camera=named).groupby(["source", "width"], dropna=False)["camera"].unique()
    assert all(len(names) == 1 for names in groups)
    assert named[0] == "a 600x400"
    assert set(named[(rows["source"] == "a") & (rows["width"] > 600)]) == {"a other"}
    assert set(named[(rows["source"] == "b") & (rows["width"] == 600)]) == {"b other"}
    # An unknown size is a camera like any other.
    assert set(named[(rows["source"] == "b") & rows["width"].isna()]).isdisjoint({"b other", "a 600x400"})


def test_diagnoses_are_known_by_many_names():
    names = {
        " Nevus ": "nv",
        "nv": "nv",
        "atypical melanocytic proliferation": "nv",
        "seborrheic keratosis": "bkl",
        "Solar lentigo": "bkl",
        "bkl": "bkl",
        "basal cell carcinoma": "bcc",
        "squamous cell carcinoma": "akiec",
        "actinic keratosis": "akiec",
        "dermatofibroma": "df",
        "vascular lesion": "vasc",
    }
    targets = diagnosis_targets(pd.DataFrame({"diagnosis": list(names), "target": 0}))
    assert [DIAGNOSES[target] for target in targets] == list(names.values())


def test_the_label_wins_over_the_text():
    cases = [("melanoma", 0), ("mel", 0), ("", 0), ("cafe-au-lait macule", 0), ("melanoma", 1), ("nevus", 1), ("", 1)]
    targets = diagnosis_targets(pd.DataFrame(cases, columns=["diagnosis", "target"]))
    assert DIAGNOSES[0] == "mel"
    assert targets.tolist() == [NO_DIAGNOSIS] * 4 + [0, 0, 0]
    assert targets.dtype == np.int64


@pytest.mark.parametrize("count", [7, 100, 1234])
def test_each_row_comes_up_as_evenly_as_its_weight_allows(count):
    random = np.random.default_rng(0)
    weights = random.random(50) ** 4
    weights[::10] = 0
    weights /= weights.sum()
    for _ in range(20):
        rows = draw(weights, count, random)
        assert rows.shape == (count,)
        times = np.bincount(rows, minlength=50)
        assert (times >= np.floor(count * weights - 1e-9)).all()
        assert (times <= np.ceil(count * weights + 1e-9)).all()


def test_draws_follow_the_weights_in_the_mean():
    weights, random = np.array([0.5, 0.3, 0.15, 0.05]), np.random.default_rng(0)
    times = sum(np.bincount(draw(weights, 3, random), minlength=4) for _ in range(4000))
    np.testing.assert_allclose(times / 12000, weights, atol=0.01)


def test_draws_come_shuffled_and_from_the_generator_alone():
    weights = np.full(200, 1 / 200)
    rows = draw(weights, 200, np.random.default_rng(3))
    assert sorted(rows) == list(range(200))
    assert abs(np.corrcoef(rows, np.arange(200))[0, 1]) < 0.3
    np.testing.assert_array_equal(rows, draw(weights, 200, np.random.default_rng(3)))
    assert (rows != draw(weights, 200, np.random.default_rng(4))).any()


def test_copies_of_a_row_do_not_stand_side_by_side():
    """As they would as drawn: one batch would hold one image many times, and mixup would mix it with itself."""
    rows = draw(np.full(10, 0.1), 1000, np.random.default_rng(0))
    assert (rows[1:] == rows[:-1]).mean() < 0.2  # 1 in 10 by chance


def test_what_is_left_out_is_chance():
    """Half the draws of rows that weigh alike: neighbours must not take turns."""
    random = np.random.default_rng(0)
    weights = np.full(10, 0.1)
    together = sum({0, 1} <= set(draw(weights, 5, random).tolist()) for _ in range(300))
    assert 30 < together < 110  # 2 in 9 by chance: 67


def test_cameras_that_cannot_be_balanced_leave_no_image_out():
    """All other sizes of the source together have no melanoma, so no camera of it is balanced."""
    rows = _rows(
        (20, "odd", 1, "melanoma", 6000),
        (20, "odd", 0, "nevus", 6000),
        (30, "odd", 0, "nevus", 600),
    )
    assert set(cameras(rows)) == {"odd"}
    weights = sampling_weights(rows, **{**PLAIN, "melanoma_share": 0.5, "within_camera": True})
    assert (weights > 0).all()
    assert _of(rows, weights, target=1) == pytest.approx(0.5)
