"""A small margin engine, given as data, that is written in several ways and compared: a crowd in two markets.

In a block the marks take their new prices; whoever wakes trades to the size it wants, at the mark, against
one big house, for a taker fee, if its margin allows it; then whoever is below maintenance is closed at the
mark against the house, in ascending order of account, and the insurance fund pays what deficit it can. All
numbers are integers, as in `protocol/`, so that every way of writing it must end in the same micro-USD.
"""

from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from venue import parameters

from agents.retail import RetailSettings
from agents.retail_traits import Traits, draw_traits
from agents.role import Stream
from protocol.arithmetic import MICRO, PPM
from protocol.book import INSURANCE, VAULT, Floats, Ints, first_trader
from protocol.parameters import RiskParameters
from sim.streams import stream

MARKETS = ("BTC", "ETH")
OPENING = np.array([6 * MICRO, 3 * MICRO])  # 1e-4 BTC and 1e-3 ETH, the lots
FIRST = first_trader(len(MARKETS))
MEAN_EQUITY = 5_000 * MICRO
BLOCK_SECONDS, DAY = 60.0, 86_400.0


class Recipe(NamedTuple):
    """How to draw a crowd.

    Attributes
    ----------
    accounts, blocks : int
    sigma : float
        Standard deviation of a block's log return [1].
    seed : int
    attention : float
        Decisions of an account [1/day].
    past : float
        Standard deviation of the log return since a position was opened [1].
    fund : float
        The insurance fund, over the equity of everybody [1].
    """

    accounts: int
    blocks: int
    sigma: float = 5e-4
    seed: int = 1
    attention: float = 4.0
    past: float = 0.05
    fund: float = 1e-5


class Decisions(NamedTuple):
    """Who wakes and what it wants; the decisions of block t are rows `first[t]` to `first[t + 1]`.

    Attributes
    ----------
    first : (blocks + 1,) int64
    account, market, wanted : (k,) int64
        `wanted` is a signed size [lots]; accounts ascend within a block.
    """

    first: Ints
    account: Ints
    market: Ints
    wanted: Ints


class Crowd(NamedTuple):
    """The world before its first block, and all that will come from outside.

    Attributes
    ----------
    cash : (n,) int64
        Of every account of the venue, its own first, as in `Book` [micro-USD].
    size : (2, n) int64
        [lots]
    opening : (2,) int64
        Marks before the first block [micro-USD per lot].
    price : (blocks, 2) int64
        Marks of each block [micro-USD per lot].
    decisions : Decisions
    parameters : RiskParameters
        Flat rates.
    """

    cash: Ints
    size: Ints
    opening: Ints
    price: Ints
    decisions: Decisions
    parameters: RiskParameters


class Outcome(NamedTuple):
    """What has happened.

    Attributes
    ----------
    liquidations : list of tuple
        (block, account, market, lots that were closed, equity before [micro-USD]), in their order.
    cash : (n,) int64
        Of every account [micro-USD].
    """

    liquidations: list[tuple[int, int, int, int, int]]
    cash: Ints


class Engine(Protocol):
    """One way to write the margin engine.

    Attributes
    ----------
    block : int
        How many have passed.
    """

    block: int

    def run(self, blocks: int) -> None:
        """Advance by so many blocks."""

    def outcome(self) -> Outcome:
        """What has happened."""


def draw_crowd(recipe: Recipe) -> Crowd:
    """Accounts with the sizes and leverages of retail traders, a random walk, and random decisions."""
    rules = parameters(len(MARKETS), taker_fee=500)
    draw = partial(stream, recipe.seed, "crowd")
    traits = draw_traits(RetailSettings(), draw, "retail", recipe.accounts, MARKETS)
    cash, size = open_positions(recipe, traits, rules, draw)
    price, decisions = walk(recipe, draw("prices")), decide(recipe, traits, rules, draw("decisions"))
    return Crowd(cash, size, OPENING, price, decisions, rules)


def full_notional(traits: Traits, rules: RiskParameters) -> Floats:
    """What each account would hold at its own leverage, within the venue's with a tenth to spare, (k,)."""
    bound = 0.9 * PPM / rules.initial[traits.home]
    return MEAN_EQUITY * traits.weight * np.minimum(traits.leverage, bound)


def open_positions(recipe: Recipe, traits: Traits, rules: RiskParameters, draw: Stream) -> tuple[Ints, Ints]:
    """Cash and sizes of all accounts; positions have been held for a while, and none is below maintenance.

    The house is the counterparty of everybody, with as much equity as all positions together.
    """
    side, moved = draw("sides").random(recipe.accounts), draw("past").standard_normal(recipe.accounts)
    notional = np.where(side < RetailSettings().long_share, 1, -1) * full_notional(traits, rules)
    lots = np.rint(notional / OPENING[traits.home]).astype(np.int64)
    equity = np.rint(MEAN_EQUITY * traits.weight + notional * recipe.past * moved).astype(np.int64)
    worth = lots * OPENING[traits.home]
    required = np.abs(worth) * (rules.maintenance[traits.home] / PPM)
    keeps = traits.starts_with_position & (equity > required)
    size = np.zeros((len(MARKETS), FIRST + recipe.accounts), np.int64)
    size[traits.home, FIRST + np.arange(recipe.accounts)] = np.where(keeps, lots, 0)
    size[:, VAULT] = -size.sum(axis=1)
    cash = np.zeros(FIRST + recipe.accounts, np.int64)
    cash[FIRST:] = np.maximum(equity, MICRO)
    cash[VAULT], cash[INSURANCE] = np.abs(worth).sum(), round(recipe.fund * cash[FIRST:].sum())
    return cash - OPENING @ size, size


def walk(recipe: Recipe, rng: np.random.Generator) -> Ints:
    """Marks of each block, a random walk in logarithms, (blocks, 2)."""
    steps = recipe.sigma * rng.standard_normal((recipe.blocks, len(MARKETS)))
    return np.rint(OPENING * np.exp(np.cumsum(steps, axis=0))).astype(np.int64)


def decide(recipe: Recipe, traits: Traits, rules: RiskParameters, rng: np.random.Generator) -> Decisions:
    """Decisions at random moments: to be long or short by any part of the full size, or, at times, flat.

    Four in five are about the market in which the account began.
    """
    rate = recipe.attention * BLOCK_SECONDS / DAY
    count = rng.poisson(rate * recipe.accounts * recipe.blocks)
    moment = np.unique(rng.integers(recipe.accounts * recipe.blocks, size=count))
    block, who = np.divmod(moment, recipe.accounts)
    elsewhere, goes = rng.random((2, len(moment))) < np.array([[0.2], [0.8]])
    market = np.where(elsewhere, 1 - traits.home[who], traits.home[who])
    share = goes * rng.uniform(-1, 1, len(moment))
    wanted = np.rint(share * full_notional(traits, rules)[who] / OPENING[market]).astype(np.int64)
    return Decisions(np.searchsorted(block, np.arange(recipe.blocks + 1)), FIRST + who, market, wanted)
