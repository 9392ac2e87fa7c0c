"""The only maker of random generators: one stream per named decision."""

import hashlib
import json

import numpy as np


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """Generator of one named decision: adding a consumer shifts nobody else's numbers.

    Parameters
    ----------
    seed : int
        Seed of the run, not negative.
    name : str or int
        What is drawn, from the general to the particular, as in `("prices", "bridge")`.

    Returns
    -------
    numpy.random.Generator
        A Philox generator; equal seed and name give equal numbers on every machine.
    """
    if seed < 0:
        raise ValueError(f"seed >= 0 must hold, got seed={seed}")
    parts = [part if isinstance(part, str) else int(part) for part in name]
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy=seed, spawn_key=words)))
