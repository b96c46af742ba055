"""Fine-tuning runs: cross-validation with held-out predictions fold by fold, then one model of all images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from isic_screen.data.images import read_photos
from isic_screen.data.splits import leak, save_split
from isic_screen.data.tables import DataSet
from isic_screen.engine import engine_of
from isic_screen.errors import PhotoError, TrainingError
from isic_screen.evaluation.camera_probe import probe_camera
from isic_screen.network import ScreenNet, Whole
from isic_screen.novelty import AXES, Novelty
from isic_screen.progress import Bar, say, say_set_aside
from isic_screen.training.draws import Lessons, TrainingImages
from isic_screen.training.earlier_runs import SPLIT_FILE, EarlierRun, checkpoint_of, parts_of
from isic_screen.training.filled_table import locked
from isic_screen.training.fine_tuning import fine_tune
from isic_screen.training.folds import check_split_file, folds_of
from isic_screen.training.pixels import Pixels, cached_pixels
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import camera_groups, diagnosis_targets, sampling_weights
from isic_screen.training.setting import Setting
from isic_screen.training.starting_network import build, check, check_earlier, take_first_stages, together
from isic_screen.training.stem import StemRounds
from isic_screen.training.teachers import lessons_of
from isic_screen.views import averaged
from isic_screen.whole_file import whole_file

_IMAGES_PER_BATCH = 32
_NOVELTY_SAMPLE = 2000  # training photos that the Gaussian of novelty.py is fitted to: many more than it has features
_HELD_OUT_COLUMNS = ("logit", "novelty", "camera")


@dataclass(frozen=True)
class WholeNetwork:
    """The data a run can use, and how it trains on them."""

    rows: pd.DataFrame
    """Readable images; the index is the row of `pixels`."""
    unreadable: list[str]
    pixels: Pixels
    recipe: FineTuneRecipe
    setting: Setting
    data_sha256: str
    teachers: tuple[EarlierRun, ...] = ()
    members: tuple[EarlierRun, ...] = ()
    """Runs whose networks are put together, or judged anew when it is one, instead of training one."""
    stem: StemRounds | None = None

    @classmethod
    def prepare(cls, data: DataSet, recipe: FineTuneRecipe, setting: Setting) -> "WholeNetwork":
        """Decode the images into the cache and set unreadable ones aside.

        Raises WeightsError for an unknown backbone, RecipeError for a recipe that it cannot be trained by, and
        TrainingError for earlier runs that have not finished.
        """
        # Before the long work: a mistake should not cost an hour of decoding.
        teachers = tuple(EarlierRun.of(folder) for folder in setting.teachers)
        members = tuple(EarlierRun.of(folder) for folder in setting.members)
        start = teachers[-1] if teachers and recipe.from_teacher else None
        if file := _split_file(setting, (*teachers, *members)):
            check_split_file(file, recipe)
        check_earlier(recipe, setting, teachers, members, start)
        if start or members:
            setting = replace(setting, weights=None)  # all are theirs: no hub has to be there
        if members:
            network = together(members, checkpoint_of(parts_of(recipe, setting.only)[0]), recipe)
        else:
            network = build(recipe, setting)
            check(network, recipe, setting.processes)
            if start and recipe.stem_uses:
                take_first_stages(network, start, recipe)
        rows = data.rows.reset_index(drop=True)
        pixels = cached_pixels(rows["path"].tolist(), recipe.pixels, setting.cache, setting.workers, setting.processes)
        unreadable = list(pixels.unreadable.values())
        say_set_aside(unreadable, len(rows))
        run = cls(
            rows.drop(index=list(pixels.unreadable)),
            unreadable,
            pixels,
            recipe,
            setting,
            data.sha256,
            teachers,
            members,
        )
        return replace(run, stem=run._stem(network)) if recipe.stem_uses and not members else run

    def folds(self) -> pd.Series:
        """The fold (from 0) of each row, saved to split.csv; says so when patients stand on both sides.

        They are those of the split file, else of the first earlier run, and drawn only where there is neither.
        """
        earlier = (*self.teachers, *self.members)
        folds = folds_of(self.rows, self.recipe, _split_file(self.setting, earlier))
        if self.setting.processes.main:
            with locked(self.setting.out):  # against runs of other parts of it (Setting.only)
                save_split(self.setting.out / SPLIT_FILE, self.rows, folds)
        if warning := leak(self.rows, folds):
            say(f"Warning: {warning}")
        for run in earlier:
            run.check_folds(self.rows, folds)
        return folds

    def cross_validate(self, folds: pd.Series, *, with_novelty: bool = True) -> pd.DataFrame:
        """Rows with `logit`, `novelty` (distance), `camera` and `fold`, each image judged by a network that saw neither
        it nor its group.

        `camera` is the score of a probe that reads from the features whether a photo is of the size that most cameras
        of benign ISIC 2020 photos have (see evaluation/camera_probe.py); nan where sizes are unknown. A fold that is
        finished is not trained again when the run is resumed.
        """
        found = pd.DataFrame(np.nan, index=self.rows.index, columns=list(_HELD_OUT_COLUMNS))
        for fold in sorted(folds.unique()):
            if self.setting.only and fold + 1 not in self.setting.only:
                continue
            say(f"Fold {fold + 1} of {folds.nunique()}")
            held_out, training = self.rows[folds == fold], self.rows[folds != fold]
            checkpoint = self.setting.out / checkpoint_of(fold + 1)
            file = checkpoint.with_suffix(".csv")
            fingerprint = self._fingerprint(training, checkpoint)
            found.loc[held_out.index] = self.setting.processes.from_main(self._finished(file, held_out, fingerprint))
            if found.loc[held_out.index, "logit"].isna().any():
                network, _ = self.fit(training, checkpoint, fingerprint)
                seen = self.look(network, held_out["path"].tolist())
                found.loc[held_out.index, "logit"] = seen.logits.double().numpy()
                if with_novelty:
                    novelty = self.fit_novelty(network, training)
                    found.loc[held_out.index, "novelty"] = novelty.distance(seen.style).numpy()
                features = seen.features.numpy()
                found.loc[held_out.index, "camera"] = probe_camera(features, held_out, seed=self.recipe.seed)
                table = held_out[["source", "image_id"]].join(found).assign(fingerprint=fingerprint)
                if self.setting.processes.main:
                    with whole_file(file) as unfinished:
                        table.to_csv(unfinished, index=False)
        return self.rows.assign(**{name: found[name] for name in _HELD_OUT_COLUMNS}, fold=folds)

    def fit(
        self, training: pd.DataFrame, checkpoint: Path, fingerprint: str | None = None
    ) -> tuple[ScreenNet, list[dict[str, float]]]:
        """A network fine-tuned on some of `rows`, and its history, one row an epoch.

        Teachers and members are the networks of earlier runs with the same name as `checkpoint`, which lies in the
        output folder. With members nothing is trained, and the history is empty.
        """
        recipe = self.recipe
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        if self.members:
            return together(self.members, self._name(checkpoint), recipe), []
        network = build(recipe, self.setting)
        name = self._name(checkpoint)
        weights = self._weights(training)
        images = TrainingImages(
            self.pixels.images,
            training.index.to_numpy(np.int64),
            np.array(training["target"], np.int64),
            diagnosis_targets(training),
            weights,
            self._lessons(training, name) if self.teachers and recipe.teaching else None,
            self.stem,
            camera_groups(training) if recipe.camera_tilt else None,
        )
        history = fine_tune(
            network,
            images,
            recipe,
            device=self.setting.device,
            start=self.teachers[-1].weights(name) if self.teachers and recipe.from_teacher else None,
            checkpoint=checkpoint,
            fingerprint=fingerprint or self._fingerprint(training, checkpoint),
            resume=self.setting.resume,
            processes=self.setting.processes,
        )
        return network, history

    def fit_novelty(self, network: ScreenNet, training: pd.DataFrame) -> Novelty:
        """What these training photos look like to the network, each source having its share; without a cut-off."""
        sample = training.sample(min(_NOVELTY_SAMPLE, len(training)), random_state=self.recipe.seed).sort_index()
        style = self.look(network, sample["path"].tolist()).style.numpy()
        # Few photos do not determine many axes.
        return Novelty.fit(style, axes=max(1, min(AXES, len(sample) // 4, style.shape[1] - 2)))

    def look(self, network: ScreenNet, paths: Sequence[str]) -> Whole:
        """What the network sees, in fp32 of N photos, as it is served."""
        device, processes = self.setting.device, self.setting.processes
        engine = averaged(engine_of(network, device), network.input_spec.views)
        seen, waiting = list[Whole](), list[Tensor]()
        paths = paths[processes.share(len(paths))]
        photos = read_photos(paths, network.input_spec, self.setting.workers)
        quiet = not processes.main
        with torch.inference_mode():
            for place, tensor in Bar(
                photos, desc="Scoring", unit="image", total=len(paths), leave=False, disable=quiet
            ):
                if isinstance(tensor, PhotoError):  # unreadable images were set aside before: this one changed since
                    raise TrainingError(f"An image became unreadable during training: {tensor}")
                waiting.append(tensor)
                if len(waiting) == _IMAGES_PER_BATCH or place == len(paths) - 1:
                    seen.append(Whole(*(tensor.float().cpu() for tensor in engine(torch.stack(waiting)))))
                    waiting.clear()
        return Whole.joined(processes.gather_rows(seen))

    def _weights(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        recipe = self.recipe
        return sampling_weights(
            rows,
            source_power=recipe.source_power,
            melanoma_share=recipe.melanoma_share,
            diagnosis_power=recipe.diagnosis_power,
            within_camera=recipe.within_camera,
        )

    def _stem(self, network: ScreenNet) -> StemRounds:
        return StemRounds.plan(
            network,
            self.pixels.images,
            self.rows.index.to_numpy(np.int64),
            self._weights(self.rows),
            self.recipe,
            content=self.pixels.sha256,
            cache=self.setting.cache,
            device=self.setting.device,
            processes=self.setting.processes,
        )

    def _lessons(self, training: pd.DataFrame, name: str) -> Lessons:
        return lessons_of(
            [teacher.module(name) for teacher in self.teachers],
            self.pixels.images,
            training.index.to_numpy(np.int64),
            device=self.setting.device,
            quiet=not self.setting.processes.main,
            processes=self.setting.processes,
        )

    def _name(self, checkpoint: Path) -> str:
        """As it is called in the folder of any run."""
        return checkpoint.relative_to(self.setting.out).as_posix()

    def _fingerprint(self, training: pd.DataFrame, checkpoint: Path) -> str:
        earlier = [run.sha256(self._name(checkpoint)) for run in (*self.teachers, *self.members)]
        described = (
            self.recipe.to_toml(),
            self.data_sha256,
            self.pixels.sha256,
            training["image_id"].tolist(),
            earlier,
        )
        return hashlib.sha256(repr(described).encode()).hexdigest()

    def _finished(self, file: Path, held_out: pd.DataFrame, fingerprint: str) -> pd.DataFrame:
        """What an earlier, killed run found for these rows; nan where there is no such run."""
        nothing = pd.DataFrame(np.nan, index=held_out.index, columns=list(_HELD_OUT_COLUMNS))
        if not (self.setting.resume and file.is_file()):
            return nothing
        table = pd.read_csv(file, dtype=str)
        if (table["fingerprint"] != fingerprint).any() or table["image_id"].tolist() != held_out["image_id"].tolist():
            raise TrainingError(f"{file} belongs to a run with another recipe or other data. Give another --out.")
        say("  finished before")
        # Python's floats, not the parser's: to the last bit, so that a resumed run has the figures of an unbroken one.
        return table[list(_HELD_OUT_COLUMNS)].map(float).set_axis(held_out.index)


def _split_file(setting: Setting, earlier: Sequence[EarlierRun]) -> Path | None:
    return setting.split_file or (earlier[0].split_file if earlier else None)
