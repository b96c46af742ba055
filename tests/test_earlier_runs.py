"""Runs that build on finished ones: pupils and committees."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import binary_cross_entropy, cross_entropy

from isic_screen import Screener, load_model, open_photo
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.errors import DataError, RecipeError, TrainingError, WeightsError
from isic_screen.network import build_network
from isic_screen.training.about import load_about
from isic_screen.training.checkpoint import read_checkpoint
from isic_screen.training.draws import Lessons
from isic_screen.training.earlier_runs import EarlierRun
from isic_screen.training.fine_tuning import WithDiagnosis
from isic_screen.training.losses import lesson_loss
from isic_screen.training.recipe import FineTuneRecipe, load_recipe, load_starts
from isic_screen.training.run import _started, train
from isic_screen.training.setting import Setting
from isic_screen.training.stem import first_stages
from isic_screen.training.teachers import lessons_of
from isic_screen.training.whole_network import WholeNetwork
from isic_screen.turns import turned
from tests.conftest import ROOT
from train.run import main

CPU = torch.device("cpu")
SMALL = [
    "backbone=tf_efficientnet_lite0",
    "input_size=64",
    "first_size=64",
    "train_size=64",
    "pixels=64",
    "epochs=1",
    "epoch_images=48",
]
SMALL += [
    "batch_size=8",
    "folds=2",
    "hidden=16",
    "amp=false",
    "learning_rate=2e-3",
    "frozen_stages=5",
    "from_teacher=true",
    "teaching=0.5",
    "seed=0",
]


def _recipe(*lines: str) -> FineTuneRecipe:
    recipe = load_recipe("screen", [*SMALL, *lines])
    assert isinstance(recipe, FineTuneRecipe)
    return recipe


@pytest.fixture(scope="module")
def data(lesion_folder) -> DataSet:
    return read_sources([lesion_folder])


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def _run(data: DataSet, recipe: FineTuneRecipe, out: Path, cache: Path, **options: object) -> WholeNetwork:
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.toml").write_text(recipe.to_toml())
    setting = Setting(out, cache, CPU, 2, **options)  # type: ignore[arg-type]
    return WholeNetwork.prepare(data, recipe, setting)


def _finish(run: WholeNetwork) -> pd.DataFrame:
    held_out = run.cross_validate(run.folds(), with_novelty=False)
    run.fit(run.rows, run.setting.out / "checkpoint.safetensors")
    return held_out


@pytest.fixture(scope="module")
def teacher(data, cache, tmp_path_factory) -> Path:
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    _finish(_run(data, _recipe(), out, cache))
    return out


def test_a_lesson_takes_the_place_of_the_labels():
    logits, names = torch.tensor([0.5, -1.0]), torch.randn(2, 7, generator=torch.manual_seed(0))
    melanoma, diagnoses = torch.tensor([0.8, 0.3]), torch.rand(2, 7, generator=torch.manual_seed(1)).softmax(-1)
    expected = binary_cross_entropy(logits.sigmoid(), melanoma) + 0.3 * cross_entropy(names, diagnoses)
    found = lesson_loss(logits, names, melanoma, diagnoses, _recipe("diagnosis_weight=0.3"))
    assert float(found) == pytest.approx(float(expected))


def test_lessons_are_the_mean_of_the_teachers_logits():
    modules = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        modules.append(WithDiagnosis(build_network("tf_efficientnet_lite0", weights="imagenet", input_size=64)).eval())
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    rows = np.array([3, 39, *range(33)])
    lessons = lessons_of(modules, pixels, rows, device=CPU, quiet=True)
    photos = torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        said = [module(module.network.input_spec.normalise(photos.clone())) for module in modules]
    logits, names = (torch.stack(outputs).mean(0) for outputs in zip(*said, strict=True))
    assert lessons.melanoma == pytest.approx(logits.sigmoid().numpy(), abs=1e-4)
    assert lessons.diagnoses == pytest.approx(names.softmax(-1).numpy(), abs=1e-4)


def test_a_pupil_starts_from_its_last_teachers_network_of_the_same_fold(data, cache, teacher, tmp_path, monkeypatch):
    seen = []

    def watched(network, images, recipe, *, start, **options):
        seen.append((start, images))
        return []

    monkeypatch.setattr("isic_screen.training.whole_network.fine_tune", watched)
    run = _run(data, _recipe(), tmp_path / "pupil", cache, teachers=(teacher,))
    folds = run.folds()
    for name, training in [("folds/fold-2.safetensors", run.rows[folds != 1]), ("checkpoint.safetensors", run.rows)]:
        run.fit(training, run.setting.out / name)
        start, images = seen.pop()
        expected = read_checkpoint(teacher / name).best
        assert all(torch.equal(start[key], expected[key]) for key in expected)
        assert isinstance(images.lessons, Lessons)
        assert images.lessons.melanoma.shape == (len(training),)
        assert images.lessons.diagnoses.shape == (len(training), 7)
    alone = _run(data, _recipe("from_teacher=false", "teaching=0"), tmp_path / "alone", cache, teachers=(teacher,))
    alone.fit(alone.rows, alone.setting.out / "checkpoint.safetensors")
    assert seen[0][0] is None
    assert seen[0][1].lessons is None


def test_all_that_is_learnt_can_be_the_teachers_answers(data, cache, teacher, tmp_path):
    """The labels turned round, a pupil of teachers alone learns the same, and one of labels alone does not."""
    turned = replace(data, rows=data.rows.assign(target=1 - data.rows["target"]))
    logits = {}
    for teaching in (0, 1):
        recipe = _recipe(f"teaching={teaching}", "melanoma_share=0.0", "within_camera=false", "dropout=0.0", "seed=3")
        told = []
        for number, rows in enumerate((data, turned)):
            run = _run(rows, recipe, tmp_path / f"{teaching}-{number}", cache, teachers=(teacher,))
            network, _ = run.fit(run.rows, run.setting.out / "checkpoint.safetensors")
            told.append(run.look(network, run.rows["path"].tolist()).logits)
        logits[teaching] = told
    # The draws differ in no way by the labels: with a natural share every image of a source is drawn alike.
    assert torch.allclose(*logits[1], atol=1e-4)
    assert not torch.allclose(*logits[0], atol=0.05)


def test_a_pupil_resumes_and_another_teacher_is_another_run(data, cache, teacher, tmp_path):
    out = tmp_path / "pupil"
    first = _finish(_run(data, _recipe(), out, cache, teachers=(teacher,)))
    again = _finish(_run(data, _recipe(), out, cache, teachers=(teacher,), resume=True))
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(TrainingError, match="another recipe or other data"):
        _finish(_run(data, _recipe(), out, cache, teachers=(teacher, teacher), resume=True))


def test_the_folds_are_those_of_the_first_earlier_run(data, cache, teacher, tmp_path):
    run = _run(data, _recipe("seed=1"), tmp_path / "pupil", cache, teachers=(teacher,))
    assert not run.folds().equals(_run(data, _recipe("seed=1"), tmp_path / "alone", cache).folds())
    assert (tmp_path / "pupil" / "split.csv").read_text() == (teacher / "split.csv").read_text()


def test_earlier_runs_of_other_folds_are_refused(data, cache, teacher, tmp_path):
    alone = _run(data, _recipe("seed=1"), tmp_path / "alone", cache)
    alone.folds()
    split = alone.setting.out / "split.csv"
    run = _run(data, _recipe(), tmp_path / "other", cache, teachers=(teacher,), split_file=split)
    with pytest.raises(TrainingError, match=r"trained on other folds.*--split .*split\.csv"):
        run.folds()


def test_a_run_without_a_teacher_trains_one_to_start_from(lesion_folder, cache, tmp_path):
    start = _recipe("from_teacher=false", "seed=3")
    recipe = _recipe("start_share=1.0")  # nothing is kept but the start: the whole run is its networks, judged
    about = load_about(ROOT / "train" / "about.toml")
    setting = Setting(tmp_path / "out", cache, CPU, 2, starts=(start,))
    model = load_model(train([lesion_folder], recipe, about, setting))
    first = EarlierRun.of(tmp_path / "out" / "start")
    assert first.recipe == start
    assert sorted(path.name for path in (first.folder / "folds").iterdir()) == [
        "fold-1.safetensors",
        "fold-2.safetensors",
    ]
    assert first.split_file.read_text() == (tmp_path / "out" / "split.csv").read_text()
    (said,) = model.facts.training["teachers"]
    assert (said["run"], said["recipe"]["seed"]) == ("start", 3)
    for name in ("folds/fold-2.safetensors", "checkpoint.safetensors"):
        kept = EarlierRun.of(tmp_path / "out").weights(name)
        assert all(torch.equal(tensor, kept[key]) for key, tensor in first.weights(name).items() if "num_b" not in key)
    again = load_model(train([lesion_folder], recipe, about, replace(setting, resume=True)))
    assert again.facts.metrics == model.facts.metrics
    train([lesion_folder], recipe, about, replace(setting, out=tmp_path / "part", only=(2,)))
    assert [path.name for path in (tmp_path / "part" / "start").rglob("*.safetensors")] == ["fold-2.safetensors"]


def test_a_run_without_anything_to_start_from_says_so(data, cache, tmp_path, capsys):
    run = _run(data, _recipe(), tmp_path, cache)
    assert _started(run, data) is run
    assert "Warning: the recipe goes on from a finished run, and there is none" in capsys.readouterr().err


def test_what_is_started_from_has_started_from_a_run_before_it(lesion_folder, cache, tmp_path):
    """Each keeps nothing but its start, so that all are the first."""
    first, second = _recipe("from_teacher=false", "seed=3"), _recipe("start_share=1.0", "seed=4")
    setting = Setting(tmp_path / "out", cache, CPU, 2, starts=(second, first), only=(1,))
    train([lesion_folder], _recipe("start_share=1.0"), load_about(ROOT / "train" / "about.toml"), setting)
    name, runs = "folds/fold-1.safetensors", [tmp_path / "out" / "start" / "start"]
    runs += [runs[0].parent, runs[0].parent.parent]
    assert [EarlierRun.of(run).recipe.seed for run in runs] == [3, 4, 0]
    ended = [EarlierRun.of(run).weights(name) for run in runs]
    assert all(torch.equal(end[key], ended[0][key]) for end in ended for key in ended[0] if "num_b" not in key)


def test_the_runs_to_start_from_take_the_same_overrides():
    overrides = ["backbone=efficientnet_b3", "epochs=2"]
    starts = load_starts(load_recipe("screen", overrides), overrides)
    assert starts == (load_recipe("lite2-again", overrides), load_recipe("lite2", overrides))
    for line in ("from_teacher=false", 'start_recipe=""'):
        assert load_starts(load_recipe("screen", [line]), [line]) == ()
    assert load_starts(load_recipe("paper")) == ()
    for recipe, sentence in (
        (_recipe("start_recipe=lite2"), "trains other networks"),
        (load_recipe("screen", ["hidden=64"]), "trains other networks"),
        (load_recipe("screen", ["start_recipe=paper"]), "trains other networks"),
        (load_recipe("screen", ["folds=3"]), "has other folds"),
        (load_recipe("screen", ["start_recipe=nowhere"]), "no recipe 'nowhere'"),
        (load_recipe("screen", ["start_recipe=open"]), "open trains stages that a run after it would compute once"),
    ):
        with pytest.raises(RecipeError, match=sentence):
            load_starts(recipe)
    circle = ["start_recipe=screen"]
    with pytest.raises(RecipeError, match="screen wants to start from itself, by way of screen"):
        load_starts(load_recipe("screen", circle), circle)


def test_what_cannot_teach_is_told_before_anything_is_decoded(data, cache, teacher, tmp_path):
    with pytest.raises(RecipeError, match=r"has no recipe\.toml"):
        _run(data, _recipe(), tmp_path / "a", cache, teachers=(tmp_path,))
    (tmp_path / "recipe.toml").write_text(load_recipe("paper").to_toml())
    with pytest.raises(RecipeError, match="trains no whole network"):
        _run(data, _recipe(), tmp_path / "a", cache, teachers=(tmp_path,))
    with pytest.raises(RecipeError, match=r"another backbone or head.*from_teacher=false"):
        _run(data, _recipe("hidden=8"), tmp_path / "a", cache, teachers=(teacher,))
    with pytest.raises(RecipeError, match=r"of 2 teachers.*teaching=0\.5"):
        _run(data, _recipe("teaching=0"), tmp_path / "a", cache, teachers=(teacher, teacher))


@pytest.mark.parametrize("role", ["teachers", "members"])
def test_a_run_that_lacks_a_network_is_told_before_anything_is_decoded(
    role, data, cache, teacher, tmp_path, monkeypatch
):
    """The last fold's would be missed after those before it were trained."""
    copytree(teacher, half := tmp_path / "half")
    (half / "folds" / "fold-2.safetensors").unlink()
    _run(data, _recipe("stem_uses=0"), tmp_path / "first", cache, only=(1, 0), **{role: (half,)})
    monkeypatch.setattr("isic_screen.training.whole_network.cached_pixels", lambda *_: pytest.fail("decoded"))
    with pytest.raises(TrainingError, match=r"half cannot be built on: .*fold-2\.safetensors is missing"):
        _run(data, _recipe("stem_uses=0"), tmp_path / "all", cache, **{role: (half,)})


def test_what_is_built_on_a_run_needs_no_other_weights(data, cache, teacher, second, tmp_path, monkeypatch):
    """Nor a hub to get them from: all of them are those of the run."""
    monkeypatch.setattr("isic_screen.backbone._PACKAGED_WEIGHTS", {})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pupil = _run(data, _recipe(), tmp_path / "pupil", cache, teachers=(teacher,))
    pupil.fit(pupil.rows, tmp_path / "pupil" / "checkpoint.safetensors")
    both = _run(data, _recipe(), tmp_path / "both", cache, members=(teacher, second))
    both.fit(both.rows, tmp_path / "both" / "checkpoint.safetensors")
    for role in ("teachers", "members"):
        with pytest.raises(RecipeError, match=r"--backbone-weights own\.pth would not be used.*leave it out"):
            _run(data, _recipe(), tmp_path / "own", cache, weights=Path("own.pth"), **{role: (teacher,)})
    with pytest.raises(WeightsError, match="could not be fetched from the hub"):
        _run(data, _recipe(), tmp_path / "alone", cache)


def test_maps_of_frozen_stages_are_those_of_the_network_that_is_trained_on_them(data, cache, tmp_path):
    """The teacher's stages, which need not be ImageNet's; and no maps where they differ from fold to fold."""
    torch.manual_seed(5)
    own = build_network("tf_efficientnet_lite0", weights=None, input_size=64).backbone.state_dict()
    torch.save(own, weights := tmp_path / "own.pth")
    frozen = tmp_path / "frozen"
    _finish(_run(data, _recipe(), frozen, cache, weights=weights))
    run = _run(data, _recipe(), tmp_path / "pupil", cache, teachers=(frozen,))
    network, _ = run.fit(run.rows, tmp_path / "pupil" / "checkpoint.safetensors")
    images = torch.randn(2, 3, 64, 64)
    assert run.stem is not None
    with torch.inference_mode():
        of_maps, served = (first_stages(each.backbone, images, 5) for each in (run.stem.network, network))
    assert torch.equal(of_maps, served)
    opened = tmp_path / "opened"
    _finish(_run(data, _recipe("frozen_stages=4", "stem_uses=0"), opened, cache, teachers=(frozen,)))
    with pytest.raises(RecipeError, match=r"stem_uses: each network of .*opened has first stages of its own.*=0"):
        _run(data, _recipe(), tmp_path / "again", cache, teachers=(opened,))
    _run(data, _recipe("stem_uses=0"), tmp_path / "again", cache, teachers=(opened,))


@pytest.fixture(scope="module")
def second(data, cache, teacher, tmp_path_factory) -> Path:
    """Another finished run on the same folds."""
    out = tmp_path_factory.mktemp("runs") / "second"
    _finish(_run(data, _recipe("seed=7"), out, cache, split_file=teacher / "split.csv"))
    return out


def test_a_committee_is_judged_fold_by_fold_as_a_whole(data, cache, teacher, second, tmp_path):
    run = _run(data, _recipe(), tmp_path / "both", cache, members=(teacher, second))
    held_out = run.cross_validate(run.folds())
    network, history = run.fit(run.rows, run.setting.out / "checkpoint.safetensors")
    theirs = [_held_out_logits(folder, run) for folder in (teacher, second)]
    assert held_out["logit"].to_numpy() == pytest.approx(np.mean(theirs, axis=0), abs=1e-3)
    assert held_out["novelty"].notna().all()
    assert network.input_spec.views == run.recipe.views == 4
    assert network.backbone_name == "tf_efficientnet_lite0+tf_efficientnet_lite0"
    assert history == []
    resumed = _run(data, _recipe(), tmp_path / "both", cache, members=(teacher, second), resume=True)
    pd.testing.assert_frame_equal(resumed.cross_validate(resumed.folds()), held_out)
    other = _run(data, _recipe(), tmp_path / "both", cache, members=(second, teacher), resume=True)
    with pytest.raises(TrainingError, match="another recipe or other data"):
        other.cross_validate(other.folds())


def _held_out_logits(folder: Path, run: WholeNetwork) -> np.ndarray:
    """What each fold's network of a run says of the images it was kept from, in the order of the rows."""
    folds, found = run.folds(), pd.Series(np.nan, index=run.rows.index)
    for fold in sorted(folds.unique()):
        rows = run.rows[folds == fold]
        network = EarlierRun.of(folder).module(f"folds/fold-{fold + 1}.safetensors").network
        network.input_spec = replace(network.input_spec, views=run.recipe.views)
        found[rows.index] = run.look(network, rows["path"].tolist()).logits.numpy()
    return found.to_numpy()


def test_the_model_file_of_a_committee_says_who_is_in_it(lesion_folder, cache, teacher, second, tmp_path):
    about = load_about(ROOT / "train" / "about.toml")
    setting = Setting(tmp_path / "out", cache, CPU, 2, members=(teacher, second), bits=8)
    model = load_model(train([lesion_folder], _recipe(), about, setting))
    members = model.facts.training["members"]
    assert [member["run"] for member in members] == ["teacher", "second"]
    assert [member["recipe"]["seed"] for member in members] == [0, 7]
    assert members[0]["sha256"] == EarlierRun.of(teacher).sha256("checkpoint.safetensors")
    assert model.facts.metrics["sources"]
    photo = open_photo(next((lesion_folder / "images").glob("*.jpg")))
    assert 0 < Screener(model).screen(photo).probability < 1


def test_members_of_other_shapes_or_folds_are_refused(data, cache, teacher, second, tmp_path, monkeypatch):
    alone = _run(data, _recipe("seed=1"), tmp_path / "alone", cache)
    alone.folds()
    split = alone.setting.out / "split.csv"
    run = _run(data, _recipe(), tmp_path / "a", cache, members=(teacher, second), split_file=split)
    with pytest.raises(TrainingError, match="trained on other folds"):
        run.folds()
    narrow = tmp_path / "narrow"
    other = _run(data, _recipe("hidden=8"), narrow, cache)
    _finish(other)
    monkeypatch.setattr("isic_screen.training.whole_network.cached_pixels", lambda *_: pytest.fail("decoded"))
    with pytest.raises(RecipeError, match=r"--member: .*same backbone, head and input"):
        _run(data, _recipe(), tmp_path / "b", cache, members=(teacher, narrow))


def test_a_run_alone_is_judged_anew_by_other_views_and_at_another_size(data, cache, teacher, tmp_path):
    run = _run(data, _recipe("views=8", "input_size=96"), tmp_path, cache, members=(teacher,))
    held_out = run.cross_validate(run.folds())
    network, history = run.fit(run.rows, tmp_path / "checkpoint.safetensors")
    assert history == []
    assert (network.input_spec.size, network.input_spec.views) == (96, 8)
    kept = EarlierRun.of(teacher)
    for name, tensor in kept.module("checkpoint.safetensors").network.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name
    # The fold's network by hand: 96 pixels, the mean of the eight views of a photo that it has not seen.
    first = held_out[held_out["fold"] == 0].iloc[0]
    judge = kept.module("folds/fold-1.safetensors").network
    image = replace(judge.input_spec, size=96)(open_photo(first["path"]))
    with torch.no_grad():
        logits = judge(torch.stack([turned(image, view) for view in range(8)]))
    assert first["logit"] == pytest.approx(float(logits.mean()), abs=1e-4)


@pytest.mark.parametrize("role", ["teachers", "members"])
def test_a_recipe_of_heads_alone_builds_on_no_run(role, lesion_folder, teacher, tmp_path):
    setting = Setting(tmp_path / "out", tmp_path, CPU, 2, **{role: (teacher, teacher)})
    with pytest.raises(RecipeError, match="need whole networks: the method 'head' trains none"):
        train([lesion_folder], load_recipe("paper"), load_about(ROOT / "train" / "about.toml"), setting)
    assert not (tmp_path / "out").exists()


def test_a_run_that_has_not_finished_cannot_teach(teacher, tmp_path):
    longer = replace(EarlierRun.of(teacher), recipe=_recipe("epochs=5"))
    with pytest.raises(TrainingError, match="from epoch 1 of 5"):
        longer.weights("checkpoint.safetensors")
    with pytest.raises(TrainingError, match=r"fold-9\.safetensors is missing"):
        longer.weights("folds/fold-9.safetensors")


def test_a_split_of_other_images_is_refused(data, teacher, tmp_path):
    folds = pd.Series(0, index=data.rows.index)
    (tmp_path / "split.csv").write_text("source,image_id,part\nlesions,nothing,0\n")
    with pytest.raises(DataError, match="no part for 48 images"):
        replace(EarlierRun.of(teacher), folder=tmp_path).check_folds(data.rows, folds)


def test_a_committee_follows_the_recipe_of_its_first_member(
    lesion_folder, teacher, second, tmp_path, monkeypatch, capsys
):
    asked = []
    monkeypatch.setattr("train.run.train", lambda folders, recipe, about, setting: asked.append(recipe))
    members = [argument for run in (second, teacher) for argument in ("--member", str(run))]
    command = ["train/run.py", "--data", str(lesion_folder), "--out", str(tmp_path), *members]
    for more in ([], ["--set", "views=2"]):
        monkeypatch.setattr("sys.argv", [*command, *more])
        assert main() == 0
    monkeypatch.setattr("sys.argv", [*command[:5], "--member", str(tmp_path / "nowhere")])
    assert main() == 2
    assert "nowhere is no run to build on: it has no recipe.toml" in capsys.readouterr().err
    assert asked[0] == EarlierRun.of(second).recipe != EarlierRun.of(teacher).recipe
    assert asked[1] == replace(asked[0], views=2)
