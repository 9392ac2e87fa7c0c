"""Auto-deleveraging: whom each rule calls, at what price, and who bears how much."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, equity, hold, integers, risk, set_price, usd, venue

from protocol.book import Rows, move_cash
from protocol.exchange import Exchange
from protocol.losses.deleveraging import (
    DELEVERAGE,
    PRICES,
    Deleveraging,
    Terms,
    bearable_lots,
    close_with,
    closing_prices,
    deleverage,
    fill_calls,
    uncovered,
)
from protocol.losses.ranking import ALLOTMENTS, QUEUES, opposite_holders
from sim.streams import stream

pytestmark = pytest.mark.kernel

OTHERS = (BOB, CAROL, DAVE)
RULES = QUEUES + ALLOTMENTS


def rows(section: str) -> list[dict[str, Any]]:
    """A table of the numbers taken from Hyperliquid."""
    text = (Path(__file__).parent / "reference" / "hyperliquid.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)[section]["rows"]
    return found


def broke(collateral: float = -500, side: int = 1, **settings: Any) -> Exchange:
    """ALICE holds 1,000 lots at 100 with `collateral`; BOB, CAROL and DAVE stand against her."""
    exchange = venue(collateral, 1e6, 1e6, 1e6, 1e6, **settings)
    for account, size in zip(OTHERS, (500, 300, 200), strict=True):
        hold(exchange, ALICE, account, side * size)
    return exchange


def close_alice(
    exchange: Exchange,
    rule: str = "queue",
    price: str = "bankruptcy",
    forced: bool = False,
    previous: float = 100,
    counterparties: int = 0,
    ticket: int = 0,
) -> Rows:
    """Deleverage ALICE; returns the fills."""
    chosen = Deleveraging(rule, price, forced, counterparties)
    marks = np.full(len(exchange.book.mark), usd(previous))
    return deleverage(exchange.book, exchange.parameters, ALICE, chosen, marks, ticket)


@pytest.mark.parametrize("rule", RULES)
def test_without_an_opposite_side_nobody_is_called(rule: str) -> None:
    exchange = venue(1e6)
    exchange.book.size[0, ALICE] = 5

    assert len(close_alice(exchange, rule)) == 0
    assert exchange.book.size[0, ALICE] == 5


def test_deleveraging_at_the_bankruptcy_price_leaves_nothing() -> None:
    exchange = broke(-500)
    fills = close_alice(exchange)

    assert fills["counterparty"].tolist() == [BOB, CAROL, DAVE]
    assert fills["size"].tolist() == [-500, -300, -200]
    assert fills["quote"].tolist() == [-usd(500 * 100.5), -usd(300 * 100.5), -usd(200 * 100.5)]
    assert fills["haircut"].tolist() == [usd(250), usd(150), usd(100)]
    assert not exchange.book.size.any()
    assert exchange.book.open_interest[0] == 0
    assert exchange.book.cash[ALICE] == 0
    assert [equity(exchange, account) for account in OTHERS] == [1e6 - 250, 1e6 - 150, 1e6 - 100]


def test_a_bankrupt_short_is_closed_below_the_mark() -> None:
    fills = close_alice(broke(-500, side=-1))

    assert fills["quote"].tolist() == [usd(500 * 99.5), usd(300 * 99.5), usd(200 * 99.5)]
    assert fills["haircut"].tolist() == [usd(250), usd(150), usd(100)]


@pytest.mark.parametrize("row", rows("previous_marks"), ids=lambda row: f"{row['side']}-{row['previous']}")
def test_at_the_previous_mark_the_account_ends_with_the_equity_it_had_there(row: dict[str, Any]) -> None:
    exchange = broke(0, row["side"])
    set_price(exchange, row["mark"])
    exchange.book.cash[ALICE] += usd(row["equity"]) - risk(exchange, ALICE)[0]
    fills = close_alice(exchange, "ranked", "previous_mark", forced=True, previous=row["previous"])

    assert fills["haircut"].sum() == usd(row["haircut"])
    assert risk(exchange, ALICE) == (usd(row["left"]), 0, 0)
    assert uncovered(exchange.book, exchange.parameters, integers(ALICE)) == max(-usd(row["left"]), 0)


@pytest.mark.parametrize("row", rows("previous_marks"), ids=lambda row: f"{row['side']}-{row['previous']}")
def test_at_the_crossing_nothing_is_left_that_the_previous_mark_would_have_given(row: dict[str, Any]) -> None:
    exchange = broke(0, row["side"])
    set_price(exchange, row["mark"])
    exchange.book.cash[ALICE] += usd(row["equity"]) - risk(exchange, ALICE)[0]
    fills = close_alice(exchange, "ranked", "crossing", forced=True, previous=row["previous"])

    assert risk(exchange, ALICE) == (usd(min(row["left"], 0)), 0, 0)
    assert fills["haircut"].sum() == usd(min(row["haircut"], 500))


@given(
    st.lists(st.integers(-1_000, 1_000).filter(bool), min_size=2, max_size=2),
    st.lists(st.integers(50, 150), min_size=2, max_size=2),
    st.integers(1, 10**9),
)
def test_the_crossing_lies_between_the_marks_and_covers_the_debt_to_the_micro(
    held: list[int], previous: list[int], deficit: int
) -> None:
    exchange = venue(0, 0, prices=(100, 100))
    for market, size in enumerate(held):
        hold(exchange, ALICE, BOB, size, market=market)
    exchange.book.cash[ALICE] -= deficit
    before = integers(*map(usd, previous))
    mark = exchange.book.mark
    prices = closing_prices(exchange.book, exchange.parameters, ALICE, "crossing", before)
    left = int(exchange.book.cash[ALICE] + exchange.book.size[:, ALICE] @ prices)

    assert ((np.minimum(mark, before) <= prices) & (prices <= np.maximum(mark, before))).all()
    assert left <= max(0, exchange.book.cash[ALICE] + exchange.book.size[:, ALICE] @ before) + sum(
        map(abs, held)
    )
    assert left >= min(0, exchange.book.cash[ALICE] + exchange.book.size[:, ALICE] @ before)
    assert left < sum(map(abs, held))


def test_at_the_mark_the_counterparties_lose_nothing_and_the_debt_stays() -> None:
    exchange = broke(-500)
    fills = close_alice(exchange, "pro_rata", "mark")

    assert not fills["haircut"].any()
    assert risk(exchange, ALICE) == (-usd(500), 0, 0)
    assert [equity(exchange, account) for account in OTHERS] == [1e6] * 3


def test_each_position_of_the_account_is_closed_in_its_own_market() -> None:
    exchange = venue(-500, 1e6, 1e6, prices=(100, 50))
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, ALICE, CAROL, -1_000, 50, market=1)
    fills = close_alice(exchange)

    assert fills["market"].tolist() == [0, 1]
    assert fills["counterparty"].tolist() == [BOB, CAROL]
    assert fills["mark"].tolist() == [usd(100), usd(50)]
    # maintenance is 1,200 and 600: two thirds of the loss lie with the larger position
    assert fills["haircut"] == pytest.approx([usd(1_000 / 3), usd(500 / 3)], abs=2)
    assert 0 <= exchange.book.cash[ALICE] < 2


def test_a_queue_calls_no_more_than_its_limit_of_counterparties() -> None:
    exchange = broke()
    fills = close_alice(exchange, counterparties=2, ticket=1)

    assert fills["counterparty"].tolist() == [CAROL, DAVE]
    assert exchange.book.size[0, ALICE] == 500
    assert equity(exchange, ALICE) == -250


def test_a_position_smaller_than_the_first_holders_needs_one_fill() -> None:
    exchange = broke()
    hold(exchange, ERIN, BOB, 5_000)
    fills = close_alice(exchange)

    assert fills["counterparty"].tolist() == [BOB]
    assert exchange.book.size[0, [ALICE, BOB]].tolist() == [0, -4_500]


@pytest.mark.parametrize(("worth", "order"), [(250, [BOB, CAROL, DAVE]), (249.999999, [CAROL, DAVE])])
def test_a_venue_that_skips_leaves_out_whom_the_fill_would_bankrupt(worth: float, order: list[int]) -> None:
    exchange = broke(-500)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] - usd(worth))
    fills = close_alice(exchange)

    assert fills["counterparty"].tolist() == order
    assert exchange.book.size[0, ALICE] == (0 if BOB in order else 500)


def test_a_venue_that_forces_takes_from_them_what_they_can_bear() -> None:
    exchange = broke(-500)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] - usd(100.25))
    fills = close_alice(exchange, forced=True)

    assert fills["counterparty"].tolist() == [BOB, CAROL, DAVE]
    assert fills["size"].tolist() == [-200, -300, -200]  # half a dollar a lot
    assert equity(exchange, BOB) == 0.25
    assert exchange.book.size[0, ALICE] == 300


def test_who_is_below_zero_already_can_be_forced_to_the_end() -> None:
    exchange = broke(-500)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] + usd(7))
    fills = close_alice(exchange, forced=True)

    assert fills["size"].tolist() == [-500, -300, -200]
    assert equity(exchange, BOB) == -257


@pytest.mark.parametrize(("forced", "size"), [(False, -1_000), (True, 0)])
def test_forcing_strips_a_counterparty_of_its_hedge(forced: bool, size: int) -> None:
    exchange = venue(-500, 1_000, 1e6, prices=(100, 100))
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, BOB, CAROL, 80_000, 100, market=1)
    close_alice(exchange, forced=forced)

    assert exchange.book.size[:, BOB].tolist() == [size, 80_000]


@pytest.mark.parametrize("rule", ALLOTMENTS)
def test_what_somebody_refuses_is_allotted_to_the_others(rule: str) -> None:
    exchange = broke(-500)
    hold(exchange, ERIN, CAROL, 1_000)
    set_price(exchange, 99.99)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] - usd(1))
    fills = close_alice(exchange, rule)

    assert BOB not in fills["counterparty"]
    assert exchange.book.size[0, [ALICE, BOB]].tolist() == [0, -500]


@pytest.mark.parametrize("rule", ALLOTMENTS)
def test_an_allotment_that_everybody_refuses_ends(rule: str) -> None:
    exchange = broke(-500)
    for account in OTHERS:
        move_cash(exchange.book, account, ERIN, risk(exchange, account)[0] - usd(1))

    assert len(close_alice(exchange, rule)) == 0
    assert exchange.book.size[0, ALICE] == 1_000


def test_more_than_the_profitable_hold_is_taken_from_the_others() -> None:
    exchange = venue(0, 1e6, 1e6, 1e6)
    for account, entry in zip(OTHERS, (120, 110, 90), strict=True):
        hold(exchange, ALICE, account, 100, entry)
    fills = close_alice(exchange, "ranked", "previous_mark", forced=True, previous=110)

    assert fills["counterparty"].tolist() == [BOB, CAROL, DAVE]
    assert not exchange.book.size.any()


@pytest.mark.parametrize(("rule", "price"), [("lottery", "mark"), ("queue", "fair")])
def test_unknown_rules_are_refused(rule: str, price: str) -> None:
    with pytest.raises(ValueError, match=r"must be one of .*(lottery|fair)"):
        close_alice(broke(), rule, price)


def test_what_is_uncovered_counts_debts_only() -> None:
    exchange = venue(100, -30, -12)

    assert uncovered(exchange.book, exchange.parameters, integers(ALICE, BOB, CAROL)) == usd(42)
    assert uncovered(exchange.book, exchange.parameters, integers(ALICE)) == 0


def crowd(seed: int, deficit: int) -> Exchange:
    """ALICE owes `deficit` micro-USD beyond a position against some of forty traders, chosen by chance."""
    exchange = venue(*[0] * 40, prices=(100,))
    draw, book = stream(seed, "crowd"), exchange.book
    for account in range(BOB, ALICE + 40):
        entry = float(draw.integers(80, 120))
        size = int(draw.integers(-50, 50))
        if size:
            hold(exchange, ALICE, account, size, entry)
        book.cash[account] += draw.integers(-usd(500), usd(5_000))
    book.cash[ALICE] -= risk(exchange, ALICE)[0] + deficit
    return exchange


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 10**9),
    st.sampled_from(RULES),
    st.sampled_from(PRICES),
    st.booleans(),
    st.integers(95, 105),
)
def test_deleveraging_conserves_and_spares_everybody_without_an_opposite_position(
    seed: int, deficit: int, rule: str, price: str, forced: bool, previous: int
) -> None:
    exchange = crowd(seed, deficit)
    book = exchange.book
    before, cash = book.size[0].copy(), book.cash.copy()
    worth = np.array([risk(exchange, account)[0] for account in range(book.cash.size)])
    fills = close_alice(exchange, rule, price, forced, previous, ticket=seed)
    after = np.array([risk(exchange, account)[0] for account in range(book.cash.size)])
    moved = np.zeros_like(before)
    np.add.at(moved, fills["counterparty"], -fills["size"])

    assert book.cash.sum() == cash.sum()
    assert book.size[0].sum() == 0
    assert (book.size[0] == before + moved + (np.arange(before.size) == ALICE) * fills["size"].sum()).all()
    assert (np.abs(book.size[0]) <= np.abs(before)).all()
    assert (book.size[0] * before >= 0).all()
    assert (before[fills["counterparty"]] * before[ALICE] < 0).all()
    assert (after - worth)[ALICE] == fills["haircut"].sum()
    untouched = np.setdiff1d(np.arange(before.size), [*fills["counterparty"], ALICE])
    assert (book.cash[untouched] == cash[untouched]).all()
    if forced:
        assert (after[(worth >= 0) & (np.arange(worth.size) != ALICE)] >= 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 10**9), st.sampled_from(RULES))
def test_full_deleveraging_ends_with_less_than_one_micro_for_each_fill(
    seed: int, deficit: int, rule: str
) -> None:
    exchange = crowd(seed, deficit)
    exchange.book.cash[BOB:] += 10**12
    assume(exchange.book.size[0, ALICE] != 0)
    fills = close_alice(exchange, rule, ticket=seed)

    assert exchange.book.size[0, ALICE] == 0
    assert 0 <= exchange.book.cash[ALICE] < len(fills)
    assert 0 <= fills["haircut"].sum() - deficit < len(fills)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["ranked", "pro_rata", "profit_pro_rata", "drain"]))
def test_exchanging_two_accounts_exchanges_what_they_give_up(seed: int, rule: str) -> None:
    here, there = crowd(seed, usd(50)), crowd(seed, usd(50))
    book = there.book
    for column in (book.cash, book.size[0], book.entry[0], book.funding_paid[0]):
        column[[BOB, CAROL]] = column[[CAROL, BOB]]
    given_here, given_there = (
        np.bincount(fills["counterparty"], -fills["size"], minlength=ALICE + 40)
        for fills in (close_alice(here, rule), close_alice(there, rule))
    )
    given_there[[BOB, CAROL]] = given_there[[CAROL, BOB]]

    assert np.abs(given_here - given_there).max() <= (0 if rule == "ranked" else 1)


@given(st.integers(0, 2**32 - 1))
def test_draining_leaves_lower_leverage_than_any_other_rule(seed: int) -> None:
    highest = {}
    for rule in RULES:
        exchange = crowd(seed, usd(50))
        exchange.book.cash[BOB:] += usd(2_000)
        holders = opposite_holders(exchange.book, ALICE, 0)
        worth = np.array([risk(exchange, account)[0] for account in holders])
        assume(len(holders) > 0)
        close_alice(exchange, rule, "mark", forced=True, ticket=seed)
        highest[rule] = max(np.abs(exchange.book.size[0, holders]) / worth * usd(100))

    assert min(highest.values()) >= highest["drain"] - 0.05


def test_compiled_and_interpreted_deleveraging_agree() -> None:
    worlds = []
    for close in (close_with, close_with.py_func):
        for forced in (True, False):
            exchange, row = broke(-777.7), np.zeros(1, DELEVERAGE).view(np.recarray)
            terms = Terms(0, 0, forced)
            assert close(exchange.book, exchange.parameters, ALICE, terms, CAROL, 123, row[0]) == 123
            worlds.append((row.tolist(), exchange.book.cash.tolist()))

    assert worlds[0] == worlds[1] == worlds[2] == worlds[3]


def test_compiled_and_interpreted_calls_agree() -> None:
    worlds = []
    for fill in (fill_calls, fill_calls.py_func):
        exchange, found = broke(-777.7), np.zeros(3, DELEVERAGE)
        lots = integers(400, 500, 600)
        done = fill(
            exchange.book,
            exchange.parameters,
            ALICE,
            Terms(0, 0, True),
            integers(*OTHERS),
            lots,
            found.view(np.recarray),
        )
        worlds.append((done, lots.tolist(), found.tolist(), exchange.book.cash.tolist()))

    assert worlds[0] == worlds[1]
    assert worlds[0][:2] == (3, [0, 200, 400])


def test_who_is_exactly_at_zero_bears_nothing_and_who_gains_bears_all() -> None:
    exchange = broke(-500)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0])
    for price, lots in ((usd(100.5), 0), (usd(100), 500), (usd(99), 500)):
        terms = Terms(0, price, True)

        assert bearable_lots(exchange.book, exchange.parameters, ALICE, terms, BOB, 500) == lots
