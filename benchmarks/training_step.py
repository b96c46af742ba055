"""What an image costs in training: distorted anew and through the whole network, or from maps of the frozen stages.

    python -m benchmarks.training_step [--recipe NAME] [--threads N] [--repeats N]

Times the recipe's training step of one batch three ways in turns, all with the recipe's frozen stages: images
distorted for the batch, with PyTorch's own backward pass of depthwise convolutions; the same with ours (precision.py);
and from maps of the frozen stages on disk, as `stem_uses` has it. Making the maps is timed too, and shared out among
the networks and epochs that use them. Noise stands in for photos. Writes benchmarks/results/training_step.json.
"""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import in_turns, write_result
from isic_screen.training.distortion import Part
from isic_screen.training.draws import Distorted, Draws, FromStem, TrainingImages
from isic_screen.training.fine_tuning import WithDiagnosis
from isic_screen.training.losses import screening_loss
from isic_screen.training.precision import FastDepthwise, amp_dtype, autocast
from isic_screen.training.recipe import FineTuneRecipe, load_recipe
from isic_screen.training.sampling import DIAGNOSES
from isic_screen.training.stem import StemRounds

CPU = torch.device("cpu")
IMAGES = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="screen")
    parser.add_argument("--threads", type=int, default=1, help="default: 1, as one process a core trains")
    parser.add_argument("--repeats", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    recipe = load_recipe(given.recipe)
    if not isinstance(recipe, FineTuneRecipe) or not recipe.stem_uses:
        parser.error(f"{given.recipe} is no recipe with stem_uses")
    recipe = replace(recipe, epochs=1, epoch_images=IMAGES, first_size=recipe.train_size)
    network = recipe.network(None)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (IMAGES, recipe.pixels, recipe.pixels, 3), np.uint8)
    rows, weights = np.arange(IMAGES), np.ones(IMAGES)
    with tempfile.TemporaryDirectory() as name:

        def fill(folder: str) -> StemRounds:
            where = Path(name) / folder
            stem = StemRounds.plan(network, pixels, rows, weights, recipe, content="", cache=where, device=CPU)
            stem.fill(1)
            return stem

        stem = fill("kept")
        images = TrainingImages(pixels, rows, rows % 2, rows % len(DIAGNOSES), weights, stem=stem)
        anew = Distorted(images, recipe, network.input_spec, CPU)
        kept = FromStem(images, stem, recipe.batch_size, CPU)
        module = WithDiagnosis(network).to(memory_format=torch.channels_last)
        network.freeze_stages(recipe.frozen_stages)
        step = _stepper(module, images, recipe, random)
        folders = iter(range(10_000))
        seconds = in_turns(
            {
                "anew, PyTorch's backward": lambda: step(anew, 0, nullcontext()),
                "anew": lambda: step(anew, 0, FastDepthwise()),
                "from maps": lambda: step(kept, recipe.frozen_stages, FastDepthwise()),
                "making maps": lambda: fill(str(next(folders))),
            },
            given.repeats,
            warm_up=1,
        )
    networks = recipe.folds  # of which each sees all but one fold's images, and one sees all
    making = seconds["making maps"] / IMAGES * recipe.batch_size / (recipe.stem_uses * networks)
    whole = seconds["from maps"] + making
    result = {
        "recipe": given.recipe,
        "backbone": recipe.backbone,
        "size": recipe.train_size,
        "threads": given.threads,
        "milliseconds_an_image": {
            name: round(1000 * taken / (IMAGES if name == "making maps" else recipe.batch_size), 2)
            for name, taken in seconds.items()
        },
        "backward_pytorchs_over_ours": round(seconds["anew, PyTorch's backward"] / seconds["anew"], 2),
        "anew_over_from_maps": round(seconds["anew"] / whole, 2),
        "both": round(seconds["anew, PyTorch's backward"] / whole, 2),
    }
    write_result("training_step", result)


def _stepper(
    module: WithDiagnosis, images: TrainingImages, recipe: FineTuneRecipe, random: np.random.Generator
) -> Callable[[Draws, int, AbstractContextManager[object]], None]:
    optimizer = torch.optim.AdamW((p for p in module.parameters() if p.requires_grad), lr=1e-5, fused=True)
    dtype = amp_dtype(CPU, recipe.amp)
    part = Part(0, recipe.batch_size, recipe.batch_size)

    def step(draws: Draws, stages: int, backward: AbstractContextManager[object]) -> None:
        module.train()  # which making maps ends
        drawn = draws.draw(1, random)[: recipe.batch_size]
        places = draws.places(1, drawn)
        targets = torch.from_numpy(images.targets[places]).float()
        batch: Tensor = draws.inputs(1, drawn, random, part)
        optimizer.zero_grad(set_to_none=True)
        with autocast(CPU, dtype), backward:
            logits, diagnosis = module(batch, stages)
        diagnoses = torch.from_numpy(images.diagnoses[places])
        screening_loss(logits.float(), diagnosis.float(), targets, diagnoses, recipe).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
