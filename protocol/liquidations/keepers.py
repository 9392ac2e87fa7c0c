"""Which keeper executes a liquidation: an auction by priority fee for room in the block.

Keepers stand outside the venue. What they pay for gas and priority leaves no trace in the book; the
receipts are its only record.

References
----------
.. [1] Daian et al., "Flash Boys 2.0" (2019): priority gas auctions.
.. [2] MakerDAO, 12 March 2020: bots that would not bid at a high gas price, and auctions won at zero.
"""

from typing import NamedTuple

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, Mask, Rows

NOBODY = -1
WON, LOST, CROWDED_OUT, REVERTED = range(4)
RECEIPT_OUTCOMES = ("won", "lost", "crowded_out", "reverted")
RECEIPT = np.dtype([(name, np.int64) for name in ("round", "keeper", "account", "gas", "tip", "outcome")])


class Offers(NamedTuple):
    """The keepers who stand ready, one entry each, (n,).

    Attributes
    ----------
    account : int64
        Of the keeper on the venue.
    tolerance : float64
        Highest gas price at which the keeper still sends [micro-USD per unit of gas].
    slippage, capital_cost : int64
        What unloading a position and tying up capital cost [ppm of notional].
    ticket : int64
        A non-negative random number, drawn anew for each block.
    """

    account: Ints
    tolerance: Floats
    slippage: Ints
    capital_cost: Ints
    ticket: Ints


class AuctionRule(NamedTuple):
    """How keepers bid and what losing costs.

    Attributes
    ----------
    payment : {"first_price", "all_pay"}
        Whether losers pay nothing (private bundles), or the gas of a failed transaction and as much of
        their tip.
    blind : bool
        Sealed bids, or an open race, whose price the last rival to drop out sets.
    shading : int
        Part of its gain that a keeper keeps back from a bid [ppm]; on average, in a blind auction.
    failed_gas : int
        Gas of a failed transaction over that of a liquidation [ppm].
    gas : int
        Of a liquidation [units].
    space : int
        Transactions in a round, failed ones included.
    """

    payment: str = "first_price"
    blind: bool = False
    shading: int = 100_000
    failed_gas: int = 300_000
    gas: int = 500_000
    space: int = 50


class Jobs(NamedTuple):
    """Liquidations on offer.

    Attributes
    ----------
    account : (k,) int64
        To be liquidated.
    notional, reward : (k, n) int64
        What each keeper could take over, 0 for nothing, and what that would earn it [micro-USD].
    """

    account: Ints
    notional: Ints
    reward: Ints


class Award(NamedTuple):
    """Outcome of an auction.

    Attributes
    ----------
    winner : (k,) int64
        Place of each job's keeper among the offers, or NOBODY.
    order : (j,) int64
        Jobs that find room, in the order of execution.
    receipts : (i,) RECEIPT
        What keepers spent, the winners' first, in the order of execution.
    """

    winner: Ints
    order: Ints
    receipts: Rows


def lottery(tickets: Ints, accounts: Ints, draw: int) -> Floats:
    """A number in [0, 1) for each account and keeper, (k, n), that follows from tickets and round."""
    word = np.uint64
    mixed = tickets.astype(word)[None, :] * word(0x9E3779B97F4A7C15)
    mixed = mixed ^ (accounts.astype(word)[:, None] * word(0xC2B2AE3D27D4EB4F))
    mixed = mixed ^ (np.array(draw, word) * np.array([0x165667B19E3779F9], word))
    for shift in (33, 29, 32):
        mixed = (mixed ^ (mixed >> word(shift))) * word(0xFF51AFD7ED558CCD)
    chances: Floats = (mixed >> word(11)).astype(np.float64) / 2.0**53
    return chances


def keeper_values(jobs: Jobs, offers: Offers, rule: AuctionRule, gas_price: float) -> Floats:
    """What each job is worth to each keeper before any bid, (k, n) [micro-USD]; −∞ where it sends none.

    The reward, less slippage, cost of capital and gas. A keeper without the capital sends nothing, nor one
    whose tolerance the gas price has passed.
    """
    charge = (offers.slippage + offers.capital_cost)[None, :] / PPM
    value = jobs.reward - jobs.notional * charge - gas_price * rule.gas
    willing = (jobs.notional > 0) & (offers.tolerance >= gas_price)[None, :] & (value > 0.0)
    return np.where(willing, value, -np.inf)


def entrants(value: Floats, chance: Floats, rule: AuctionRule, gas_price: float) -> Floats:
    """Values of those who enter, (k, n) [micro-USD]; −∞ for the rest.

    Where losers pay, keepers enter in the order of what the job is worth to them, equal ones by lot, as long
    as it bears the gas of a failure for each who has entered before.
    """
    if rule.payment != "all_pay":
        return value
    place = np.argsort(np.lexsort((chance, -value), axis=1), axis=1)
    return np.where(value > place * failure_gas(rule, gas_price), value, -np.inf)


def failure_gas(rule: AuctionRule, gas_price: float) -> float:
    """What a failed transaction burns, its tip aside [micro-USD]."""
    return gas_price * rule.gas * rule.failed_gas / PPM


def bids(value: Floats, chance: Floats, rule: AuctionRule, gas_price: float) -> Floats:
    """Highest tip that each keeper would pay, (k, n) [micro-USD]; −∞ for none.

    In a blind auction it is what the keeper offers; in an open one it stops raising there. Where losers pay,
    a keeper sets aside what it will lose, in races against as many rivals, for each one that it wins.
    """
    shading = np.minimum(rule.shading / PPM * (2.0 * chance if rule.blind else 1.0), 1.0)
    failures = np.zeros((len(value), 1))
    if rule.payment == "all_pay":
        failures = np.maximum(np.isfinite(value).sum(axis=1, keepdims=True) - 1.0, 0.0)
    gain = value - failures * failure_gas(rule, gas_price)
    limit = np.maximum(gain, 0.0) * (1.0 - shading) / (1.0 + failures * rule.failed_gas / PPM)
    return np.where(np.isfinite(value), limit, -np.inf)


def tips(limits: Floats, rule: AuctionRule) -> Floats:
    """Tip that each keeper ends up offering, (k, n) [micro-USD]; −∞ for none.

    Blind: its bid. Open: nothing when it is alone; else the race stops where the second best gives up.
    """
    if rule.blind or limits.shape[1] == 0:
        return limits
    alone = np.isfinite(limits).sum(axis=1, keepdims=True) < 2
    second = np.sort(limits, axis=1)[:, -2:][:, :1] if limits.shape[1] > 1 else limits
    return np.where(np.isfinite(limits), np.where(alone, 0.0, np.minimum(limits, second)), -np.inf)


def hold_auction(jobs: Jobs, offers: Offers, rule: AuctionRule, gas_price: float, draw: int) -> Award:
    """Award each job to a keeper, and the room in the block to the jobs with the highest tips.

    Parameters
    ----------
    gas_price : float
        Base fee [micro-USD per unit of gas].
    draw : int
        A non-negative random number; ties fall by lot.

    Returns
    -------
    Award
    """
    chance = lottery(offers.ticket, jobs.account, draw)
    value = entrants(keeper_values(jobs, offers, rule, gas_price), chance, rule, gas_price)
    limits = bids(value, chance, rule, gas_price)
    offered, winner = tips(limits, rule), np.full(len(jobs.account), NOBODY)
    found = np.flatnonzero(np.isfinite(limits).any(axis=1))
    for job in found:
        winner[job] = np.lexsort((chance[job], limits[job]))[-1]
    paid = offered[found, winner[found]]
    used = np.isfinite(limits[found]).sum(axis=1) if rule.payment == "all_pay" else np.ones(len(found), int)
    ranking = np.lexsort((jobs.account[found], -paid))
    fits = np.cumsum(used[ranking]) <= rule.space
    order = found[ranking[fits]]
    return Award(winner, order, _receipts(jobs, offers, rule, (gas_price, offered, winner, order)))


def _receipts(
    jobs: Jobs, offers: Offers, rule: AuctionRule, result: tuple[float, Floats, Ints, Ints]
) -> Rows:
    """What each keeper spends: winners in the order of execution, then, if all pay, the losers."""
    gas_price, offered, winner, order = result
    sent = np.isfinite(offered)
    crowded = np.setdiff1d(np.flatnonzero(winner != NOBODY), order)
    lost: Mask = np.zeros_like(sent)
    if rule.payment == "all_pay":
        lost[order] = sent[order]
        lost[order, winner[order]] = False
    losers = np.argwhere(lost)
    job = np.concatenate([order, losers[:, 0], crowded])
    keeper = np.concatenate([winner[order], losers[:, 1], winner[crowded]])
    receipts = np.zeros(len(job), RECEIPT)
    receipts["keeper"], receipts["account"] = offers.account[keeper], jobs.account[job]
    parts = (len(order), len(losers), len(crowded))
    receipts["outcome"] = np.repeat([WON, LOST, CROWDED_OUT], parts)
    part = np.repeat([1.0, rule.failed_gas / PPM, 0.0], parts)
    receipts["gas"] = np.ceil(part * gas_price * rule.gas)
    receipts["tip"] = np.ceil(part * offered[job, keeper])
    return receipts


def revert(receipt: Rows, rule: AuctionRule) -> None:
    """Turn the receipt of a winner whose transaction failed in execution into that of a failure."""
    receipt["outcome"] = REVERTED
    for name in ("gas", "tip"):
        receipt[name] = -(-receipt[name] * rule.failed_gas // PPM)
