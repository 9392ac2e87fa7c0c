"""What a shock in one market does to another, under cross and under isolated margin, on the same seeds."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.comparisons.difference import difference
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.paired import Pairs
from analysis.comparisons.statistic import parse_statistic
from analysis.tables import Run

FORCED = ["long_liquidated_usd", "short_liquidated_usd", "deleveraged_usd"]


def forced_share(run: Run, market: str) -> float:
    """What was liquidated or deleveraged of a market over its open interest at the first block's end [1]."""
    rows = run.market(market)
    return _over_interest(rows, float(rows[FORCED].to_numpy().sum()))


def fallen_share(run: Run, market: str) -> float:
    """Notional that fell below maintenance in a market over its open interest at the first block's end [1].

    Whoever falls anew after a recovery counts again. What a vault takes over is in it, and closed by nobody.
    """
    rows = run.more["failures"]
    rows = rows[rows["market"] == market]
    return _over_interest(run.market(market), float((rows["size"] * rows["mark"]).abs().sum()))


def _over_interest(rows: pd.DataFrame, usd: float) -> float:
    opened = float(rows["open_interest_usd"].iloc[0])
    return usd / opened if opened > 0 else 0.0


def spillover(
    pairs: Sequence[tuple[Run, Run]],
    shocked: str,
    drawing: Drawing | None = None,
    share: Callable[[Run, str], float] = forced_share,
) -> pd.DataFrame:
    """How much more of each market is closed by force in the second run of each pair than in the first.

    Give pairs of cross and isolated margin under one shock for the difference that margin makes, or of a calm
    and a shocked run under one rule for the spill-over itself.

    Parameters
    ----------
    pairs : sequence of (Run, Run)
        Of equal seed and markets each, at least two; seeds that differ between pairs.
    shocked : str
        The market in which the shock is.
    drawing : Drawing, optional
        Level and resamples of the intervals.
    share : callable
        Of a run and a market: `forced_share`, `fallen_share`, or another number.

    Returns
    -------
    DataFrame
        For each market: `shocked`, mean `first` and `second` shares of open interest,
        `difference` with `low` and `high`, `p` of a swap test, and number of `seeds`.

    Raises
    ------
    ValueError
        With fewer than two pairs, pairs of unequal seeds or markets, or an unknown market.
    """
    _check(pairs, shocked)
    drawing, mean = drawing or Drawing(), parse_statistic("mean")
    rows = []
    for market in pairs[0][0].names:
        shares = np.array([[share(run, market) for run in pair] for pair in pairs])
        found = difference(Pairs.of(shares[:, :1], shares[:, 1:]), mean, drawing)
        means, change = (found.baseline.value, found.alternative.value), found.absolute
        row = (market, market == shocked, *means, change.value, change.low, change.high, found.p, len(pairs))
        rows.append(row)
    columns = ["market", "shocked", "first", "second", "difference", "low", "high", "p", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _check(pairs: Sequence[tuple[Run, Run]], shocked: str) -> None:
    for first, second in pairs:
        if first.manifest["seed"] != second.manifest["seed"] or first.names != second.names:
            raise ValueError(
                "runs of a pair must have the same seed and markets, "
                f"got {first.manifest['seed']} {first.names} and {second.manifest['seed']} {second.names}"
            )
    seeds = [first.manifest["seed"] for first, _ in pairs]
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"pairs must be of at least two different seeds, got {seeds}")
    if shocked not in pairs[0][0].names:
        raise ValueError(f"the shocked market must be one of {pairs[0][0].names}, got {shocked!r}")
