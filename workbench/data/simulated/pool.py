"""Unlabelled simulated scenes of other places, for pre-training."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.data.simulated.generate import VERSION
from workbench.data.simulated.parallel import each, num_processors, serve
from workbench.data.simulated.regions import random_profile
from workbench.data.simulated.scene import simulate_scene
from workbench.storage import atomic_file, cache_dir

SIDE = 256
"""Side of a pool's scenes in pixels."""

# Keeps these draws apart from those of the labelled dataset, whatever its seed.
_STREAM = 0x504F4F4C


def pool_scene(seed: int, index: int, *, side: int = SIDE) -> np.ndarray:
    """Simulate one scene of a random place; int16 ``(6, side, side)`` as in `SimulatedScene`."""
    profile = random_profile(np.random.default_rng([_STREAM, seed, index, 0]))
    entropy = np.random.SeedSequence([_STREAM, seed, index, 1])
    return simulate_scene(profile, seed=entropy, shape=(side, side)).image


def open_pool(
    num_scenes: int,
    *,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Open a pool of scenes, generated the first time and then kept in the cache.

    Args:
        num_scenes: How many; each takes 0.8 MB.
        seed: Version, seed and number fix every value.
        workers: Processes; none takes every processor this process may use.
        progress: Called with the number of scenes done and in all.

    Returns:
        Read-only int16 ``(num_scenes, 6, 256, 256)``, mapped from the file.
    """
    path = cache_dir() / "simulated-scenes" / f"v{VERSION}-seed{seed}-{num_scenes}.npy"
    if not path.is_file():
        with atomic_file(path) as temporary:
            shape = (num_scenes, 6, SIDE, SIDE)
            np.lib.format.open_memmap(temporary, "w+", np.int16, shape)
            workers = num_processors() if workers is None else workers
            arguments = [str(temporary), str(seed)]
            for done, _ in enumerate(each(__name__, arguments, num_scenes, max(workers, 1)), 1):
                if progress is not None:
                    progress(done, num_scenes)
    return np.load(path, mmap_mode="r")


def _main(path: str, seed: str, first: str, step: str) -> None:
    pool = np.lib.format.open_memmap(Path(path), "r+")

    def work(index: int) -> int:
        pool[index] = pool_scene(int(seed), index)
        return index

    serve(work, len(pool), first, step)
    pool.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
