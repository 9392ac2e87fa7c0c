"""Who pays when the book does not: vault, deleveraged winners, everybody."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, equity, hold, integers, risk, set_price, usd, venue

from protocol.arithmetic import PPM
from protocol.book import INSURANCE, VAULT, Rows, move_cash
from protocol.exchange import Exchange
from protocol.scan import accounts_risk
from protocol.waterfall import (
    DELEVERAGE,
    adl_ranking,
    cover_from_fund,
    deleverage,
    deleverage_against,
    socialise,
    take_over,
)

pytestmark = pytest.mark.kernel

TWO_THIRDS = {"backstop_trigger": 666_667, "backstop_loss_share": 100_000}


def broke(collateral: float = -500, **settings: Any) -> Exchange:
    """ALICE is long 1,000 lots at 100 with `collateral`; BOB, CAROL and DAVE are short against her."""
    exchange = venue(collateral, 1e6, 1e6, 1e6, 1e6, **settings)
    for account, size in ((BOB, 500), (CAROL, 300), (DAVE, 200)):
        hold(exchange, ALICE, account, size)
    return exchange


def deleverage_alice(exchange: Exchange, *ranking: int) -> Rows:
    """Close ALICE's position against `ranking`; returns the records."""
    rows = np.zeros(len(ranking), DELEVERAGE)
    done = deleverage(exchange.book, exchange.parameters, ALICE, 0, integers(*ranking), rows)
    return rows[:done]


def ranked(exchange: Exchange, rule: str, ticket: int = 0) -> list[int]:
    """The order in which ALICE's counterparties are called."""
    worth = accounts_risk(exchange.book, exchange.parameters)[0]
    return adl_ranking(exchange.book, worth, ALICE, 0, rule, ticket).tolist()


@pytest.mark.parametrize(("collateral", "taken"), [(799.999999, True), (800.0004, False), (0, True)])
def test_the_vault_takes_over_strictly_below_the_trigger(collateral: float, taken: bool) -> None:
    exchange = broke(collateral, vault=1e6, **TWO_THIRDS)

    assert take_over(exchange.book, exchange.parameters, ALICE) is taken


def test_a_takeover_hands_over_every_position_and_all_cash_at_the_mark() -> None:
    exchange = broke(500, vault=1e6, prices=(100, 40), **TWO_THIRDS)
    hold(exchange, ALICE, BOB, -10, 40, market=1)
    exchange.book.funding[:, 0] += 3_000
    worth = risk(exchange, ALICE)[0]

    assert take_over(exchange.book, exchange.parameters, ALICE)
    assert exchange.book.size[:, VAULT].tolist() == [1_000, -10]
    assert not exchange.book.size[:, ALICE].any()
    assert risk(exchange, ALICE) == (0, 0, 0)
    assert risk(exchange, VAULT)[0] == usd(1e6) + worth
    assert exchange.book.entry[:, VAULT].tolist() == [usd(100), usd(40)]
    assert exchange.book.open_interest.tolist() == [1_000, 10]


def test_the_vault_refuses_what_would_breach_its_own_initial_margin() -> None:
    rich, poor = (broke(100, vault=capital, **TWO_THIRDS) for capital in (1_900, 1_899.999999))

    assert take_over(rich.book, rich.parameters, ALICE)
    assert not take_over(poor.book, poor.parameters, ALICE)
    assert poor.book.size[0, ALICE] == 1_000


def test_the_vault_keeps_its_reserve_of_initial_margin() -> None:
    reserve = {**TWO_THIRDS, "backstop_reserve": 4 * PPM}
    rich, poor = (broke(100, vault=capital, **reserve) for capital in (7_900, 7_899.999999))

    assert take_over(rich.book, rich.parameters, ALICE)
    assert not take_over(poor.book, poor.parameters, ALICE)


@pytest.mark.parametrize(("deficit", "taken"), [(1_000, True), (1_000.000001, False)])
def test_the_vault_refuses_a_deficit_above_its_loss_limit(deficit: float, taken: bool) -> None:
    exchange = broke(-deficit, vault=10_000, **TWO_THIRDS)

    assert take_over(exchange.book, exchange.parameters, ALICE) is taken


def test_the_vault_cannot_rescue_itself() -> None:
    for capital in (600, 0, -600):
        exchange = venue(1e6, vault=capital, **TWO_THIRDS)
        hold(exchange, VAULT, ALICE, 1_000)
        before = exchange.book.cash.copy()

        assert not take_over(exchange.book, exchange.parameters, VAULT)
        assert (exchange.book.cash == before).all()


def test_a_takeover_that_hedges_the_vault_needs_no_new_margin() -> None:
    exchange = broke(100, vault=700, **TWO_THIRDS)
    hold(exchange, VAULT, ERIN, -1_000)

    assert take_over(exchange.book, exchange.parameters, ALICE)
    assert exchange.book.size[0, VAULT] == 0


def test_deleveraging_closes_at_the_bankruptcy_price() -> None:
    exchange = broke(-500)
    rows = deleverage_alice(exchange, BOB, CAROL, DAVE)

    assert rows["size"].tolist() == [-500, -300, -200]
    assert rows["quote"].tolist() == [-usd(500 * 100.5), -usd(300 * 100.5), -usd(200 * 100.5)]
    assert rows["haircut"].tolist() == [usd(250), usd(150), usd(100)]
    assert not exchange.book.size.any()
    assert exchange.book.open_interest[0] == 0
    assert exchange.book.cash[ALICE] == 0
    assert [equity(exchange, account) for account in (BOB, CAROL, DAVE)] == [1e6 - 250, 1e6 - 150, 1e6 - 100]


def test_deleveraging_stops_when_the_position_is_closed() -> None:
    exchange = broke(-500)
    hold(exchange, ERIN, CAROL, 700)
    rows = deleverage_alice(exchange, CAROL, BOB)

    assert rows["counterparty"].tolist() == [CAROL]
    assert exchange.book.size[0, [ALICE, BOB, CAROL]].tolist() == [0, -500, 0]


def test_deleveraging_skips_the_same_side_and_those_without_a_position() -> None:
    exchange = broke(-500)
    hold(exchange, ERIN, BOB, 100)
    rows = deleverage_alice(exchange, ERIN, INSURANCE, CAROL)

    assert rows["counterparty"].tolist() == [CAROL]


@pytest.mark.parametrize(("worth", "called"), [(250, [BOB, CAROL]), (249.999999, [CAROL])])
def test_deleveraging_skips_a_counterparty_whom_it_would_bankrupt(worth: float, called: list[int]) -> None:
    exchange = broke(-500)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] - usd(worth))
    rows = deleverage_alice(exchange, BOB, CAROL)

    assert rows["counterparty"].tolist() == called


def test_deleveraging_skips_a_counterparty_whom_it_would_strip_of_a_hedge() -> None:
    exchange = venue(-500, 1_000, 1e6, prices=(100, 100))
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, BOB, CAROL, 80_000, 100, market=1)
    rows = deleverage_alice(exchange, BOB)

    assert len(rows) == 0
    assert exchange.book.size[:, BOB].tolist() == [-1_000, 80_000]


def test_a_bankrupt_short_is_closed_at_a_lower_price() -> None:
    exchange = venue(-500, 1e6)
    hold(exchange, ALICE, BOB, -1_000)
    rows = deleverage_alice(exchange, BOB)

    assert rows["quote"].tolist() == [usd(99_500)]
    assert rows["haircut"].tolist() == [usd(500)]
    assert equity(exchange, BOB) == 1e6 - 500


@given(
    st.integers(-(10**12), -1),
    st.lists(st.integers(1, 10**4), min_size=4, max_size=4),
    st.integers(1, 10**9),
    st.sampled_from([1, -1]),
)
def test_full_deleveraging_ends_with_less_than_one_micro_for_each_fill(
    worth: int, held: list[int], price: int, side: int
) -> None:
    exchange = venue(0, 0, 0, 0, 0, prices=(1.0,))
    book = exchange.book
    for account, size in zip((BOB, CAROL, DAVE, ERIN), held, strict=True):
        hold(exchange, ALICE, account, side * size, 0)
        book.cash[account] = 10**17
    book.mark[0] = price
    book.cash[ALICE] = worth - int(book.size[0, ALICE]) * price
    before = book.cash.sum()
    rows = deleverage_alice(exchange, BOB, CAROL, DAVE, ERIN)

    assert np.abs(rows["size"]).tolist() == held
    assert 0 <= book.cash[ALICE] < 4
    assert book.cash.sum() == before
    assert not book.size.any()
    assert 0 <= rows["haircut"].sum() + worth < 4


@pytest.mark.parametrize(
    ("ticket", "order"), [(0, [BOB, CAROL, DAVE]), (1, [CAROL, DAVE, BOB]), (5, [DAVE, BOB, CAROL])]
)
def test_the_queue_walks_the_opposite_side_from_a_drawn_place(ticket: int, order: list[int]) -> None:
    assert ranked(broke(), "queue", ticket) == order


def test_the_ranking_takes_the_highest_product_of_profit_and_leverage_first() -> None:
    exchange = venue(1e6, 1_000, 2_000, 500, 1e6)
    hold(exchange, ALICE, BOB, 10, 100)
    hold(exchange, ALICE, CAROL, 10, 300)
    hold(exchange, ALICE, DAVE, 10, 90)
    # short: entry / mark · notional / equity; BOB 1 · 1000/1000, CAROL 3 · 1000/4000, DAVE 0.9 · 1000/400

    assert ranked(exchange, "ranked") == [DAVE, BOB, CAROL]


def test_longs_rank_by_mark_over_entry() -> None:
    exchange = venue(1e6, 1_000, 1_000)
    hold(exchange, BOB, ALICE, 10, 80)
    hold(exchange, CAROL, ALICE, 10, 99)
    set_price(exchange, 100)
    # BOB 1.25 · 1000/1200, CAROL 1.0101 · 1000/1010

    assert ranked(exchange, "ranked") == [BOB, CAROL]


def test_ties_in_the_ranking_go_to_the_lower_account_and_the_bankrupt_come_last() -> None:
    exchange = broke()
    exchange.book.size[0, [BOB, CAROL, DAVE, ERIN]] = -250
    exchange.book.entry[0, [BOB, CAROL, DAVE, ERIN]] = usd(100)
    exchange.book.cash[[BOB, CAROL, DAVE, ERIN]] = [usd(1), usd(50_000), usd(50_000), usd(25_001)]

    assert ranked(exchange, "ranked") == [ERIN, CAROL, DAVE, BOB]


def test_the_vault_can_be_deleveraged_and_the_other_purses_never_hold_anything() -> None:
    exchange = venue(1e6, vault=1e6)
    hold(exchange, ALICE, VAULT, 10)

    assert ranked(exchange, "queue") == [VAULT]


def test_without_an_opposite_side_nobody_is_called() -> None:
    exchange = venue(1e6)
    exchange.book.size[0, ALICE] = 5

    assert ranked(exchange, "queue") == ranked(exchange, "ranked") == []


def test_compiled_and_interpreted_deleveraging_agree() -> None:
    worlds = []
    for kernel in (deleverage_against, deleverage_against.py_func):
        exchange, row = broke(-777.7), np.zeros(1, DELEVERAGE).view(np.recarray)
        assert kernel(exchange.book, exchange.parameters, ALICE, CAROL, 0, row[0])
        worlds.append((row.tolist(), exchange.book.cash.tolist()))

    assert worlds[0] == worlds[1]


def test_the_fund_covers_what_it_can() -> None:
    exchange = venue(0, insurance=30)

    assert cover_from_fund(exchange.book, ALICE, usd(20)) == usd(20)
    assert cover_from_fund(exchange.book, ALICE, usd(20)) == usd(10)
    assert cover_from_fund(exchange.book, ALICE, usd(20)) == 0
    assert exchange.book.cash[[ALICE, INSURANCE]].tolist() == [usd(30), 0]


def socialised(exchange: Exchange, deficit: int) -> list[int]:
    """Charges of a loss of ALICE's, by account; checks that they are what moved."""
    charges, before = np.zeros_like(exchange.book.cash), exchange.book.cash.copy()
    collected = socialise(exchange.book, ALICE, deficit, charges)
    before[[ALICE, INSURANCE]] += [collected, charges.sum() - collected]

    assert (exchange.book.cash == before - charges).all()
    return charges.tolist()


def test_everybody_with_a_position_pays_in_proportion_to_notional() -> None:
    exchange = broke()
    hold(exchange, ERIN, BOB, 100)
    charges = socialised(exchange, usd(120))

    assert charges[ALICE:] == [0, usd(60), usd(30), usd(20), usd(10)]


@given(st.integers(1, 10**12), st.lists(st.integers(-(10**6), 10**6), min_size=4, max_size=4))
def test_charges_cover_the_loss_with_less_dust_than_payers_and_spare_who_holds_nothing(
    deficit: int, held: list[int]
) -> None:
    exchange = venue(0, 0, 0, 0, 0)
    others = (BOB, CAROL, DAVE, ERIN)
    exchange.book.size[0, list(others)] = held
    charges = socialised(exchange, deficit)
    payers = sum(size != 0 for size in held)
    total = sum(map(abs, held))

    assert charges[ALICE] == charges[VAULT] == 0
    for account, size in zip(others, held, strict=True):
        assert charges[account] == (-(-deficit * abs(size) // total) if size else 0)
    assert not payers or 0 <= sum(charges) - deficit < payers


def test_a_loss_that_nobody_shares_is_not_collected() -> None:
    exchange = venue(-5, 100)
    exchange.book.size[0, ALICE] = 7
    charges = np.zeros_like(exchange.book.cash)

    assert socialise(exchange.book, ALICE, usd(5), charges) == 0
    assert exchange.book.cash[ALICE] == -usd(5)
