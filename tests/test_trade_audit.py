"""What trading may do: each law names what is planted against it."""

from collections.abc import Callable

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, DAVE, hold, integers, place, quote, usd, venue

from protocol.book import Rows, move_cash
from protocol.exchange import Exchange
from protocol.laws.audit import snapshot
from protocol.laws.trade_audit import TRADE_LAWS, broken_by_trade, fee_rates, no_riskier, unsteady
from protocol.venues.venue import FILL

pytestmark = pytest.mark.kernel


def sound(**changes: object) -> Exchange:
    """A venue in two markets with quotes of BOB's, which the others take."""
    exchange = venue(1e4, 1e4, 1e4, 300, prices=(100.0, 50.0), taker_fee=500, maker_fee=-110, **changes)
    quote(exchange, BOB, (50, 99), (-50, 101))
    quote(exchange, BOB, (50, 49), (-50, 51), market=1)
    return exchange


def buy(exchange: Exchange) -> Rows:
    """ALICE buys ten lots."""
    return place(exchange, ALICE, 10)


def hide_a_fill(exchange: Exchange) -> Rows:
    return buy(exchange)[:0]


def pay_more_than_recorded(exchange: Exchange) -> Rows:
    fills = buy(exchange)
    move_cash(exchange.book, ALICE, BOB, 1)
    return fills


def charge_a_bystander(exchange: Exchange) -> Rows:
    move_cash(exchange.book, CAROL, BOB, 1)
    return buy(exchange)


def round_the_fee_down(exchange: Exchange) -> Rows:
    fills = buy(exchange)
    fills["taker_fee"] -= 1
    return fills


def forget_the_rebate(exchange: Exchange) -> Rows:
    fills = buy(exchange)
    fills["maker_fee"] = 0
    return fills


def trade_beyond_margin(exchange: Exchange) -> Rows:
    hold(exchange, DAVE, CAROL, 200)
    fills = buy(exchange)
    fills["taker"] = DAVE
    return fills


def open_beyond_the_cap(exchange: Exchange) -> Rows:
    fills = buy(exchange)
    exchange.parameters = exchange.parameters._replace(open_interest_cap=integers(usd(999), 0))
    return fills


def trade_alone(exchange: Exchange) -> Rows:
    fills = buy(exchange)
    fills["maker"] = ALICE
    return fills


def hold_beside_an_isolated_position(exchange: Exchange) -> Rows:
    hold(exchange, CAROL, BOB, 1)
    fills = place(exchange, CAROL, 5, market=1)
    exchange.parameters = exchange.parameters._replace(isolated=np.array([True, False]))
    return fills


VIOLATIONS = [
    (hide_a_fill, "fills_explain_positions"),
    (pay_more_than_recorded, "fills_explain_cash"),
    (charge_a_bystander, "fills_explain_cash"),
    (round_the_fee_down, "taker_fees_keep_their_rates"),
    (forget_the_rebate, "maker_fees_keep_their_rate"),
    (trade_beyond_margin, "fills_respect_margin"),
    (open_beyond_the_cap, "open_interest_keeps_its_cap"),
    (trade_alone, "nobody_trades_alone"),
    (hold_beside_an_isolated_position, "isolated_positions_stand_alone"),
]


@pytest.mark.parametrize(("plant", "name"), VIOLATIONS)
def test_a_violation_is_named(plant: Callable[[Exchange], Rows], name: str) -> None:
    exchange = sound()
    before = snapshot(exchange)
    fills = plant(exchange)

    assert name in {line.split(":")[0] for line in broken_by_trade(before, exchange, fills)}


def test_every_law_has_a_violation() -> None:
    assert {law.__name__ for law in TRADE_LAWS} == {name for _, name in VIOLATIONS}


def test_trading_within_the_rules_breaks_nothing() -> None:
    exchange = sound()
    exchange.book.funding[:] += 12_345
    before = snapshot(exchange)
    fills = [place(exchange, account, size) for account, size in ((ALICE, 10), (CAROL, -7), (ALICE, -4))]

    assert len(np.concatenate(fills)) == 3
    assert broken_by_trade(before, exchange, np.concatenate(fills)) == []


def test_an_account_below_initial_margin_may_reduce_but_not_grow() -> None:
    exchange = sound()
    hold(exchange, DAVE, CAROL, 200)
    before = snapshot(exchange)
    shrunk = place(exchange, DAVE, -20)

    assert len(shrunk) == 1
    assert broken_by_trade(before, exchange, shrunk) == []

    before = snapshot(exchange)
    hold(exchange, DAVE, BOB, 20, 101)
    grown = shrunk.copy()
    grown["size"], grown["quote"], grown["taker_fee"], grown["maker_fee"] = 20, 20 * usd(101), 0, 0

    assert "fills_respect_margin" in broken_by_trade(before, exchange, grown)[-1]


def test_no_riskier_is_a_question_of_maintenance_and_of_the_ratio() -> None:
    assert no_riskier((50, 0, 100), (25, 0, 50))
    assert not no_riskier((50, 0, 100), (24, 0, 50))
    assert not no_riskier((50, 0, 100), (60, 0, 101))


def test_accounts_whose_rate_has_moved_under_them_are_told_apart() -> None:
    scaled = {"open_interest_lower": usd(500), "open_interest_upper": usd(1e5)}
    exchange = sound(**scaled)
    hold(exchange, CAROL, DAVE, 1, 50, market=1)
    before = snapshot(exchange)
    fills = buy(exchange)

    assert np.flatnonzero(unsteady(before, exchange, fills)).tolist() == [ALICE, BOB]


def test_a_rate_that_may_have_dipped_within_the_phase_has_moved() -> None:
    exchange = sound(open_interest_lower=usd(500), open_interest_upper=usd(1_000))
    hold(exchange, CAROL, DAVE, 30)
    before = snapshot(exchange)
    few, many = (np.zeros(1, FILL) for _ in range(2))
    few["size"], many["size"] = 15, 25

    assert not unsteady(before, exchange, few).any()
    assert np.flatnonzero(unsteady(before, exchange, many)).tolist() == [CAROL, DAVE]


def test_on_a_book_there_is_one_rate_for_takers() -> None:
    assert fee_rates(sound(), integers(0, 1, 1)).tolist() == [[500] * 3] * 2
