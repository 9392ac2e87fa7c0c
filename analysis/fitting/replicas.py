"""Simulated twins of a sample: the same length, the same gaps, the same statistics."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.fitting.samples import Samples, horizon_returns
from analysis.return_statistics import return_statistics
from sim.configuration import ClockSettings
from sim.prices.paths import fundamental_paths
from sim.prices.settings import PriceSettings

Floats = NDArray[np.float64]
Report = Callable[[str, int, int], None]

LOW, HIGH = 0.025, 0.975


def real_statistics(samples: Samples) -> dict[str, float]:
    """Statistics of the data, by name."""
    closes = [sample.closes for sample in samples.by_length]
    return return_statistics(horizon_returns(samples, closes), samples.markets)


def replica_statistics(settings: PriceSettings, samples: Samples, seed: int) -> dict[str, float]:
    """Statistics of one simulated path, by name."""
    return return_statistics(horizon_returns(samples, _closes(settings, samples, seed)), samples.markets)


def _closes(settings: PriceSettings, samples: Samples, seed: int) -> list[Floats]:
    """Simulated closes in place of those of each sample, with its gaps."""
    finest = samples.by_length[0].seconds
    counts = [len(each.closes) * (each.seconds // finest) for each in samples.by_length]
    clock = ClockSettings.model_validate(
        {
            "start": datetime(2020, 1, 1, tzinfo=UTC),
            "duration": f"{max(counts) * finest}s",
            "block": f"{finest}s",
        }
    )
    path = fundamental_paths(settings, clock, samples.markets, seed).price
    found = []
    for each, count in zip(samples.by_length, counts, strict=True):
        closes = path[1 : count + 1][each.seconds // finest - 1 :: each.seconds // finest]
        found.append(np.where(np.isnan(each.closes), np.nan, closes))
    return found


def simulated(settings: PriceSettings, samples: Samples, seeds: range, report: Report) -> pd.DataFrame:
    """Statistics of replicas, a row for each seed."""

    def rows() -> Iterator[dict[str, float]]:
        for index, seed in enumerate(seeds):
            yield replica_statistics(settings, samples, seed)
            report("replicas", index + 1, len(seeds))

    return pd.DataFrame(rows())


def goodness(real: dict[str, float], replicas: pd.DataFrame) -> pd.DataFrame:
    """Where each real statistic lies among those of replicas.

    Returns
    -------
    DataFrame
        `statistic`, `real`, `median`, `low` and `high` (2.5 and 97.5 % of the replicas), and `inside`.
        Statistics that the data or a replica cannot give are left out.
    """
    names = [name for name in real if np.isfinite(real[name]) and np.isfinite(replicas[name]).all()]
    frame = pd.DataFrame({"statistic": names, "real": [real[name] for name in names]})
    frame["median"] = replicas[names].median().to_numpy()
    frame["low"] = replicas[names].quantile(LOW).to_numpy()
    frame["high"] = replicas[names].quantile(HIGH).to_numpy()
    frame["inside"] = (frame["low"] <= frame["real"]) & (frame["real"] <= frame["high"])
    return frame
