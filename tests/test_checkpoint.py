from pathlib import Path

import pytest
import torch

from isic_screen.errors import TrainingError
from isic_screen.network import Head
from isic_screen.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


@pytest.fixture
def state() -> Checkpoint:
    """The state after one real step, so that the optimizer has something to remember."""
    torch.manual_seed(0)
    head = Head(8, 4)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    head(torch.randn(5, 8)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max")
    scheduler.step(0.7)
    return Checkpoint(
        fingerprint="this run",
        history=[{"epoch": 1, "validation_auc": 0.7}],
        best_epoch=1,
        module=head.state_dict(),
        best=head.state_dict(),
        optimizer=optimizer.state_dict(),
        scheduler=scheduler.state_dict(),
        scaler={},
    )


def test_everything_comes_back(state, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state)
    loaded = load_checkpoint(path, "this run")
    assert (loaded.history, loaded.best_epoch) == (state.history, state.best_epoch)
    assert loaded.scheduler == state.scheduler
    assert loaded.optimizer["param_groups"] == [
        {**group, "betas": list(group["betas"])} for group in state.optimizer["param_groups"]
    ]
    for name, tensor in state.module.items():
        assert torch.equal(loaded.module[name], tensor)
        assert torch.equal(loaded.best[name], tensor)
    for parameter, slots in state.optimizer["state"].items():
        for slot, tensor in slots.items():
            assert torch.equal(loaded.optimizer["state"][parameter][slot], tensor)


def test_another_runs_checkpoint_is_refused(state, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state)
    with pytest.raises(TrainingError, match="another recipe or other data"):
        load_checkpoint(path, "that run")


@pytest.mark.parametrize("keep", [0, 7, 0.5, -1])
def test_a_damaged_checkpoint_is_refused(state, tmp_path, keep):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)] if isinstance(keep, float) else whole[:keep])
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        load_checkpoint(path, "this run")


def test_a_full_disk_leaves_the_last_checkpoint_whole(state, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state)

    def disk_full(file, content):
        file.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, state)
    assert load_checkpoint(path, "this run").best_epoch == 1
    assert list(tmp_path.iterdir()) == [path]
