"""A ceiling on the price of an asset, and whom it liquidates when its ratio is too low for its moment."""

import numpy as np
import pytest
from preset_venue import opened, tell
from venue import ALICE, BOB, CAROL, hold, integers, parameters, usd, venue

from protocol.arithmetic import PPM
from protocol.exchange import Exchange
from protocol.liquidations.collateral_sales import OUTSIDE, CollateralSales, SaleTerms
from protocol.parameters import RiskParameters
from protocol.prices.ceiling import YEAR, ceilings
from protocol.prices.oracle import LARGEST_PRICE, calm_reading
from protocol.scan import liquidatable

WEEK = 7 * 86_400
MARKET = 1.2289
COIN = 2_000.0


def capped(ratio: float, time: float, growth: float = 0.0968) -> RiskParameters:
    """The second market's asset is worth at most so many of the first's."""
    return parameters(
        2,
        cap_base=integers(-1, 0),
        cap_ratio=integers(0, round(ratio * PPM)),
        cap_time=integers(0, time),
        cap_growth=integers(0, round(growth * PPM)),
        weight_initial=integers(0, 940_000),
        weight_maintenance=integers(0, 950_000),
    )


@pytest.mark.parametrize(
    ("time", "expected"),
    [(-YEAR, 240.0), (0.0, 240.0), (YEAR / 2, 252.0), (YEAR, 264.0), (2 * YEAR, 288.0)],
)
def test_a_ceiling_grows_along_a_line_from_the_moment_of_its_ratio(time: float, expected: float) -> None:
    found = ceilings(capped(1.2, 0, growth=0.1), integers(usd(200), usd(999)), 1.0, time)

    assert found.tolist() == [LARGEST_PRICE, usd(expected)]


def test_a_ratio_is_between_whole_units_whatever_the_lots() -> None:
    lots = np.array([0.01, 0.5])
    found = ceilings(capped(1.2, 0), integers(usd(2), usd(999)), lots, 0.0)

    assert found[1] == usd(2 / 0.01 * 1.2 * 0.5)


def test_a_ceiling_is_rounded_down_and_never_nothing() -> None:
    assert ceilings(capped(1.2, 0), integers(3, 9), 1.0, 0.0)[1] == 3
    assert ceilings(capped(0.1, 0), integers(3, 9), 1.0, 0.0)[1] == 1


def test_a_ceiling_beyond_the_integers_is_the_largest_price() -> None:
    assert ceilings(capped(1e9, 0), integers(10**12, 9), 1.0, 0.0)[1] == LARGEST_PRICE


def staked(ratio: float, time: float) -> Exchange:
    """ALICE owes 1,127 USD against one staked token that counts for 95 % of 1.2289 coins, which is 2,334.91.

    Beside it she is long ten lots of the coin at the market, for which she needs 240 USD.
    """
    exchange = venue(0, 1e6, 1e6, prices=(COIN, MARKET * COIN), insurance=5_000)
    terms = SaleTerms(integers(0, 10_000), integers(0, 0), OUTSIDE)
    exchange.engine = CollateralSales(exchange.engine, terms, 2)
    exchange.engine.outside[:] = integers(usd(COIN), usd(MARKET * COIN))
    exchange.enact(capped(ratio, time))
    exchange.deposit_asset(ALICE, 1, 1, usd(MARKET * COIN))
    hold(exchange, ALICE, BOB, 10, price=COIN)
    exchange.book.cash[[ALICE, CAROL]] += usd(-2_050), usd(2_050)
    return exchange


def shown(exchange: Exchange, time: float = 0.0) -> float:
    """Price of the staked token over the coin after an update at the market's prices."""
    exchange.update_prices(calm_reading(integers(usd(COIN), usd(MARKET * COIN))), time)
    return float(exchange.book.oracle[1] / exchange.book.oracle[0])


TWO_YEARS = -65_000_000
CASES = {
    "as it was": (1.1572, TWO_YEARS),
    "both moved": (1.2282, -WEEK),
    "ratio held back alone": (1.1919, -WEEK),
    "both held back": (1.1919, TWO_YEARS),
}


@pytest.mark.parametrize(("case", "liquidated"), [(name, "alone" in name) for name in CASES])
def test_a_ratio_held_back_while_its_moment_is_not_liquidates(case: str, liquidated: bool) -> None:
    """Aave on 10 March 2026: of ratio and moment only the ratio was limited to a rise of 3 %."""
    exchange = staked(*CASES[case])
    price = shown(exchange)

    assert price == pytest.approx(1.1941 if liquidated else MARKET, abs=1e-4)
    assert (1 - price / MARKET) == pytest.approx(0.0283 if liquidated else 0.0, abs=3e-4)
    assert liquidatable(exchange.book, exchange.parameters).tolist() == ([ALICE] if liquidated else [])


def test_who_buys_at_the_ceiling_gains_what_the_owner_loses() -> None:
    exchange = staked(*CASES["ratio held back alone"])
    hold(exchange, ALICE, BOB, -10, price=COIN)
    exchange.book.cash[[ALICE, CAROL]] += usd(-300), usd(300)
    price = shown(exchange) * COIN
    cascade = exchange.liquidate(0.0, 5, np.zeros(5, np.int64))

    assert cascade.sales["filled"].tolist() == [-1]
    assert int(cascade.sales["quote"][0]) == pytest.approx(-usd(price * 0.99), abs=2)
    assert MARKET * COIN - price * 0.99 == pytest.approx(93.5, abs=0.5)
    assert exchange.book.cash[ALICE] == -usd(2_350) - cascade.sales["quote"][0]


def test_a_ceiling_above_the_market_and_none_at_all_leave_the_same_venue() -> None:
    high, none = staked(1.3, 0), staked(1.3, 0)
    none.enact(none.parameters._replace(cap_base=integers(-1, -1)))
    found = [shown(each) for each in (high, none)]

    assert found[0] == found[1]
    assert all((a == b).all() for a, b in zip(high.book, none.book, strict=True))
    assert high.book.oracle.tolist() == high.prices.feed.price.tolist()


def test_the_feed_itself_goes_on_and_a_new_ratio_holds_from_the_next_update() -> None:
    exchange = staked(*CASES["ratio held back alone"])
    shown(exchange)
    held_back = exchange.prices.feed.price.tolist()
    exchange.enact(capped(*CASES["both moved"]))

    assert held_back == [usd(COIN), usd(MARKET * COIN)]
    assert shown(exchange, 60.0) == pytest.approx(MARKET, abs=1e-4)


def test_a_ceiling_of_a_scenario_holds_between_units_of_its_markets() -> None:
    cap = "markets.ETH.collateral={maintenance_weight: 0.9, cap: {base: BTC, ratio: 0.4, growth: 0}}"
    exchange = opened("dydx_v4", overrides=(cap, "markets.ETH.lot=0.1", "markets.BTC.lot=2"))
    tell(exchange, 200.0, 5.0, time=60.0)

    assert exchange.book.oracle.tolist() == [usd(200), usd(4)]
