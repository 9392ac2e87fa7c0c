"""How far a loss travels through a network of exposures before anybody is bankrupt: DebtRank.

References
----------
.. [1] Battiston, Puliga, Kaushik, Tasca and Caldarelli, "DebtRank: Too Central to Fail?", Scientific
   Reports 2 (2012) 541.
.. [2] Bardoscia, Battiston, Caccioli and Caldarelli, "DebtRank: A Microscopic Foundation for Shock
   Propagation", PLoS ONE 10 (2015) e0130406.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 10_000
LEAST = 1e-12


def leverage(exposures: Floats, equity: Floats) -> Floats:
    """Share of its equity that the row loses if the column is worth nothing, (n, n) [1].

    Who has nothing has nothing to lose: its row is 0.
    """
    scale = equity[:, None]
    return np.divide(exposures, scale, out=np.zeros_like(exposures), where=scale > 0)


def debt_rank(exposures: Floats, equity: Floats, shock: Floats) -> Floats:
    """Share of its equity that each has lost in the end, if everybody passes a loss on once.

    Parameters
    ----------
    exposures : (n, n) float64
        What the row loses if the column is worth nothing, ≥ 0 [USD].
    equity : (n,) float64
        ≥ 0 [USD].
    shock : (n,) float64
        Share of its equity that each loses at first, within 0 and 1.

    Returns
    -------
    (n,) float64
        Within `shock` and 1. A loss that comes back, by a circle or later than the first, is not passed on:
        no path is walked twice, and what goes round is underestimated.

    References
    ----------
    .. [1] Battiston et al. (2012), eqs. 1 and 2.
    """
    weight = np.minimum(leverage(exposures, equity), 1.0)
    loss = _checked(exposures, equity, shock)
    distressed, done = loss > 0, np.zeros(len(loss), np.bool_)
    while distressed.any():
        grown = np.minimum(loss + weight @ np.where(distressed, loss, 0.0), 1.0)
        done |= distressed
        distressed = (grown > 0) & ~done
        loss = grown
    return loss


def linear_debt_rank(exposures: Floats, equity: Floats, shock: Floats, rounds: int = ROUNDS) -> Floats:
    """Share of its equity that each has lost in the end, if every new loss is passed on until bankruptcy.

    Parameters and return as of `debt_rank`; never less than that.

    Raises
    ------
    ValueError
        If losses still grow after `rounds`.

    References
    ----------
    .. [1] Bardoscia et al. (2015), eq. 7.
    """
    weight = leverage(exposures, equity)
    before, loss = np.zeros(len(equity)), _checked(exposures, equity, shock)
    for _ in range(rounds):
        before, loss = loss, np.minimum(loss + weight @ (loss - before), 1.0)
        if (loss - before).max(initial=0.0) <= LEAST:
            return loss
    raise ValueError(f"losses must settle within {rounds} rounds, still growing by {(loss - before).max():g}")


def induced_loss(loss: Floats, shock: Floats, worth: Floats) -> float:
    """Share of all worth, (n,) [USD], that was lost beyond the shock: the DebtRank of who was shocked [1]."""
    total = float(worth.sum())
    return float((loss - shock) @ worth / total) if total > 0 else 0.0


def _checked(exposures: Floats, equity: Floats, shock: Floats) -> Floats:
    """The shock as floats, once the network makes sense."""
    least = min(float(exposures.min(initial=0.0)), float(equity.min(initial=0.0)))
    if least < 0:
        raise ValueError(f"exposures and equity must be at least 0, got {least:g}")
    if ((shock < 0) | (shock > 1)).any():
        raise ValueError(f"a shock must lie within 0 and 1, got {shock.tolist()}")
    return np.asarray(shock, dtype=np.float64)
