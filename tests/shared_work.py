"""What tests/test_processes.py has done by one process and by two: `python -m tests.shared_work OUT`.

Each job returns tensors; the main process writes them to OUT/JOB.safetensors.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from isic_screen.network import build_network
from isic_screen.processes import Processes, launched
from isic_screen.training import fine_tuning as fine_tuning_module
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.batches import FeatureBatches, ImageBatches
from isic_screen.training.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from isic_screen.training.draws import TrainingImages
from isic_screen.training.fine_tuning import fine_tune
from isic_screen.training.loop import fit, predict
from isic_screen.training.recipe import load_recipe
from isic_screen.training.whole_batch import WholeBatch
from tests.conftest import lesion
from tests.small_recipe import small_recipe

CPU = torch.device("cpu")
COUNT = 23  # no multiple of two processes, nor of the batches
TARGETS = (np.arange(COUNT) % 3 == 0).astype(np.int64)


def norm_and_dropout(processes: Processes, folder: Path) -> dict[str, Tensor]:
    """One batch through batch norm and dropout, forward and back; 7 images, so that shares differ in size."""
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.4), nn.Conv2d(8, 1, 3))
    images = torch.randn(7, 3, 9, 9) * 3 + 5
    parallel = processes.parallel(layers)
    torch.manual_seed(2)
    with WholeBatch(processes, len(images)):
        out = parallel(images[processes.share(len(images))])
    (out.square().mean((1, 2, 3)).sum() * processes.count / len(images)).backward()
    gradients = {name: parameter.grad for name, parameter in layers.named_parameters() if parameter.grad is not None}
    return {
        "out": torch.from_numpy(np.concatenate(processes.gather(out.detach().numpy()))),
        "mean": layers[1].running_mean,
        "variance": layers[1].running_var,
        **gradients,
    }


def fine_tuning(processes: Processes, folder: Path) -> dict[str, Tensor]:
    """The whole network, every distortion on."""
    recipe = small_recipe(learning_rate=1e-4)
    torch.manual_seed(0)
    network = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=recipe.hidden, input_size=64)
    pixels = np.stack([np.asarray(photo(row).resize((72, 72))) for row in range(COUNT)])
    images = TrainingImages(pixels, np.arange(COUNT), TARGETS, np.where(TARGETS == 1, 0, 1), np.ones(COUNT))
    checkpoint = folder / "checkpoint.safetensors"
    with patch.object(fine_tuning_module, "save_checkpoint", _save_slowly):
        history = fine_tune(network, images, recipe, device=CPU, checkpoint=checkpoint, quiet=True, processes=processes)
    ended = processes.gather(len(read_checkpoint(checkpoint).history) == recipe.epochs)
    facts = torch.tensor([[row["train_loss"], row["train_auc"]] for row in history], dtype=torch.float64)
    return {"history": facts, "all find the last checkpoint": torch.tensor(float(all(ended))), **network.state_dict()}


def _save_slowly(path: Path, state: Checkpoint) -> None:
    time.sleep(1)
    save_checkpoint(path, state)


def head_on_images(processes: Processes, folder: Path) -> dict[str, Tensor]:
    """The paper's head on images that go through the frozen backbone afresh; the last batch has a single one."""
    paths = []
    for row in range(COUNT):
        paths.append(str(folder / f"{processes.index}-{row}.png"))
        photo(row).save(paths[-1])
    torch.manual_seed(0)
    network = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=16, input_size=64)
    network.freeze_backbone()
    recipe = replace(load_recipe("paper"), batch_size=11, epochs=2, amp=False)
    batches = ImageBatches(paths, TARGETS, network.input_spec, Augmentation(True, True, 20), 11, 0, 2, processes)
    fitted = fit(network, batches, batches, recipe, device=CPU, quiet=True, processes=processes)
    return _fitted(network, fitted.history, predict(network, batches, CPU, processes))


def head_on_features(processes: Processes, folder: Path) -> dict[str, Tensor]:
    """The same head on features."""
    random = np.random.default_rng(0)
    views = (random.normal(size=(COUNT, 3, 20)) + TARGETS[:, None, None]).astype(np.float32)
    torch.manual_seed(0)
    head = nn.Sequential(nn.Dropout(0.4), nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
    recipe = replace(load_recipe("paper"), batch_size=11, epochs=3, amp=False)
    batches = FeatureBatches(views, np.arange(COUNT), TARGETS, 11, 0, processes)
    fitted = fit(head, batches, batches, recipe, device=CPU, quiet=True, processes=processes)
    return _fitted(head, fitted.history, predict(head, batches, CPU, processes))


def _fitted(module: nn.Module, history: list[dict[str, float]], logits: np.ndarray) -> dict[str, Tensor]:
    losses = torch.tensor([row["train_loss"] for row in history], dtype=torch.float64)
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    return {"losses": losses, "logits": torch.from_numpy(logits), **trained}


def photo(row: int) -> Image.Image:
    return lesion(row, dark=bool(TARGETS[row]), size=(80, 64))


JOBS = {job.__name__: job for job in (norm_and_dropout, fine_tuning, head_on_images, head_on_features)}


def main() -> None:
    folder, processes = Path(sys.argv[1]), launched()
    torch.set_num_threads(1)
    for name, job in JOBS.items():
        found = job(processes, folder)
        if processes.main:
            save_file({key: value.detach().clone().contiguous() for key, value in found.items()}, folder / name)


if __name__ == "__main__":
    main()
