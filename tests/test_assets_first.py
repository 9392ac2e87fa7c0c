"""Who owns an asset pays with it: positions are closed, assets are sold, only then do others pay."""

import numpy as np
import pytest
from venue import ALICE, BOB, CAROL, equity, hold, integers, liquidate, quote, set_price, usd, venue

from protocol.book import INSURANCE, WITHDRAWALS
from protocol.collateral import deposit_asset
from protocol.exchange import Exchange
from protocol.liquidations.collateral_sales import OUTSIDE, CollateralSales, SaleTerms
from protocol.liquidations.record import SOLD, UNSOLD
from protocol.losses.journal import INSURANCE_FUND, Cascade

pytestmark = pytest.mark.kernel
WEIGHTS = {"weight_initial": integers(0, 700_000), "weight_maintenance": integers(0, 800_000)}
NET = 47.025


def owner(
    price: float, *, cash: float = 0, units: int = 40, lots: int = 100, fund: float = 5_000
) -> Exchange:
    """ALICE is long at 100 with units at 50 USD that count for 40 and bring 47.025; CAROL bids for all."""
    exchange = venue(0, 1e6, 1e6, prices=(100.0, 50.0), insurance=fund, **WEIGHTS)
    terms = SaleTerms(integers(0, 50_000), integers(0, 10_000), OUTSIDE)
    exchange.engine = CollateralSales(exchange.engine, terms, 2)
    deposit_asset(exchange.book, ALICE, 1, units)
    exchange.book.cash[[ALICE, BOB]] += usd(cash), -usd(cash)
    if lots:
        hold(exchange, ALICE, BOB, lots)
        quote(exchange, CAROL, (lots, price))
    set_price(exchange, price)
    return exchange


def paid(cascade: Cascade) -> float:
    """What insurance funds paid, in fills and after them [USD]."""
    rows = cascade.payments
    return float(rows["amount"][rows["stage"] == INSURANCE_FUND].sum()) / 1e6


def test_who_is_worth_something_loses_positions_first_and_keeps_the_asset() -> None:
    """At 84.8 equity is 80 and 101.76 is needed; the fund takes what slices bring beyond bankruptcy."""
    exchange = owner(84.8)
    cascade = liquidate(exchange, rounds=20)

    assert len(cascade.liquidations) > 0
    assert len(cascade.sales) == 0
    assert exchange.book.collateral[1, ALICE] == 40
    assert paid(cascade) == 0
    exchange.check(1, 0)


def test_who_is_worth_less_than_nothing_sells_the_least_that_restores_the_margin() -> None:
    """At 83 equity is −100 and 99.6 is needed; a unit adds 7.025, so 29 units, and the position stays."""
    exchange = owner(83)
    deposited = int(exchange.book.flows[0])
    cascade = liquidate(exchange, rounds=20)

    assert cascade.sales["filled"].tolist() == [-29]
    assert len(cascade.liquidations) == 0
    assert exchange.book.size[0, ALICE] == 100
    assert equity(exchange, ALICE) == pytest.approx(-100 + 29 * 7.025)
    assert exchange.book.cash[INSURANCE] == usd(5_000 + 29 * 0.475)
    assert exchange.book.flows[0] - deposited == usd(29 * 47.5)
    assert exchange.book.asset_flows[WITHDRAWALS, 1] == 29
    exchange.check(1, 0)


@pytest.mark.parametrize(("cash", "units", "fund_pays"), [(0, 40, False), (1_600, 0, True)])
def test_the_fund_pays_no_gap_that_the_asset_covers_beyond_its_weight(
    cash: float, units: int, fund_pays: bool
) -> None:
    """At 84.2 both have 20 left and go bankrupt at 84; CAROL bids 83.5, within the limit of 82.98."""
    exchange = owner(83.5, cash=cash, units=units)
    set_price(exchange, 84.2)
    before = int(exchange.book.cash[INSURANCE])
    cascade = liquidate(exchange, rounds=60)

    assert (paid(cascade) > 0) is fund_pays
    assert bool(exchange.book.cash[INSURANCE] < before) is fund_pays
    exchange.check(1, 0)


def test_the_fund_pays_what_is_missing_when_all_is_sold() -> None:
    """The fall to 70 costs 3,000; 40 units bring 1,881 after a penalty of 19 to the fund."""
    exchange = owner(70)
    cascade = liquidate(exchange, rounds=60)

    assert cascade.sales["filled"].sum() == -40
    assert exchange.book.collateral[1, ALICE] == exchange.book.size[0, ALICE] == 0
    assert exchange.book.cash[ALICE] == 0
    assert exchange.book.cash[INSURANCE] == usd(5_000 + 40 * 0.475 - (3_000 - 40 * NET))
    assert paid(cascade) == pytest.approx(3_000 - 40 * NET, abs=1e-4)
    exchange.check(1, 0)


def test_a_debt_waits_while_its_asset_finds_no_buyer_and_is_told_of_once_a_block() -> None:
    exchange = owner(100, cash=-1_700, lots=0)
    exchange.engine.outside[1] = usd(47)
    cascade = liquidate(exchange, rounds=9, time=1_000.0)

    assert cascade.sales["outcome"].tolist() == [UNSOLD]
    assert cascade.rounds < 9
    assert paid(cascade) == 0
    assert exchange.book.cash[INSURANCE] == usd(5_000)
    assert exchange.gates.cross > 1_000.0
    assert exchange.book.collateral[1, ALICE] == 40

    exchange.engine.outside[1] = usd(47.5)
    cascade = liquidate(exchange, rounds=9)

    assert cascade.sales["outcome"].tolist() == [SOLD]
    assert equity(exchange, ALICE) >= 0


def test_nobody_is_liquidated_on_the_word_of_a_price_that_may_not_be_used() -> None:
    exchange = owner(100, cash=-1_700, lots=0)
    exchange.usable.liquidate[1] = False
    cascade = liquidate(exchange, rounds=9)

    assert len(cascade.sales) == cascade.rounds == 0


def test_a_sale_is_no_liquidation_of_a_position() -> None:
    cascade = liquidate(owner(70), rounds=60)

    assert (cascade.liquidations["market"] == 0).all()
    assert (cascade.sales["market"] == 1).all()
    assert np.abs(cascade.liquidations["filled"]).sum() == 100


def test_an_asset_that_comes_in_is_noted_at_what_it_is_worth_and_is_no_deposit_of_cash() -> None:
    exchange = owner(100, lots=0, units=0)
    exchange.deposit_asset(ALICE, 1, 3, usd(49))

    assert exchange.book.collateral[1, ALICE] == 3
    assert (exchange.brought[ALICE], exchange.deposited[ALICE]) == (usd(147), 0)
