from dataclasses import replace

import pytest

from isic_screen.errors import RecipeError
from isic_screen.training.recipe import Recipe, load_recipe


def test_the_paper_recipe_is_the_papers():
    recipe = load_recipe("paper")
    assert (recipe.backbone, recipe.hidden, recipe.dropout) == ("efficientnet_b0", 128, 0.4)
    assert (recipe.horizontal_flip, recipe.vertical_flip, recipe.rotation) == (0.5, 0.5, 20.0)
    assert (recipe.epochs, recipe.learning_rate, recipe.stopping_patience) == (10, 1e-3, 5)
    assert (recipe.validation_fraction, recipe.pos_weight, recipe.amp) == (0.2, "balanced", True)
    assert recipe.split == "patient"


def test_a_recipe_reads_back_equal(tmp_path):
    recipe = replace(load_recipe("paper"), learning_rate=3.3e-5, pos_weight=12.5, amp=False, backbone="resnet10t")
    (tmp_path / "mine.toml").write_text(recipe.to_toml())
    assert load_recipe(str(tmp_path / "mine.toml")) == recipe


def test_every_line_can_be_set_from_the_command_line():
    recipe = load_recipe(
        "paper", ["epochs=3", "learning_rate=1", "backbone=resnet10t", 'split="image"', "amp=false", "pos_weight=2"]
    )
    assert (recipe.epochs, recipe.learning_rate, recipe.backbone) == (3, 1.0, "resnet10t")
    assert (recipe.split, recipe.amp, recipe.pos_weight) == ("image", False, 2)
    assert isinstance(recipe.learning_rate, float)
    assert load_recipe("paper", ["reference_source=a=b"]).reference_source == "a=b"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("epochs=0", r"epochs must lie in 1\.\."),
        ("epochs=2.5", "epochs must be int, not 2.5"),
        ("epochs=true", "epochs must be int, not True"),
        ("epochs=many", "epochs must be int, not 'many'"),
        ("learning_rate=nan", "learning_rate must lie in"),
        ("dropout=1.0", "dropout must lie in"),
        ("folds=1", "folds must be 0"),
        ("split=lesion", "split must be"),
        ("pos_weight=heavy", "pos_weight must be"),
        ("pos_weight=0", "pos_weight must lie in"),
        ("amp=1", "amp must be bool"),
        ("learning_rate=true", "learning_rate must be float, not True"),
        ("lerning_rate=1e-3", "unknown key 'lerning_rate'.*learning_rate"),
        ("epochs", "KEY=VALUE"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(override, sentence):
    with pytest.raises(RecipeError, match=sentence):
        load_recipe("paper", [override])


def test_a_missing_key_is_named(tmp_path):
    text = load_recipe("paper").to_toml().replace("dropout = 0.4\n", "")
    (tmp_path / "short.toml").write_text(text)
    with pytest.raises(RecipeError, match=r"short\.toml: dropout missing"):
        load_recipe(str(tmp_path / "short.toml"))


def test_an_unknown_recipe_lists_the_known_ones(tmp_path):
    with pytest.raises(RecipeError, match=r"no recipe 'papre'.*paper"):
        load_recipe("papre")
    (tmp_path / "bad.toml").write_text("epochs = = 3")
    with pytest.raises(RecipeError, match="not a TOML file"):
        load_recipe(str(tmp_path / "bad.toml"))


def test_the_screen_recipe_reads_back_equal_and_is_checked(tmp_path):
    recipe = replace(load_recipe("screen"), vignette=0.25, within_camera=False)
    (tmp_path / "mine.toml").write_text(recipe.to_toml())
    assert load_recipe(str(tmp_path / "mine.toml")) == recipe
    assert recipe.distortion().vignette == 0.25
    for override, sentence in (
        ("vignette=1.5", "vignette must lie in"),
        ("folds=0", r"folds must lie in 2\.\."),
        ("pos_weight=2", "unknown key 'pos_weight'"),
        ("method=guess", "method must be 'head' or 'fine-tune', not 'guess'"),
        ("first_size=177", r"first_size \(177\) must not be over train_size"),
        ("within_camera=1", "within_camera must be bool"),
    ):
        with pytest.raises(RecipeError, match=sentence):
            load_recipe("screen", [override])


SHARES = (
    "warm_up", "label_smoothing", "teaching", "start_share", "source_power", "melanoma_share", "diagnosis_power",
    "soften", "jpeg", "vignette", "hairs", "cutout",
)  # fmt: skip


@pytest.mark.parametrize("name", SHARES)
def test_a_share_lies_between_0_and_1(name):
    for value in ("0.0", "1.0"):
        load_recipe("screen", [f"{name}={value}"])
    for value in ("-0.1", "1.1"):
        with pytest.raises(RecipeError, match=rf"{name} must lie in 0\.\.1"):
            load_recipe("screen", [f"{name}={value}"])


def test_any_text_reads_back_equal(tmp_path):
    recipe = replace(load_recipe("paper"), reference_source='a "b" \\ c\n\u2028é')
    (tmp_path / "mine.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(str(tmp_path / "mine.toml")) == recipe


def test_every_recipe_in_the_folder_loads():
    from isic_screen.training.recipe import RECIPES

    names = [path.stem for path in RECIPES.glob("*.toml")]
    assert names
    assert all(isinstance(load_recipe(name), Recipe) for name in names)
