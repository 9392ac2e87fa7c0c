"""What everybody pays when nobody can pay more than they have: clearing vectors of a network of debts.

References
----------
.. [1] Eisenberg and Noe, "Systemic Risk in Financial Systems", Management Science 47 (2001) 236–249.
.. [2] Rogers and Veraart, "Failure and Rescue in an Interbank Network", Management Science 59 (2013) 882–898.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SLACK = 1e-12


@dataclass(frozen=True)
class Clearing:
    """What a network of debts pays.

    Attributes
    ----------
    owed, paid : (n,) float64
        What each owes, and pays, in all [USD].
    defaulted : (n,) bool
        Who cannot pay in full.
    wave : (n,) int64
        Round in which each was found in default, from 0 for those who fail while all others pay in full;
        −1 for those who pay.
    equity : (n,) float64
        What each has left [USD]; 0 for those in default, whose creditors get everything that costs leave.
    """

    owed: Floats
    paid: Floats
    defaulted: Mask
    wave: NDArray[np.int64]
    equity: Floats

    @property
    def shortfall(self) -> float:
        """What creditors do not get [USD]."""
        return float((self.owed - self.paid).sum())


def clear(
    liabilities: Floats,
    assets: Floats,
    outside: Floats | None = None,
    recovery: tuple[float, float] = (1.0, 1.0),
) -> Clearing:
    """The greatest clearing vector: limited liability, debts before equity, creditors alike by what is owed.

    The algorithm of fictitious defaults: all pay in full at first; whoever then cannot is in default, and
    pays what the others in default let it pay; that goes on until nobody new fails, in at most n rounds. The
    system of a round has one solution: those who owe to each other alone never all fail, for what the others
    of them pay comes back.

    Parameters
    ----------
    liabilities : (n, n) float64
        What the row owes the column, ≥ 0 [USD]; nothing to itself.
    assets : (n,) float64
        What each has from outside the network, ≥ 0 [USD].
    outside : (n,) float64, optional
        What each owes outside the network, of equal rank, ≥ 0 [USD].
    recovery : tuple of float
        Shares that are left of the assets, and of the claims on others, of whoever defaults [1]; (1, 1) as
        in [1]_, less as in [2]_.

    Raises
    ------
    ValueError
        If a number is negative, or a share above 1.
    """
    beyond = np.zeros(len(assets)) if outside is None else outside
    _check(liabilities, assets, beyond, recovery)
    owed = liabilities.sum(axis=1) + beyond
    shares = np.divide(liabilities, owed[:, None], out=np.zeros_like(liabilities), where=owed[:, None] > 0)
    wave = np.full(len(owed), -1)
    paid = owed.copy()
    for number in range(len(owed) + 1):
        value = assets + paid @ shares
        failing = (value < owed - SLACK * np.maximum(owed, 1.0)) & (wave < 0)
        if not failing.any():
            break
        wave[failing] = number
        paid = _paid(shares, assets, owed, wave >= 0, recovery)
    defaulted = wave >= 0
    equity = np.where(defaulted, 0.0, np.maximum(assets + paid @ shares - owed, 0.0))
    return Clearing(owed, paid, defaulted, wave, equity)


def _paid(
    shares: Floats, assets: Floats, owed: Floats, defaulted: Mask, recovery: tuple[float, float]
) -> Floats:
    """What everybody pays if `defaulted` pay all that they have and the others all that they owe, (n,)."""
    paid = np.where(defaulted, 0.0, owed)
    own = recovery[0] * assets[defaulted] + recovery[1] * (paid @ shares)[defaulted]
    among = shares[np.ix_(defaulted, defaulted)].T
    paid[defaulted] = np.linalg.solve(np.eye(len(own)) - recovery[1] * among, own)
    return paid


def _check(liabilities: Floats, assets: Floats, beyond: Floats, recovery: tuple[float, float]) -> None:
    least = min(float(each.min(initial=0.0)) for each in (liabilities, assets, beyond))
    if least < 0:
        raise ValueError(f"debts and assets must be at least 0, got {least:g}")
    if np.diagonal(liabilities).any():
        raise ValueError(f"nobody owes to themselves, got {np.diagonal(liabilities).tolist()}")
    if not all(0 <= share <= 1 for share in recovery):
        raise ValueError(f"shares left in a default must lie within 0 and 1, got {recovery}")
