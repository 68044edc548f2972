"""A few chips that tell most, chosen by their labels alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset


def telling_chips(dataset: Dataset, count: int) -> list[str]:
    """Return ids of chips whose rarest class is largest, one a cluster, regions taking turns.

    No score and no chance decides, so it is the same choice every time.
    """
    table = dataset.chips
    counts = table[[f"count_{k}" for k in range(dataset.num_classes)]].to_numpy(float)
    pixels = counts.sum(axis=1) + table["count_ignore"].to_numpy(float)
    worth = pd.Series(counts.min(axis=1) / np.maximum(pixels, 1), index=table.index)
    ranked = table.assign(worth=worth).sort_values("worth", ascending=False, kind="stable")
    ranked = ranked.drop_duplicates("cluster")
    turn = ranked.groupby("region").cumcount()
    order = ranked.assign(turn=turn).sort_values(["turn", "worth"], ascending=[True, False],
                                                 kind="stable")
    return [str(chip) for chip in order.index[:count]]
