"""What margins, haircuts and caps should be, from a law of losses and the state of the market.

Maintenance margin pays for a liquidation that comes late: the expected shortfall over its horizon, its
slippage, its fee, and how far the oracle may lag. Initial margin adds the value at risk while a trader tops
up.
"""

from typing import NamedTuple

import numpy as np

from agents.engine.settings import TargetSettings
from protocol.book import Floats

PARTS = ("calm_loss", "regime", "top_up", "slippage", "fee", "deviation", "bonus", "scale")
LEAST_MARGIN, MOST_MARGIN, LEAST_GAP = 1e-4, 1.0, 1e-3


class Outlook(NamedTuple):
    """Losses that a law expects of a market [log return].

    Attributes
    ----------
    shortfall : float
        Expected shortfall over the liquidation horizon, the worse side.
    top_up : float
        Value at risk while a trader tops up, the worse side.
    fall : float
        Value at risk of a fall over the liquidation horizon.
    """

    shortfall: float
    top_up: float
    fall: float


class Outlooks(NamedTuple):
    """What a law expects now, in the calmest regime, through the cycle, and in the wildest regime."""

    now: Outlook
    calm: Outlook
    cycle: Outlook
    stressed: Outlook


class Costs(NamedTuple):
    """What a liquidation costs beside the move of the price [1].

    Attributes
    ----------
    slippage, fee, deviation, bonus : float
        Of the sale, to the fund, of the oracle from the market, and the discount to buyers of collateral.
    """

    slippage: float
    fee: float
    deviation: float
    bonus: float


def slippage(settings: TargetSettings, open_interest: float, depth: float) -> float:
    """What selling a share of open interest moves the price by [1].

    Parameters
    ----------
    open_interest, depth : float
        Notional of one side, and what rests within 1 % of the price [USD]; the book is taken as flat.
    """
    return min(0.01 * settings.sold * open_interest / max(depth, 1.0), settings.slippage_most)


def parts(settings: TargetSettings, parameter: str, outlook: Outlook, calm: Outlook, costs: Costs) -> Floats:
    """What a target is made of: one number for each of `PARTS`, (8,), whose sum it is.

    Parameters
    ----------
    parameter : str
        `maintenance` or `initial`; `weight_maintenance` or `weight_initial`, of which it is the haircut.
    """
    collateral, first = parameter.startswith("weight"), parameter.endswith("initial")
    loss, still = (outlook.fall, calm.fall) if collateral else (outlook.shortfall, calm.shortfall)
    found = np.zeros(len(PARTS))
    found[0], found[1] = still, loss - still
    found[2] = outlook.top_up if first else 0.0
    found[3:6] = costs.slippage, costs.fee, costs.deviation
    found[6] = costs.bonus if collateral else 0.0
    bound = 1.0 if collateral else MOST_MARGIN
    wanted = found.sum() if collateral else settings.scale * found.sum()
    found[7] = min(max(wanted, LEAST_MARGIN), bound) - found.sum()
    return found


def open_interest_cap(settings: TargetSettings, maintenance: float, depth: float) -> float:
    """Open interest of which a share can be sold within the maintenance margin [USD].

    Parameters
    ----------
    maintenance : float
        [1]
    depth : float
        Resting within 1 % [USD]; the book is taken as flat beyond.
    """
    return maintenance * 100 * max(depth, 1.0) / settings.dumped


def largest_weight(bonus: float) -> float:
    """Above this a weight of collateral would not leave room for the bonus: weight · (1 + bonus) < 1."""
    return (1 - LEAST_GAP) / (1 + bonus)


def risk_weight(outlook: Outlook, reference: Outlook) -> float:
    """Expected shortfall over that through the cycle [1]."""
    return outlook.shortfall / reference.shortfall
