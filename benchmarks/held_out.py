"""The shipped model's held-out scores, beside the photos that they are of."""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.measure import ROOT
from isic_screen.data.tables import read_sources


def rows_given(purpose: str | None) -> pd.DataFrame:
    """The rows of the folders that the command's `--data` names, with `logit`, `camera` and `fold` as
    assets/held_out/shipped.csv.gz has them.

    `purpose` is what `--help` says. Raises pandas' MergeError, a ValueError, when an image has two scores.
    """
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, type=Path, metavar="DIR", help="repeat for several")
    rows = read_sources(parser.parse_args().data).rows
    scores = pd.read_csv(ROOT / "assets" / "held_out" / "shipped.csv.gz", dtype={"image_id": str})
    return rows.merge(scores, on=["source", "image_id"], validate="one_to_one")
