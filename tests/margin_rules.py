"""Margin rules of five kinds of venue, books to try them on, and what they ask for in fractions."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import LONG, SHORT, Book, exchange_position, open_book
from protocol.parameters import RiskParameters

WEIGHTS = {"weight_initial": integers(800_000, 0), "weight_maintenance": integers(900_000, 500_000)}
KINDS: dict[str, dict[str, Any]] = {
    "dydx": {
        "open_interest_lower": usd(1),
        "open_interest_upper": usd(1e9),
        "isolated": np.array([False, True]),
    },
    "hyperliquid": {
        "tier_floor": integers(usd(100), usd(5_000), usd(20), usd(300)).reshape(2, 2),
        "tier_initial": integers(25_000, 50_000, 100_000, 0).reshape(2, 2),
        "tier_maintenance": integers(12_500, 25_000, 50_000, 0).reshape(2, 2),
    },
    "drift": {
        **WEIGHTS,
        "initial": 50_000,
        "maintenance": 30_000,
        "root": np.array([41.5, 7.0]),
        "gain_weight": integers(PPM, 600_000),
        "fill_share": 500_000,
    },
    "synthetix": {
        **WEIGHTS,
        "slope_initial": np.array([3.2, 0.11]),
        "slope_maintenance": np.array([0.9, 0.03]),
        "position_margin": integers(usd(50), usd(3)),
        "reward_rate": 300,
        "reward_minimum": usd(1),
        "reward_maximum": usd(30),
    },
    "gmx": {
        "initial": 5_000,
        "maintenance": 5_000,
        "margin_floor": integers(usd(1), usd(2)),
        "open_interest_slope": np.array([6e-5, 2.5e-3]),
        "open_interest_cap": integers(usd(9e9), usd(4e8)),
        "gain_weight": integers(0, 0),
        "exit_fee": 600,
    },
}
VENUES = tuple(KINDS)


def vectors(name: str) -> Any:
    """A section of the table of worked margins."""
    text = (Path(__file__).parent / "reference" / "margin.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[name]


def margin_rules(kind: str, **changes: Any) -> RiskParameters:
    """The rules of one kind of venue for two markets."""
    return parameters(2, **(KINDS[kind] | changes))


def holding(cash: float, *positions: tuple[int, float]) -> Book:
    """ALICE with a deposit [USD] and positions (signed lots, entry price), one market each; BOB opposite."""
    opening = integers(*[usd(price) for _, price in positions])
    book = open_book(CAROL + 1, opening)
    for account, amount in ((ALICE, usd(cash)), (BOB, usd(1e9))):
        book.cash[account] = amount
        book.flows[0] += amount
    for market, (size, _) in enumerate(positions):
        if size:
            exchange_position(book, ALICE, BOB, market, size, size * int(opening[market]))
    return book


def pairs(low: int, high: int) -> st.SearchStrategy[list[int]]:
    """One integer for each market."""
    return st.lists(st.integers(low, high), min_size=2, max_size=2)


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Two markets and two traders with any cash, assets, positions, entries and funding behind them."""
    book = open_book(BOB + 1, integers(1, 1))
    book.mark[:], book.oracle[:] = draw(pairs(1, 10**9)), draw(pairs(1, 10**9))
    for side in (LONG, SHORT):
        book.funding[side] = draw(pairs(-(10**6), 10**6))
    for account in (ALICE, BOB):
        book.cash[account] = draw(st.integers(-(10**15), 10**15))
        book.own_initial[account] = draw(st.sampled_from([0, 0, 70_000, PPM]))
        book.collateral[:, account] = draw(pairs(0, 10**5))
        book.size[:, account] = draw(pairs(-(10**6), 10**6))
        book.funding_paid[:, account] = draw(pairs(-(10**6), 10**6))
        book.kept[:, account] = draw(st.sampled_from([[0, 0], [20_000, 0], [1, 300_000]]))
        book.entry[:, account] = np.where(book.size[:, account] != 0, draw(pairs(1, 10**9)), 0)
    book.open_interest[:] = np.maximum(book.size, 0).sum(axis=1)
    return book


def exact_root(value: int) -> Fraction:
    """Square root to fifty digits."""
    with localcontext() as context:
        context.prec = 50
        return Fraction(Decimal(value).sqrt())


def share(value: int, rate: int) -> int:
    """A rate [ppm] of an amount, rounded up."""
    return ceil(Fraction(value * rate, PPM))


def expected_rate(rules: RiskParameters, market: int, notional: int) -> int:
    """Initial rate at an open interest [ppm]."""
    slope = Fraction(float(rules.open_interest_slope[market]))
    rate = min(max(Fraction(int(rules.initial[market])), slope * notional / PPM), Fraction(PPM))
    lower, upper = int(rules.open_interest_lower[market]), int(rules.open_interest_upper[market])
    if upper:
        risen = Fraction(notional - lower, upper - lower)
        rate += (PPM - rate) * min(max(risen, Fraction(0)), Fraction(1))
    return floor(rate)


def expected_margin(
    rules: RiskParameters, market: int, lots: int, price: int, rate: int, kept: int = 0
) -> tuple[int, int]:
    """Initial and maintenance margin of a position, without own leverage, floor and additions."""
    hold = int(rules.maintenance[market])
    notional, root = lots * price, Fraction(float(rules.root[market])) * exact_root(lots)
    found = []
    for base, slope, tiers in (
        (rate, rules.slope_initial, rules.tier_initial),
        (min(hold, kept) if kept else hold, rules.slope_maintenance, rules.tier_maintenance),
    ):
        sized = max(Fraction(base), Fraction(4, 5) * base + root)
        needed = ceil(notional * (sized + Fraction(float(slope[market])) * lots) / PPM)
        for above, more in zip(rules.tier_floor[market].tolist(), tiers[market].tolist(), strict=True):
            needed += share(max(notional - above, 0), more)
        found.append(needed)
    return found[0], found[1]


def expected_position(book: Book, rules: RiskParameters, account: int, market: int) -> tuple[int, int]:
    """Initial and maintenance requirement of a position, what is withheld of its gain included."""
    size, mark = int(book.size[market, account]), int(book.mark[market])
    notional, least = abs(size) * mark, int(rules.margin_floor[market])
    rate = expected_rate(rules, market, int(book.open_interest[market]) * mark)
    kept = int(book.kept[market, account])
    margin = expected_margin(rules, market, abs(size), mark, rate, kept)
    added = int(rules.position_margin[market]) + share(notional, rules.exit_fee)
    own = share(notional, int(book.own_initial[account]))
    gain = max(size * (mark - Fraction(float(book.entry[market, account]))), Fraction(0))
    withheld = share(ceil(gain), PPM - int(rules.gain_weight[market]))
    return max(margin[0], own, least) + added + withheld, max(margin[1], least) + added


def expected_risk(book: Book, rules: RiskParameters, account: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement in unbounded integers and fractions."""
    equity, initial, maintenance, owed, total = int(book.cash[account]), 0, 0, 0, 0
    for market in range(len(book.mark)):
        value = int(book.collateral[market, account]) * int(book.oracle[market])
        counted = floor(Fraction(value * int(rules.weight_maintenance[market]), PPM))
        equity += counted
        initial += counted - floor(Fraction(value * int(rules.weight_initial[market]), PPM))
        size = int(book.size[market, account])
        if size != 0:
            needed = expected_position(book, rules, account, market)
            initial, maintenance = initial + needed[0], maintenance + needed[1]
            equity += size * int(book.mark[market])
            index = int(book.funding[LONG if size > 0 else SHORT, market])
            owed += size * (index - int(book.funding_paid[market, account]))
            total += abs(size) * int(book.mark[market])
    reward = max(total * rules.reward_rate // PPM, rules.reward_minimum) if total else 0
    reward = min(reward, rules.reward_maximum)
    return equity + -owed // 1000, initial + reward, maintenance + reward


def float_slip(book: Book, rules: RiskParameters, account: int) -> int:
    """How far a requirement may lie from the exact one where the rate is a float [micro-USD]."""
    notional = int((np.abs(book.size[:, account]) * book.mark).sum())
    if rules.open_interest_slope.any() or rules.open_interest_upper.any():
        return notional // PPM + 2
    return notional // 10**12 + 2 if rules.root.any() or rules.slope_initial.any() else 0
