"""The recipe: every hyper-parameter of a training run, in one flat TOML file."""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from isic_screen.backbone import Weights
from isic_screen.errors import RecipeError
from isic_screen.network import ScreenNet, build_network
from isic_screen.training.distortion import Distortion
from isic_screen.typed_number import typed_number

RECIPES = Path(__file__).resolve().parents[2] / "train" / "recipes"

_Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Recipe:
    """What every recipe says; see train/recipes/*.toml for what each line means.

    Raises RecipeError when a value is out of range.
    """

    method: ClassVar[str]
    """The line of the file that tells which of the two kinds below it is."""
    example: ClassVar[str]
    """A file that has every line of this kind."""

    backbone: str
    input_size: int
    hidden: int
    dropout: float
    split: Literal["patient", "image"]
    folds: int
    epochs: int
    batch_size: int
    learning_rate: float
    amp: bool
    reference_source: str
    prevalence: float
    seed: int

    def __post_init__(self) -> None:
        for name, (low, high) in self._ranges().items():
            if not low <= getattr(self, name) <= high:  # a nan fails this as well
                raise RecipeError(
                    f"{name} must lie in {low:g}..{high:g}, the recipe says {_shown(getattr(self, name))}."
                )
        if self.folds == 1:
            raise RecipeError("folds must be 0 (no cross-validation) or at least 2.")

    def _ranges(self) -> _Ranges:
        return {
            "input_size": (0, 1024),
            "hidden": (1, 65536),
            "dropout": (0, 0.99),
            "folds": (0, 100),
            "epochs": (1, 100_000),
            "batch_size": (1, 65536),
            "learning_rate": (1e-9, 10),
            "prevalence": (1e-6, 1 - 1e-6),
            "seed": (0, 2**32 - 1),
        }

    def to_toml(self) -> str:
        """The recipe as a TOML file that reads back equal."""
        lines = {"method": self.method, **asdict(self)}
        return "".join(f"{name} = {_toml(value)}\n" for name, value in lines.items())

    def network(self, weights: Weights) -> ScreenNet:
        """What the recipe trains, in eval mode, with these weights of the backbone and an untrained head."""
        size = self.input_size or None
        return build_network(self.backbone, weights=weights, hidden=self.hidden, dropout=self.dropout, input_size=size)

    @classmethod
    def from_table(cls, table: dict[str, Any], origin: str) -> Self:
        """Check names and types of a parsed recipe. `origin` names the file in the message of a RecipeError."""
        types = {field.name: field.type for field in fields(cls)}
        unknown, missing = sorted(set(table) - set(types)), sorted(set(types) - set(table))
        if unknown:
            raise RecipeError(f"{origin}: unknown key {unknown[0]!r}. Known keys: {', '.join(types)}.")
        if missing:
            raise RecipeError(f"{origin}: {', '.join(missing)} missing. {cls.example} has every key.")
        return cls(**{name: _typed(name, value, types[name], origin) for name, value in table.items()})


@dataclass(frozen=True)
class HeadRecipe(Recipe):
    """The published recipe: the head alone is trained, on the features of a frozen backbone."""

    method: ClassVar[str] = "head"
    example: ClassVar[str] = "train/recipes/paper.toml"

    validation_fraction: float
    horizontal_flip: float
    vertical_flip: float
    rotation: float
    feature_views: int
    plateau_factor: float
    plateau_patience: int
    stopping_patience: int
    pos_weight: Literal["balanced"] | float

    def _ranges(self) -> _Ranges:
        ranges = super()._ranges() | {
            "validation_fraction": (0.01, 0.9),
            "horizontal_flip": (0, 1),
            "vertical_flip": (0, 1),
            "rotation": (0, 180),
            "feature_views": (0, 1000),
            "plateau_factor": (1e-4, 0.999),
            "plateau_patience": (0, 100_000),
            "stopping_patience": (1, 100_000),
        }
        return ranges if self.pos_weight == "balanced" else ranges | {"pos_weight": (1e-3, 1e6)}


@dataclass(frozen=True)
class FineTuneRecipe(Recipe):
    """Our recipe: the backbone is trained too, on several sources at once, for a fixed number of steps."""

    method: ClassVar[str] = "fine-tune"
    example: ClassVar[str] = "train/recipes/screen.toml"

    frozen_stages: int
    stem_uses: int
    layer_decay: float
    weight_decay: float
    warm_up: float
    ema_decay: float
    label_smoothing: float
    diagnosis_weight: float
    camera_tilt: float
    teaching: float
    from_teacher: bool
    start_recipe: str
    start_share: float
    epoch_images: int
    source_power: float
    melanoma_share: float
    diagnosis_power: float
    within_camera: bool
    pixels: int
    first_size: int
    train_size: int
    crop: float
    rotation: float
    colour: float
    soften: float
    jpeg: float
    vignette: float
    hairs: float
    cutout: float
    mixup: float
    views: Literal[1, 2, 3, 4, 8]

    def _ranges(self) -> _Ranges:
        shares = ("warm_up", "label_smoothing", "teaching", "start_share", "melanoma_share")
        powers = ("source_power", "diagnosis_power")
        chances = ("soften", "jpeg", "vignette", "hairs", "cutout")
        return super()._ranges() | {
            "folds": (2, 100),  # nothing else is held out
            "frozen_stages": (0, 100),
            "stem_uses": (0, 1000),
            "layer_decay": (0.01, 1),
            "weight_decay": (0, 1),
            "ema_decay": (0, 0.99999),
            "diagnosis_weight": (0, 100),
            "camera_tilt": (0, 100),
            "epoch_images": (1, 10_000_000),
            "pixels": (32, 2048),
            "first_size": (32, 1024),
            "train_size": (32, 1024),
            "crop": (0.01, 1),
            "rotation": (0, 180),
            "colour": (0, 1),
            "mixup": (0, 100),
            **dict.fromkeys((*shares, *powers, *chances), (0, 1)),
        }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_size > self.train_size:
            raise RecipeError(f"first_size ({self.first_size}) must not be over train_size ({self.train_size}).")
        if self.mixup and self.batch_size % 2:
            raise RecipeError(f"mixup takes images two by two: batch_size must be even, not {self.batch_size}.")
        if self.stem_uses and not self.frozen_stages:
            raise RecipeError("stem_uses is for frozen stages: set frozen_stages to 1 or more, or stem_uses to 0.")

    def same_shape(self, other: "FineTuneRecipe") -> bool:
        """Whether the networks of both are built alike, so that one can start from the other's weights."""
        return (self.backbone, self.hidden) == (other.backbone, other.hidden)

    def distortion(self) -> Distortion:
        """The augmentation that the recipe asks for."""
        return Distortion(**{field.name: getattr(self, field.name) for field in fields(Distortion)})


_KINDS: dict[str, type[Recipe]] = {kind.method: kind for kind in (HeadRecipe, FineTuneRecipe)}


def load_recipe(name_or_file: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name (from train/recipes) or file, with "key=value" overrides in TOML's notation.

    Raises RecipeError for a file that is not there or not TOML, an unknown key, or a value of a wrong type or range.
    """
    file = Path(name_or_file)
    if file.suffix != ".toml":
        file = RECIPES / f"{name_or_file}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in RECIPES.glob("*.toml")))
        raise RecipeError(f"There is no recipe {name_or_file!r}. Give a .toml file or one of: {known}.")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also an integer of thousands of digits, and endless brackets
        raise RecipeError(f"{file}: not a TOML file: {error}.") from error
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise RecipeError(f"--set {override!r}: write KEY=VALUE, such as --set epochs=20.")
        table[key.strip()] = _parse(value.strip())
    origin = str(file) if not overrides else f"{file} with --set"
    method = table.pop("method", None)
    if not isinstance(method, str) or method not in _KINDS:
        raise RecipeError(f"{origin}: method must be {' or '.join(map(repr, _KINDS))}, not {_shown(method)}.")
    return _KINDS[method].from_table(table, origin)


def load_starts(recipe: Recipe, overrides: Sequence[str] = ()) -> tuple[FineTuneRecipe, ...]:
    """The recipes of the runs that `recipe` wants trained before it, with the same overrides: first that of the run
    that it starts from, then that of the one before, and so on. () where it wants none.

    Raises RecipeError as `load_recipe`, for recipes whose networks are built otherwise, and for a circle of them.
    """
    found: list[FineTuneRecipe] = []
    names: list[str] = []
    computed_once = 0  # first stages (stem.py)
    while isinstance(recipe, FineTuneRecipe) and recipe.from_teacher and (name := recipe.start_recipe):
        if name in names:
            raise RecipeError(f"start_recipe: {name} wants to start from itself, by way of {', '.join(names)}.")
        start = load_recipe(name, overrides)
        if not isinstance(start, FineTuneRecipe) or not recipe.same_shape(start):
            raise RecipeError(f"start_recipe: {name} trains other networks than the recipe, not its start.")
        if (recipe.folds, recipe.split) != (start.folds, start.split):
            raise RecipeError(f"start_recipe: {name} has other folds than the recipe.")
        computed_once = max(computed_once, recipe.frozen_stages if recipe.stem_uses else 0)
        if start.frozen_stages < computed_once:
            raise RecipeError(
                f"start_recipe: {name} trains stages that a run after it would compute once for all folds, as ImageNet "
                "left them: set stem_uses to 0 there."
            )
        names.append(name)
        found.append(start)
        recipe = start
    return tuple(found)


def _parse(text: str) -> Any:
    """A TOML value, or a number with a decimal comma; a word without quotes is a string, as a shell strips the
    quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        pass
    try:
        return typed_number(text)
    except ValueError:
        return text


def _typed(name: str, value: Any, expected: Any, origin: str) -> Any:
    if expected is float and type(value) is int and abs(value) < 2**1023:  # larger ones are no floats
        return float(value)
    options = get_args(expected)
    if get_origin(expected) is Literal:
        fits = any(type(value) is type(option) and value == option for option in options)
    elif options:  # Literal["balanced"] | float
        fits = value == "balanced" or (isinstance(value, int | float) and not isinstance(value, bool))
    else:
        fits = type(value) is expected
    if not fits:
        wanted = expected.__name__ if isinstance(expected, type) else str(expected).replace("typing.", "")
        raise RecipeError(f"{origin}: {name} must be {wanted}, not {_shown(value)}.")
    return value


def _shown(value: object) -> str:
    """A value in a message."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"  # which Python refuses to write
    return text if len(text) <= 80 else f"{text[:79]}…"


def _toml(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value) + '"'
    return repr(value)
