"""What every role shares: the view it is given, the actions it returns, the Mesa agent it is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple

import mesa
import numpy as np

from protocol.book import VAULT, Book, Floats, Ints, Mask
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import NO_OFFERS
from protocol.margin import risks_of
from protocol.orders import NONE, Orders
from protocol.parameters import RiskParameters
from protocol.scan import accounts_risk
from protocol.venues.venue import Quotes

Stream = Callable[..., np.random.Generator]

DEPOSIT, WITHDRAW, BUY_SHARES, SELL_SHARES, DEPOSIT_ASSET = range(5)
GAS_PER_TRANSACTION = 300_000
OFTEN = 50.0
BELOW = np.frompyfunc(NormalDist().cdf, 1, 1)


def holdable(isolated: Mask, accounts: int) -> Mask:
    """Markets in which each of a role's accounts may hold a position, (m, k).

    Where positions stand alone in their accounts, `isolated`, (m,), the accounts take the markets in turn.
    """
    markets = np.arange(len(isolated))[:, None]
    return ~isolated[:, None] | (np.arange(accounts) % len(isolated) == markets)


@dataclass(frozen=True, eq=False)
class View:
    """What every agent sees at the same moment: public state, nothing that is hidden from a trader.

    Attributes
    ----------
    block : int
    time, seconds : float
        Since the start, and the length of the block [s].
    book : Book
        Balances, positions, oracle and mark; read only.
    parameters : RiskParameters
    quotes : Quotes
        Of the venue's book, before this block's orders.
    tick : (m,) int64
        Price increment [micro-USD per lot].
    funding_rate : (m,) float64
        Last funding rate, what longs pay in 8 hours [1].
    outside : (m,) float64
        Outside price [micro-USD per lot].
    volatility : (m,) float64
        Recent volatility of the outside price [1/√s].
    calm_volatility : (m,) float64
        What it is in ordinary times [1/√s].
    trend : (m,) float64
        Smoothed return of the outside price in units of its volatility [1].
    gas, gas_base : float
        Price of blockspace now and ordinarily [gwei].
    gas_price : float
        Price of blockspace now [micro-USD per unit of gas].
    withdrawn : float
        Share of liquidity that a shock has scared away [1].
    share_price : (m + 1,) float64
        What a share of the vault, and of each market's pool, is worth to who leaves [USD].
    rests : bool
        Whether the venue keeps orders that rest, as a book does and a pool does not.
    outside_size : (m, n) float64
        Positions held outside [lots].
    outside_cash : (n,) float64
        Cash held outside, from hedges and wallets [micro-USD].
    markets : tuple of str
        Names, in the order of the m columns.
    lot : (m,) float64
        Base units in a lot.
    oracle_age : (m,) float64
        Time since the oracle's price was observed [s].
    outside_depth : (m,) float64
        Resting within 1 % of the outside price on a side, outside [USD].
    sentiment : float
        Mood of the market, from -1 (panic) to 1 (euphoria) [1].
    chain : (c,) float64, optional
        Least price that gets into each of the chain blocks of this block [gwei]; None where gas has one
        price that is no threshold.
    bid_spread : float
        Standard deviation of the log of that price, as a sender misjudges it [1].
    """

    block: int
    time: float
    seconds: float
    book: Book
    parameters: RiskParameters
    quotes: Quotes
    tick: Ints
    funding_rate: Floats
    outside: Floats
    volatility: Floats
    calm_volatility: Floats
    trend: Floats
    gas: float
    gas_base: float
    gas_price: float
    withdrawn: float
    share_price: Floats
    rests: bool
    outside_size: Floats
    outside_cash: Floats
    markets: tuple[str, ...]
    lot: Floats
    oracle_age: Floats
    outside_depth: Floats
    sentiment: float = 0.0
    chain: Floats | None = None
    bid_spread: float = 1.0

    @cached_property
    def risk(self) -> Ints:
        """Equity, initial and maintenance requirement of every account, (3, n) [micro-USD].

        It looks at everybody; who wants to know about some asks `risk_of`.
        """
        return accounts_risk(self.book, self.parameters)

    def risk_of(self, accounts: Ints) -> Ints:
        """Equity, initial and maintenance requirement of some accounts, (3, k) [micro-USD]."""
        return risks_of(self.book, self.parameters, accounts)

    @cached_property
    def mid(self) -> Floats:
        """Middle of the venue's book, (m,) [micro-USD per lot]; the outside price where a side is empty."""
        bid, ask = self.quotes.bid, self.quotes.ask
        return np.where((bid > 0) & (ask > 0), (bid + ask) / 2, self.outside)

    def outside_worth(self, accounts: Ints) -> Floats:
        """Cash and positions outside of some accounts, (k,) [micro-USD]."""
        return self.outside_cash[accounts] + self.outside @ self.outside_size[:, accounts]

    def holdable(self, accounts: Ints) -> Mask:
        """Markets in which each account of a role may hold a position, (m, k)."""
        return holdable(self.parameters.isolated, len(accounts))

    def inclusion(self, tolerance: float | Floats) -> Floats:
        """Probability that a transaction gets in, for a sender who bids up to `tolerance` times base gas."""
        wanted = np.asarray(tolerance, dtype=np.float64) * self.gas_base
        if self.chain is None:
            return np.minimum(1.0, wanted / self.gas)
        lack = np.log(self.chain / wanted[..., None]) / self.bid_spread
        missed: Floats = np.asarray(BELOW(lack), dtype=np.float64)
        return 1.0 - missed.prod(axis=-1)

    def transaction_cost(self) -> float:
        """Cost of one transaction [micro-USD]."""
        return GAS_PER_TRANSACTION * self.gas_price


class Transfers(NamedTuple):
    """Cash moves, each (k,).

    Attributes
    ----------
    account, amount, kind : int64
        Who, how much (micro-USD; shares to sell; lots of an asset), which of the five kinds.
    target : int64
        Account of the vault or pool whose shares are bought or sold, or market of an asset.
    """

    account: Ints
    amount: Ints
    kind: Ints
    target: Ints


class Hedges(NamedTuple):
    """Trades outside: who, where, signed lots; each (k,)."""

    account: Ints
    market: Ints
    lots: Floats


NOBODY = np.empty(0, np.int64)
NO_TRANSFERS = Transfers(NOBODY, NOBODY, NOBODY, NOBODY)
NO_HEDGES = Hedges(NOBODY, NOBODY, np.empty(0))


class Actions(NamedTuple):
    """What a role wants to happen in this block.

    Attributes
    ----------
    orders : Orders
    leaving : (k,) int64
        Accounts that withdraw all their resting orders first.
    transfers : Transfers
        Executed after trading and liquidations.
    hedges : Hedges
        Executed outside, before the next block.
    senders : (j,) int64
        Accounts that pay for one transaction each.
    offers : Offers
        Keepers who stand ready to liquidate in this block.
    """

    orders: Orders = NONE
    leaving: Ints = NOBODY
    transfers: Transfers = NO_TRANSFERS
    hedges: Hedges = NO_HEDGES
    senders: Ints = NOBODY
    offers: Offers = NO_OFFERS


class Endowment(NamedTuple):
    """What a role brings at the start, for its k accounts.

    Attributes
    ----------
    cash : (k,) int64
        Deposited on the venue [micro-USD].
    wallet : (k,) float64
        Kept outside [micro-USD].
    size : (m, k) int64
        Positions held from the start [lots], entered at the opening price.
    assets : (m, k) int64, optional
        Units of each market's base asset deposited as collateral [lots].
    own_initial : (k,) int64, optional
        Initial margin that an account asks the venue to hold it to [ppm]; 0 for the market's.
    outside : (m, k) array, optional
        Positions held outside from the start, brought along beside the wallet [lots].
    """

    cash: Ints
    wallet: Floats
    size: Ints
    assets: Ints | None = None
    own_initial: Ints | None = None
    outside: Ints | None = None


def transfers(account: Ints, amount: Ints, kind: int, target: int | Ints = VAULT) -> Transfers:
    """Cash moves of one kind; amounts that are not positive are dropped."""
    wanted = amount > 0
    if not wanted.any():
        return NO_TRANSFERS
    kinds = np.full(wanted.sum(), kind, np.int64)
    targets = np.broadcast_to(target, len(wanted))[wanted].astype(np.int64)
    return Transfers(account[wanted], amount[wanted].astype(np.int64), kinds, targets)


def merge_transfers(*parts: Transfers) -> Transfers:
    """All cash moves in the order given."""
    filled = [part for part in parts if len(part.account)]
    if len(filled) < 2:
        return filled[0] if filled else NO_TRANSFERS
    return Transfers(*(np.concatenate(columns) for columns in zip(*filled, strict=True)))


def hedge_toward(view: View, accounts: Ints, target: Floats, share: float, band: Floats) -> Hedges:
    """Trades that bring outside positions a `share` of the way to `target`.

    Parameters
    ----------
    target : (m, k) float64
        Desired outside positions [lots].
    band : (m, 1) or (m, k) float64
        Gaps up to this are left alone [lots].
    """
    gap = target - view.outside_size[:, accounts]
    market, index = np.nonzero(np.abs(gap) > band)
    return Hedges(accounts[index], market.astype(np.int64), share * gap[market, index])


class Role(mesa.Agent):  # type: ignore[misc]
    """A Mesa agent that owns a slice of the venue's accounts.

    Parameters
    ----------
    model : mesa.Model
    accounts : (k,) int64
        Its accounts on the venue.
    stream : callable
        `stream(*name)` makes the generator of one named decision.
    """

    name = "role"

    def __init__(self, model: mesa.Model, accounts: Ints, stream: Stream) -> None:
        super().__init__(model)
        self.accounts = accounts
        self.stream = stream

    def draw(self, decision: str, block: int) -> np.random.Generator:
        """The generator of one decision in one block: nobody else's draws can shift it."""
        return self.stream(self.name, decision, block)

    def awake(self, view: View, rate: float, decision: str = "wake", among: Mask | None = None) -> Ints:
        """Positions, within the slice, of the accounts that decide something in this block.

        Parameters
        ----------
        rate : float
            Decisions of one account in a second [1/s]; who would decide often in a block is awake, once.
        among : (k,) bool, optional
            Whose decisions matter; everybody's by default. Others wake too, and are not told.
        """
        generator = self.draw(decision, view.block)
        alarms = generator.poisson(min(rate * view.seconds, OFTEN) * len(self.accounts))
        if not alarms:
            return NOBODY
        woken = generator.integers(0, max(len(self.accounts), 1), alarms)
        return np.unique(woken if among is None else woken[among[woken]])

    def act(self, view: View) -> Actions:
        """Decide on this block."""
        raise NotImplementedError
