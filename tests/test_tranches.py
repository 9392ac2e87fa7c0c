"""Market orders for failing accounts: how much of a position, in which order, and where they stop."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    equity,
    hold,
    integers,
    parameters,
    place,
    quote,
    resting,
    risk,
    set_price,
    usd,
    venue,
)

from protocol.arithmetic import PPM
from protocol.book import FEES, INSURANCE, VAULT, Rows
from protocol.exchange import Exchange
from protocol.liquidations.record import COMPLETE, PARTIAL, UNFILLED, Moment
from protocol.liquidations.tranches import (
    HYPERLIQUID,
    TrancheParameters,
    Tranches,
    fill_health,
    lots_to_trigger,
    order_lots,
    plan_orders,
)
from protocol.losses.backstop import take_over
from protocol.losses.deleveraging import HYPERLIQUID as RANKED
from protocol.losses.deleveraging import deleverage
from protocol.margin import MARKET_RATES, position_margin
from protocol.scan import accounts_risk, liquidatable
from protocol.venues.ladder import BID
from sim.streams import stream

pytestmark = pytest.mark.kernel

WHOLE = HYPERLIQUID._replace(threshold=usd(1e9))
TWO_THIRDS = {"backstop_trigger": 666_667, "backstop_loss_share": 100_000}
NUMBERS = yaml.safe_load(
    (Path(__file__).parent / "reference" / "hyperliquid.yaml").read_text(encoding="utf-8")
)
UNTIL_EMPTY = st.lists(st.tuples(st.integers(1, 400), st.integers(-600, 100)), max_size=6)


def failing(collateral: float = 1_100, side: int = 1, **settings: Any) -> Exchange:
    """ALICE holds 1,000 lots at 100, below her maintenance of 1,200; CAROL and DAVE are rich."""
    exchange = venue(collateral, 1e7, 1e7, 1e7, 1e7, **settings)
    hold(exchange, ALICE, BOB, side * 1_000)
    return exchange


def tranches(exchange: Exchange, rule: TrancheParameters = WHOLE) -> Tranches:
    """An engine for the exchange's order book."""
    return Tranches(exchange.venue, rule, len(exchange.book.cash))


def liquidate(exchange: Exchange, engine: Tranches | None = None, time: float = 0, number: int = 0) -> Rows:
    """One round for everybody below maintenance."""
    candidates = liquidatable(exchange.book, exchange.parameters)
    moment = Moment(time, 1.0, number, 0)
    return (engine or tranches(exchange)).round(exchange.book, exchange.parameters, candidates, moment)


def tiered(asset: str) -> Any:
    """Margins of an asset of Hyperliquid's."""
    tier = NUMBERS["tiers"]["assets"][asset]
    first, above = PPM / tier["leverage"], PPM / tier["above"]
    return parameters(
        initial=round(first),
        maintenance=round(first / 2),
        tier_floor=integers(usd(tier["floor"])).reshape(1, 1),
        tier_initial=integers(round(above) - round(first)).reshape(1, 1),
        tier_maintenance=integers(round(above / 2) - round(first / 2)).reshape(1, 1),
    )


@pytest.mark.parametrize(
    "row", NUMBERS["margins"]["rows"], ids=lambda row: f"{row['asset']}-{row['notional']}"
)
def test_margins_are_those_of_hyperliquids_tiers(row: dict[str, Any]) -> None:
    rules = tiered(row["asset"])
    found = position_margin(rules, 0, row["notional"], usd(1), int(rules.initial[0]), MARKET_RATES)
    rounding = usd(row["notional"]) * 0.5e-6 + 2

    assert found == pytest.approx((usd(row["initial"]), usd(row["maintenance"])), abs=rounding)


@pytest.mark.parametrize("asset", NUMBERS["tiers"]["assets"])
def test_margins_are_continuous_at_the_edge_of_a_tier(asset: str) -> None:
    rules, edge = tiered(asset), NUMBERS["tiers"]["assets"][asset]["floor"]
    below, at, above = (
        position_margin(rules, 0, lots, usd(1), int(rules.initial[0]), MARKET_RATES)
        for lots in (edge - 1, edge, edge + 1)
    )
    steps = [(at[k] - below[k], above[k] - at[k]) for k in range(2)]

    for (under, over), rate, added in zip(
        steps, (rules.initial, rules.maintenance), (rules.tier_initial, rules.tier_maintenance), strict=True
    ):
        assert under == rate[0]
        assert over == rate[0] + added[0, 0]


@pytest.mark.parametrize(
    "row", NUMBERS["liquidation_prices"]["rows"], ids=lambda row: f"{row['asset']}-{row['size']}"
)
def test_an_account_fails_where_hyperliquids_formula_says(row: dict[str, Any]) -> None:
    exchange = venue(row["equity"], 1e12, prices=(row["price"],))
    exchange.parameters = tiered(row["asset"])
    hold(exchange, ALICE, BOB, row["size"], row["price"])
    worse = -1 if row["size"] > 0 else 1
    failed = []
    for distance in (-2e-6, 2e-6):
        set_price(exchange, row["liquidation"] * (1 + worse * distance) + worse * 1e-6)
        failed.append(ALICE in liquidatable(exchange.book, exchange.parameters))

    assert failed == [False, True]


@pytest.mark.parametrize(
    "row", NUMBERS["tranches"]["rows"], ids=lambda row: f"{row['lots']}-{row['price']}-{row['hurried']}"
)
def test_a_large_position_goes_by_fifths_unless_hurried(row: dict[str, Any]) -> None:
    lots = order_lots(
        integers(row["lots"]), integers(usd(row["price"])), HYPERLIQUID, np.array([row["hurried"]])
    )

    assert lots.tolist() == [-int(np.sign(row["lots"])) * row["closed"]]


@given(st.integers(-(10**12), 10**12).filter(bool), st.integers(1, 10**6), st.integers(1, PPM))
def test_an_order_closes_something_and_never_more_than_all(size: int, mark: int, share: int) -> None:
    rule = HYPERLIQUID._replace(share=share)
    lots = int(order_lots(integers(size), integers(mark), rule, np.array([False]))[0])

    assert 1 <= abs(lots) <= abs(size)
    assert lots * size < 0
    if abs(size) * mark > rule.threshold:
        assert abs(lots) == max(abs(size) * share // PPM, 1)


def test_the_book_closes_the_position_at_its_own_prices_and_the_rest_stays_with_the_account() -> None:
    exchange = failing(insurance=1_000)
    quote(exchange, CAROL, (600, 99.9), (900, 99.5))
    order = liquidate(exchange)[0]

    assert (order["size"], order["filled"], order["outcome"]) == (-1_000, -1_000, COMPLETE)
    assert order["quote"] == -usd(600 * 99.9 + 400 * 99.5)
    assert (order["fee"], order["insurance"], order["pool"], order["keeper"]) == (0, 0, 0, -1)
    assert (order["equity"], order["maintenance"]) == (usd(1_100), usd(1_200))
    assert order["bankruptcy"] == usd(98.9)
    assert risk(exchange, ALICE) == (usd(1_100 - 60 - 200), 0, 0)
    assert resting(exchange, BID) == [(CAROL, 500, 99.5)]
    assert exchange.venue.last[0] == usd(99.5)
    assert exchange.book.cash[INSURANCE] == usd(1_000)


def test_a_short_is_bought_back() -> None:
    exchange = failing(side=-1)
    quote(exchange, CAROL, (-1_200, 100.5))
    order = liquidate(exchange)[0]

    assert (order["size"], order["filled"], order["quote"]) == (1_000, 1_000, usd(100_500))
    assert risk(exchange, ALICE) == (usd(600), 0, 0)


def test_a_fifth_goes_first_then_everything_until_the_patience_is_over() -> None:
    exchange = venue(23_000, 1e9, 1e9, prices=(200,))
    hold(exchange, ALICE, BOB, 10_000, 200)
    engine, sizes = tranches(exchange, HYPERLIQUID), []
    for time, price, bid in ((0.0, 200, 2_000), (29.9, 199.2, 3_000), (59.8, 198, 0), (59.9, 198, 0)):
        set_price(exchange, price)
        if bid:
            quote(exchange, CAROL, (bid, price))
        sizes.append(int(liquidate(exchange, engine, time)[0]["size"]))

    assert sizes == [-2_000, -8_000, -5_000, -1_000]
    assert exchange.book.size[0, ALICE] == 5_000


def test_rounds_of_a_block_follow_each_other_in_time() -> None:
    exchange = venue(2_300, 1e9, 1e9)
    hold(exchange, ALICE, BOB, 2_000)
    engine = tranches(exchange, HYPERLIQUID._replace(patience=5.0))
    quote(exchange, CAROL, (10, 100))
    sizes = [int(liquidate(exchange, engine, 60.0, number)[0]["size"]) for number in (0, 4, 5)]

    assert sizes == [-400, -1_990, -398]
    assert engine.hurried[ALICE] == 65.0


def test_a_market_order_that_nobody_meets_hurries_nobody() -> None:
    exchange = failing(prices=(100,))
    engine = tranches(exchange)
    order = liquidate(exchange, engine)[0]

    assert (order["filled"], order["outcome"]) == (0, UNFILLED)
    assert np.isneginf(engine.hurried).all()


def test_a_closed_position_hurries_nobody() -> None:
    exchange = failing()
    quote(exchange, CAROL, (1_000, 100))
    engine = tranches(exchange)

    assert liquidate(exchange, engine)[0]["outcome"] == COMPLETE
    assert np.isneginf(engine.hurried).all()


def test_an_order_stays_within_its_limit() -> None:
    for limit, filled in ((0, -1_000), (4_999, -400), (5_000, -900)):
        exchange = failing()
        quote(exchange, CAROL, (400, 99.6), (500, 99.5), (500, 99.4))
        order = liquidate(exchange, tranches(exchange, WHOLE._replace(limit=limit)))[0]

        assert order["filled"] == filled
        assert order["limit"] == (usd(100) - limit * 100 if limit else 0)


def test_a_buying_order_has_its_limit_above_the_mark() -> None:
    exchange = failing(side=-1)
    quote(exchange, CAROL, (-400, 100.4), (-500, 100.5), (-500, 100.6))
    order = liquidate(exchange, tranches(exchange, WHOLE._replace(limit=5_000)))[0]

    assert (order["filled"], order["limit"], order["outcome"]) == (900, usd(100.5), PARTIAL)


def test_the_largest_position_is_closed_first_and_the_others_spared_once_the_account_is_safe() -> None:
    exchange = venue(1_000, 1e7, 1e7, prices=(100, 100, 100))
    for market, size in enumerate((300, -600, 200)):
        hold(exchange, ALICE, BOB, size, market=market)
        quote(exchange, CAROL, (int(np.sign(size)) * 600, 100), market=market)
    rows = liquidate(exchange)

    assert rows["market"].tolist() == [1, 0, 2]
    assert rows["size"].tolist() == [600, 0, 0]
    assert rows["filled"].tolist() == [600, 0, 0]
    assert exchange.book.size[:, ALICE].tolist() == [300, 0, 200]


def test_an_order_is_not_cut_short_because_the_account_is_safe_again() -> None:
    exchange = failing(1_199)
    quote(exchange, CAROL, (10, 100), (2_000, 99.99))

    assert liquidate(exchange)[0]["filled"] == -1_000


def test_the_account_with_the_least_equity_over_maintenance_comes_first_and_attempts_are_limited() -> None:
    exchange = venue(1_100, 500, 550, 1e9)
    for account, size in ((ALICE, 1_000), (BOB, 500), (CAROL, 500)):
        hold(exchange, account, DAVE, size)
    rows = liquidate(exchange, tranches(exchange, WHOLE._replace(attempts=2)))

    assert rows["account"].tolist() == [BOB, ALICE]


def test_an_account_saved_by_an_earlier_order_is_left_alone() -> None:
    exchange = venue(1_100, 1e7, 1_190, 1e7)
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, CAROL, BOB, -1_000)
    quote(exchange, CAROL, (600, 99))
    rows = liquidate(exchange)

    assert rows["account"].tolist() == [ALICE, CAROL]
    assert rows["size"].tolist() == [-1_000, 0]
    assert exchange.book.size[0, CAROL] == -400


def test_an_order_is_cut_to_the_position_that_an_earlier_one_has_left() -> None:
    exchange = venue(670, 1e7, 1_130, 1e7)
    hold(exchange, ALICE, BOB, 600)
    hold(exchange, CAROL, BOB, -1_000)
    quote(exchange, CAROL, (100, 100.7))
    quote(exchange, DAVE, (-2_000, 100.8))
    rows = liquidate(exchange)

    assert rows["account"].tolist() == [ALICE, CAROL]
    assert rows["size"].tolist() == [-600, 900]
    assert rows["filled"].tolist() == [-100, 900]


@pytest.mark.parametrize(
    ("vault", "bids", "filled", "left"),
    [
        (1e6, [(500, 98)], -250, 600),  # 1,100 − 2·250 is below two thirds of 1.2 · 750, not one lot before
        (1e6, [(100, 98), (400, 98)], -250, 600),
        (1e6, [(200, 99), (500, 98)], -417, 466),  # 900 − 2·217 against 2/3 · 1.2 · 583 = 466.4
        (0, [(500, 98)], -500, 100),  # without a vault the order goes on
        (0, [(500, 98), (500, 97)], -533, 1),  # but never below zero
        (0, [(200, 98), (300, 98), (1, 97), (499, 97)], -533, 1),
        (0, [(500, 97.8)], -500, 0),
        (0, [(501, 97.8)], -500, 0),
    ],
)
def test_a_watched_order_stops_where_the_vault_takes_over_and_never_makes_a_debt(
    vault: float, bids: list[tuple[int, float]], filled: int, left: float
) -> None:
    exchange = failing(vault=vault, **TWO_THIRDS)
    quote(exchange, CAROL, *bids)
    order = liquidate(exchange)[0]

    assert order["filled"] == filled
    assert equity(exchange, ALICE) == left
    assert take_over(exchange.book, exchange.parameters, ALICE) is (vault > 0)


def test_a_bankrupt_account_is_not_sold_but_left_to_deleveraging() -> None:
    exchange = failing(-10)
    quote(exchange, CAROL, (1_000, 101))
    order = liquidate(exchange)[0]

    assert (order["size"], order["filled"]) == (-1_000, 0)


def test_an_order_that_is_not_watched_runs_to_its_end() -> None:
    exchange = failing(vault=1e6, **TWO_THIRDS)
    quote(exchange, CAROL, (500, 98), (500, 97))
    order = liquidate(exchange, tranches(exchange, WHOLE._replace(watched=False)))[0]

    assert (order["filled"], order["outcome"]) == (-1_000, COMPLETE)
    assert risk(exchange, ALICE) == (-usd(1_400), 0, 0)


def test_an_account_far_below_maintenance_goes_to_the_vault_without_a_fill() -> None:
    exchange = failing(800, vault=1e6, **TWO_THIRDS)
    quote(exchange, CAROL, (1_000, 100))
    order = liquidate(exchange)[0]

    assert (order["size"], order["filled"], order["outcome"]) == (-1_000, 0, UNFILLED)
    assert resting(exchange, BID) == [(CAROL, 1_000, 100)]


def test_the_vault_is_liquidated_like_anybody() -> None:
    exchange = venue(1e7, 1e7, vault=700, **TWO_THIRDS)
    hold(exchange, VAULT, ALICE, 1_000)
    quote(exchange, BOB, (1_000, 99.9))
    order = liquidate(exchange)[0]

    assert (order["account"], order["filled"]) == (VAULT, -1_000)
    assert equity(exchange, VAULT) == 600


def test_a_maker_without_margin_leaves_and_the_order_goes_on() -> None:
    exchange = venue(1_100, 1e7, 1e7, 1)
    hold(exchange, ALICE, BOB, 1_000)
    quote(exchange, DAVE, (500, 100))
    quote(exchange, CAROL, (1_500, 99.9))
    order = liquidate(exchange)[0]

    assert order["filled"] == -1_000
    assert exchange.book.size[0, [CAROL, DAVE]].tolist() == [1_000, 0]
    assert resting(exchange, BID) == [(CAROL, 500, 99.9)]


def test_an_account_cannot_be_liquidated_against_its_own_quote() -> None:
    exchange = failing()
    quote(exchange, ALICE, (500, 100))
    quote(exchange, CAROL, (1_000, 99.9))
    order = liquidate(exchange)[0]

    assert order["quote"] == -usd(99_900)
    assert resting(exchange, BID) == []


@pytest.mark.parametrize(("maker_fee", "charged"), [(-50, 0), (150, usd(15))])
def test_makers_pay_their_fee_but_liquidations_earn_no_rebate(maker_fee: int, charged: int) -> None:
    exchange = failing(taker_fee=450, maker_fee=maker_fee)
    quote(exchange, CAROL, (1_000, 100))
    liquidate(exchange)

    assert exchange.book.cash[FEES] == charged
    assert equity(exchange, ALICE) == 1_100


def test_liquidating_into_an_empty_book_changes_nothing() -> None:
    exchange = failing()
    before = exchange.book.cash.copy()
    order = liquidate(exchange)[0]

    assert (order["size"], order["filled"]) == (-1_000, 0)
    assert (exchange.book.cash == before).all()


def test_without_candidates_a_round_has_no_rows() -> None:
    assert len(liquidate(failing(2_000))) == 0


def test_a_trader_may_close_their_own_position_ahead_of_the_venue() -> None:
    exchange = failing()
    quote(exchange, CAROL, (1_000, 100))
    place(exchange, ALICE, -1_000)

    assert len(liquidate(exchange)) == 0


def filled_against(
    levels: list[tuple[int, int]], collateral: int, side: int, vault: float, watched: bool = True
) -> tuple[Exchange, Rows]:
    """Liquidate ALICE into levels of (lots, cents from the mark)."""
    exchange = failing(collateral, side, vault=vault, **TWO_THIRDS)
    exchange.venue.ladder = venue().venue.ladder
    for lots, cents in levels:
        quote(exchange, ERIN, (side * lots, 100 + side * cents / 100))
    return exchange, liquidate(exchange, tranches(exchange, WHOLE._replace(watched=watched)))[0]


def lot_by_lot(levels: list[tuple[int, int]], collateral: int, vault: float) -> tuple[int, int]:
    """Lots closed and equity left [micro-USD] of a long sold one lot at a time, with the rules asked anew."""
    worth, held = usd(collateral), 1_000
    for lots, cents in sorted(levels, key=lambda level: -level[1]):
        for _ in range(lots):
            far_below = worth * PPM < 666_667 * held * usd(1.2)
            if held == 0 or worth < 0 or (far_below and vault) or worth + cents * 10_000 < 0:
                return 1_000 - held, worth
            worth += cents * 10_000
            held -= 1
    return 1_000 - held, worth


@given(st.integers(-2_000, 1_199), st.sampled_from([1, -1]), st.sampled_from([0, 1e6]), UNTIL_EMPTY)
def test_a_watched_order_ends_where_selling_lot_by_lot_would(
    collateral: int, side: int, vault: float, levels: list[tuple[int, int]]
) -> None:
    exchange, order = filled_against(levels, collateral, side, vault)
    book, size = exchange.book, int(exchange.book.size[0, ALICE])
    worth = risk(exchange, ALICE)[0]

    assert (abs(order["filled"]), worth) == lot_by_lot(levels, collateral, vault)
    assert 0 <= side * size <= 1_000
    assert order["filled"] == size - side * 1_000
    assert worth >= min(usd(collateral), 0)
    assert book.cash.sum() == usd(collateral + 4e7 + vault)
    assert book.size[0].sum() == 0


@given(
    st.integers(801, 1_199), st.sampled_from([1, -1]), st.sampled_from([0, 1e6]), UNTIL_EMPTY, st.booleans()
)
def test_it_does_not_matter_how_makers_divide_their_orders(
    collateral: int, side: int, vault: float, levels: list[tuple[int, int]], watched: bool
) -> None:
    parts = [
        piece
        for lots, cents in levels
        for piece in ((lots - lots // 2, cents), (lots // 2, cents))
        if piece[0]
    ]
    whole, _ = filled_against(levels, collateral, side, vault, watched)
    divided, _ = filled_against(parts, collateral, side, vault, watched)

    assert (whole.book.cash == divided.book.cash).all()
    assert (whole.book.size == divided.book.size).all()


def crash(seed: int, depth: int, capital: float) -> Exchange:
    """Thirty longs and shorts at ten to thirty times their collateral, and bids below a fallen mark.

    ALICE makes the market; the last account holds money and nothing else.
    """
    exchange = venue(1e6, *[0] * 60, 5, vault=capital, **TWO_THIRDS)
    draw = stream(seed, "crash")
    for account in range(BOB, BOB + 60, 2):
        size = int(draw.integers(100, 5_000))
        hold(exchange, account, account + 1, size)
        for holder in (account, account + 1):
            exchange.deposit(holder, int(size * usd(100) / draw.uniform(10, 30)))
    set_price(exchange, 96)
    quote(exchange, ALICE, *((depth, 96 - step / 4) for step in range(6)))
    return exchange


@given(st.integers(0, 2**32 - 1), st.sampled_from([10, 1_000, 20_000]), st.sampled_from([0, 1e4, 1e7]))
@settings(max_examples=30)
def test_after_a_crash_book_vault_and_winners_leave_no_debt_and_the_idle_lose_nothing(
    seed: int, depth: int, capital: float
) -> None:
    exchange = crash(seed, depth, capital)
    book, rules, engine = exchange.book, exchange.parameters, tranches(exchange, HYPERLIQUID)
    deposits, previous = book.cash.sum(), integers(usd(100))
    for number in range(60):
        failing = liquidatable(book, rules)
        before = book.size.copy()
        engine.round(book, rules, failing, Moment(60.0, 1.0, number, seed))
        for account in failing:
            if not take_over(book, rules, account) and risk(exchange, account)[0] < 0:
                deleverage(book, rules, account, RANKED, previous, seed)
        if (book.size == before).all():
            break
    worth = accounts_risk(book, rules)[0]

    assert book.cash.sum() == deposits
    assert not book.size.sum()
    assert worth.min() >= 0
    assert worth[-1] == usd(5)


def planned(exchange: Exchange) -> Rows:
    """ALICE's order of a round, not executed."""
    at_leisure = np.zeros(len(exchange.book.cash), np.bool_)
    return plan_orders(exchange.book, exchange.parameters, WHOLE, integers(ALICE), at_leisure)


def test_compiled_and_interpreted_searches_agree() -> None:
    exchange = failing(**TWO_THIRDS)
    order = planned(exchange)[0]
    simple = SimpleNamespace(account=ALICE, market=0, size=-1_000)
    health = [np.empty(2), np.empty(2)]
    for fill, out in zip((fill_health, fill_health.py_func), health, strict=True):
        fill(exchange.book, exchange.parameters, integers(ALICE, ERIN), out)
    found = [
        search(exchange.book, exchange.parameters, each, CAROL, usd(98), 500)
        for search, each in ((lots_to_trigger, order), (lots_to_trigger.py_func, simple))
    ]

    assert found == [250, 250]
    assert health[0].tolist() == health[1].tolist() == [1_100 / 1_200, usd(1e7)]
