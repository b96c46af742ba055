"""How a fine-tuning run went: nothing is chosen by these curves, so they show training alone."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isic_screen.evaluation.figure_style import BLUE, INK, label_axes, new_figure, save, set_title


def fine_tuning_curves(history: pd.DataFrame) -> Figure:
    """Loss, AUC on the augmented training draws, and learning rate by epoch: the columns of `history.csv`."""
    figure, panels = new_figure(3, 1, width=5.6, height=6.4, heights=(3, 3, 1.3))
    epochs = history["epoch"].to_numpy()
    set_title(panels[0], "Fine-tuning", "On augmented training images; the averaged weights at the end are kept")
    lines = (("train_loss", "Loss", BLUE), ("train_auc", "AUC", BLUE), ("learning_rate", "Learning rate", INK))
    for axes, (column, label, colour) in zip(panels, lines, strict=True):
        axes.plot(epochs, history[column], color=colour, linewidth=2, marker="o", markersize=4)
        label_axes(axes, "Epoch" if axes is panels[-1] else "", label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    figure.align_ylabels()
    return figure


def save_fine_tuning_curves(history: pd.DataFrame, path: Path) -> None:
    """Draw the curves into a PNG."""
    save(fine_tuning_curves(history), path)
