"""What liquidation may do: each law names what is planted against it."""

from collections.abc import Callable

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, DAVE, ERIN, hold, integers, liquidate, quote, set_price, usd, venue

from protocol.book import INSURANCE, VAULT, move_cash
from protocol.exchange import Exchange
from protocol.laws.audit import snapshot
from protocol.laws.cascade_audit import CASCADE_LAWS, broken_by_cascade
from protocol.liquidations.collateral_sales import OUTSIDE, CollateralSales, SaleTerms
from protocol.liquidations.record import LIQUIDATION, SOLD
from protocol.losses.journal import INSURANCE_FUND, PAYMENT, Cascade

pytestmark = pytest.mark.kernel


def failing() -> Exchange:
    """ALICE owes and sells into CAROL's bid; DAVE owes in a market without bids; ERIN holds nothing."""
    exchange = venue(1_300, 1e5, 1e5, 500, 1e4, prices=(100.0, 100.0), insurance=5_000)
    terms = SaleTerms(integers(50_000, 50_000), integers(0, 0), OUTSIDE)
    exchange.engine = CollateralSales(exchange.engine, terms, 2)
    hold(exchange, ALICE, BOB, 100)
    hold(exchange, DAVE, BOB, 40, market=1)
    quote(exchange, CAROL, (100, 85))
    for market in range(2):
        set_price(exchange, 86, market)
    return exchange


def cascade_of(exchange: Exchange) -> Cascade:
    """Six rounds."""
    return liquidate(exchange, rounds=6)


def move_a_bystander(exchange: Exchange, cascade: Cascade) -> Cascade:
    hold(exchange, ERIN, VAULT, 1, 86)
    return cascade


def liquidate_somebody_sound(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["equity"] = cascade.liquidations["maintenance"]
    return cascade


def liquidate_whom_the_price_has_spared(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["account"][0] = ERIN
    return cascade


def fill_more_than_asked(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["size"] = 1
    return cascade


def buy_for_a_long(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["filled"] = -cascade.liquidations["filled"]
    return cascade


def flip_a_position(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["filled"] -= 200
    return cascade


def deleverage_the_same_side(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.deleverages["counterparty"] = ALICE
    return cascade


def deleverage_nothing(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.deleverages["size"] = 0
    return cascade


def misstate_a_haircut(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.deleverages["haircut"] += 1
    return cascade


def leave_something_behind(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, BOB, DAVE, 10)
    return cascade


def leave_a_debt_behind(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, DAVE, BOB, 10)
    return cascade


def forget_a_payment(exchange: Exchange, cascade: Cascade) -> Cascade:
    return cascade._replace(payments=cascade.payments[:0])


def spend_the_fund(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, INSURANCE, ERIN, 1)
    return cascade


def cover_a_holder(exchange: Exchange, cascade: Cascade) -> Cascade:
    paid = np.array([(0, BOB, INSURANCE_FUND, 0)], PAYMENT)
    return cascade._replace(payments=np.concatenate([cascade.payments, paid]))


def charge_too_much(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["insurance"] = np.abs(cascade.liquidations["quote"]) // 50
    return cascade


def pay_too_much_for_one(exchange: Exchange, cascade: Cascade) -> Cascade:
    cascade.liquidations["insurance"] = -usd(1e6) - 1
    return cascade


def raise_interest(exchange: Exchange, cascade: Cascade) -> Cascade:
    hold(exchange, ERIN, VAULT, 500, 86)
    return cascade


def charge_a_bystander(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, ERIN, ALICE, 1)
    return cascade


def reward_a_bystander(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, ALICE, ERIN, 1)
    return cascade


def open_the_gate(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, ALICE, BOB, usd(1e4))
    exchange.gates.cross = -np.inf
    return cascade


def lose_an_asset(exchange: Exchange, cascade: Cascade) -> Cascade:
    exchange.book.collateral[1, ERIN] += 1
    return cascade


def sale(exchange: Exchange, **numbers: int) -> Cascade:
    """A cascade in which ERIN has sold an asset."""
    row = np.zeros(1, LIQUIDATION)
    row["account"], row["outcome"] = ERIN, SOLD
    for name, number in numbers.items():
        row[name] = number
    return cascade_of(exchange)._replace(sales=row)


def sell_for_somebody_sound(exchange: Exchange, cascade: Cascade) -> Cascade:
    return sale(exchange, equity=0, maintenance=0)


def sell_for_a_holder_who_has_something_left(exchange: Exchange, cascade: Cascade) -> Cascade:
    return sale(exchange, equity=1, maintenance=2)


VIOLATIONS = [
    (move_a_bystander, "records_explain_positions"),
    (liquidate_somebody_sound, "only_failing_accounts_are_liquidated"),
    (liquidate_whom_the_price_has_spared, "only_failing_accounts_are_liquidated"),
    (fill_more_than_asked, "liquidations_stay_within_their_orders"),
    (buy_for_a_long, "liquidations_stay_within_their_orders"),
    (flip_a_position, "forced_trades_only_reduce"),
    (deleverage_the_same_side, "deleveraging_is_opposite"),
    (deleverage_nothing, "deleveraging_is_opposite"),
    (misstate_a_haircut, "deleveraging_keeps_its_price"),
    (leave_something_behind, "deleveraged_at_bankruptcy_end_with_nothing"),
    (leave_a_debt_behind, "deleveraged_at_bankruptcy_end_with_nothing"),
    (forget_a_payment, "insurance_moves_as_recorded"),
    (spend_the_fund, "insurance_moves_as_recorded"),
    (cover_a_holder, "funds_pay_who_has_nothing_left"),
    (charge_too_much, "slices_keep_their_limits"),
    (pay_too_much_for_one, "slices_keep_their_limits"),
    (raise_interest, "open_interest_is_not_raised"),
    (charge_a_bystander, "bystanders_bear_only_what_is_shared"),
    (reward_a_bystander, "bystanders_bear_only_what_is_shared"),
    (open_the_gate, "debts_close_the_gate"),
    (lose_an_asset, "sales_explain_assets"),
    (sell_for_somebody_sound, "only_failing_accounts_sell"),
    (sell_for_a_holder_who_has_something_left, "only_failing_accounts_sell"),
]


def broken(plant: Callable[[Exchange, Cascade], Cascade], exchange: Exchange) -> set[str]:
    """Names of the laws that a planted violation breaks."""
    before = snapshot(exchange)
    cascade = plant(exchange, cascade_of(exchange))
    return {line.split(":")[0] for line in broken_by_cascade(before, exchange, cascade)}


@pytest.mark.parametrize(("plant", "name"), VIOLATIONS)
def test_a_violation_is_named(plant: Callable[[Exchange, Cascade], Cascade], name: str) -> None:
    assert name in broken(plant, failing())


def test_a_cascade_within_the_rules_breaks_nothing() -> None:
    exchange = failing()
    before = snapshot(exchange)
    cascade = cascade_of(exchange)

    assert (cascade.liquidations["filled"] != 0).any()
    assert len(cascade.deleverages) == 1
    assert broken_by_cascade(before, exchange, cascade) == []


def taken_over() -> Exchange:
    """A venue whose vault takes over who fails."""
    exchange = venue(
        100,
        1e5,
        vault=1e5,
        rules={"backstop": "takeover"},
        backstop_trigger=666_667,
        backstop_loss_share=10**6,
    )
    hold(exchange, ALICE, BOB, 100)
    set_price(exchange, 98)
    return exchange


def keep_a_cent(exchange: Exchange, cascade: Cascade) -> Cascade:
    move_cash(exchange.book, VAULT, ALICE, 1)
    return cascade


def test_who_was_taken_over_has_nothing_left() -> None:
    assert broken(lambda exchange, cascade: cascade, taken_over()) == set()
    assert broken(keep_a_cent, taken_over()) == {"takeovers_leave_nothing"}


def test_every_law_has_a_violation() -> None:
    assert {law.__name__ for law in CASCADE_LAWS} - {name for _, name in VIOLATIONS} == {
        "takeovers_leave_nothing"
    }
