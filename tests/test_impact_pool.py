"""The oracle-priced pool: price impact, limits of what it takes on, waiting orders, and quotes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import BITCOIN, NO_FEES, NO_IMPACT, SQUARE, Pools, rows
from venue import ALICE, BOB, integers, usd

from protocol.book import FEES, LONG, SHORT, exchange_position, move_cash
from protocol.orders import POST_ONLY, REST
from protocol.venues.backing import backing, side_backing, side_gain, side_room, user_interest
from protocol.venues.impact import pool_parameters, pool_violations, price_impact
from protocol.venues.pool_quotes import side_depth
from protocol.venues.settlement import set_aside

pytestmark = pytest.mark.kernel

FREE = NO_IMPACT | NO_FEES
STEEP = SQUARE | {"factor_negative": 1e-8, "factor_positive": 1e-8}


def impact(skew: float, change: float, **rule: Any) -> int:
    return price_impact(pool_parameters(1, **rule), 0, usd(skew), usd(change))


@pytest.mark.parametrize("row", rows("price_impact"), ids=lambda row: f"{row['skew']}{row['change']:+}")
def test_price_impact_is_that_of_gmx(row: dict[str, Any]) -> None:
    names = ("factor_negative", "factor_positive", "exponent_negative", "exponent_positive")
    rule = dict(zip(names, [*row["factors"], *row["exponents"]], strict=True))

    assert impact(row["skew"], row["change"], **rule) == pytest.approx(usd(row["impact"]), abs=1)


@pytest.mark.parametrize(("notional", "points"), [(10e6, 9), (50e6, 45)])
def test_one_sided_interest_in_bitcoin_costs_what_gmx_says(notional: float, points: float) -> None:
    assert impact(0, notional, **BITCOIN) == pytest.approx(-usd(notional * points / 1e4), abs=1)


def test_an_imbalance_below_one_dollar_has_no_price() -> None:
    linear = {"factor_negative": 1e-3, "exponent_negative": 1.0}

    assert impact(0, 0.999999, **linear) == 0
    assert impact(0, 1, **linear) == pytest.approx(-1_000, abs=1)


@given(
    st.integers(-(10**13), 10**13),
    st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=5),
    st.floats(1e-12, 1e-8),
    st.floats(0, 2),
    st.floats(1, 2.5),
    st.floats(1, 2.5),
)
def test_splitting_an_order_gains_nothing(
    skew: int, parts: list[int], factor: float, ratio: float, worse: float, better: float
) -> None:
    rule = pool_parameters(
        1,
        factor_negative=factor,
        factor_positive=ratio * factor,
        exponent_negative=worse,
        exponent_positive=better,
    )
    total, here = 0, skew
    for part in parts:
        total += price_impact(rule, 0, here, part)
        here += part
    whole = price_impact(rule, 0, skew, sum(parts))

    assert total <= whole + 1 + 1e-12 * factor * (10 * 6e7) ** max(worse, better) * 1e6


@given(
    st.integers(-(10**13), 10**13),
    st.integers(-(10**13), 10**13),
    st.floats(1e-12, 1e-8),
    st.floats(0, 3),
    st.floats(1, 2.5),
    st.floats(1, 2.5),
)
def test_impact_never_pays_for_a_round_trip(
    skew: int, change: int, factor: float, ratio: float, worse: float, better: float
) -> None:
    rule = pool_parameters(
        1,
        factor_negative=factor,
        factor_positive=ratio * factor,
        exponent_negative=worse,
        exponent_positive=better,
    )

    assert price_impact(rule, 0, skew, change) + price_impact(rule, 0, skew + change, -change) <= 0


@pytest.mark.parametrize("row", rows("round_trips"), ids=lambda row: f"{row['lots']}")
@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
def test_an_increase_settles_its_impact_when_it_closes(row: dict[str, float], side: int) -> None:
    world = Pools(1e8, **NO_FEES)
    lots = side * int(row["lots"])
    world.trade(ALICE, lots)

    assert world.cash(world.purse) == 0
    assert world.broken() == []

    fill = world.trade(ALICE, -lots)[0]

    assert world.cash(ALICE) == pytest.approx(1e8 - row["paid"] - row["aside"], abs=4e-6)
    assert fill["quote"] == pytest.approx(-lots * usd(100) + usd(row["paid"] + row["aside"]), abs=4)
    assert world.cash(world.purse) == pytest.approx(row["paid"] + row["aside"], abs=4e-6)
    assert world.broken() == []


@pytest.mark.parametrize("row", rows("fees"), ids=lambda row: f"{row['lots']} at {row['price']}")
def test_fees_depend_on_the_balance_and_are_split(row: dict[str, float]) -> None:
    world = Pools(1e10, 1e10, prices=(row["price"],), liquidity=1e12, **NO_IMPACT)
    if row["improves"]:
        world.trade(BOB, -2 * int(row["lots"]))
    fees, pool = world.book.cash[[FEES, world.pool]].copy()
    fill = world.trade(ALICE, int(row["lots"]))[0]

    assert fill["taker_fee"] == usd(row["fee"])
    assert fill["maker_fee"] == -usd(row["pool"])
    assert world.book.cash[FEES] - fees == usd(row["sink"])
    assert world.book.cash[world.pool] - pool == usd(row["pool"]) + fill["quote"]


def test_an_order_that_mirrors_the_imbalance_does_not_improve_it() -> None:
    world = Pools(1e8, 1e8, **NO_IMPACT)
    world.trade(BOB, 100)

    assert world.trade(ALICE, -200)[0]["taker_fee"] == usd(12)


def test_a_fill_says_what_the_taker_paid() -> None:
    world = Pools(1e8)
    world.trade(ALICE, 100_000)
    before = world.book.cash[ALICE]
    fill = world.trade(ALICE, -50_000)[0]

    assert world.book.cash[ALICE] - before == -fill["quote"] - fill["taker_fee"]
    assert fill["price"] == round(fill["quote"] / fill["size"])
    assert fill["quote"] == -usd(5_000_000 - 4_500 + 0.00015)


def test_a_partial_close_settles_its_share_of_what_is_pending() -> None:
    world = Pools(1e8, **NO_FEES)
    world.trade(ALICE, 100_000)

    assert world.venue.state.pending[0, ALICE] == -usd(9_000)

    world.trade(ALICE, -25_000)

    assert world.venue.state.pending[0, ALICE] == -usd(6_750)
    assert world.cash(world.purse) == pytest.approx(2_250, abs=0.001)


def test_traders_who_balance_the_market_are_paid_by_those_who_did_not() -> None:
    world = Pools(1e8, 1e8, **NO_FEES, **STEEP)
    world.trade(ALICE, 1_000)
    world.trade(BOB, -1_000)

    assert world.venue.state.pending[0, [ALICE, BOB]].tolist() == [-usd(100), usd(100)]

    world.trade(ALICE, -1_000)

    assert world.cash(world.purse) == 200

    world.trade(BOB, 1_000)

    assert world.cash(BOB) == 1e8 + 200
    assert world.cash(world.purse) == 0


def test_a_gain_of_impact_is_capped_by_its_share_of_the_size() -> None:
    world = Pools(1e8, 1e8, purse=1e6, **NO_FEES, **STEEP)
    world.trade(ALICE, 10_000)
    world.trade(BOB, -10_000)

    assert world.venue.state.pending[0, BOB] == usd(4_000)

    world.trade(ALICE, -10_000)
    world.trade(BOB, 10_000)

    assert world.cash(BOB) == 1e8 + 4_000


def test_a_gain_is_never_capped_above_what_a_loss_is() -> None:
    world = Pools(1e8, 1e8, **NO_FEES, **STEEP, cap_negative=1_000)
    world.trade(ALICE, 10_000)
    world.trade(BOB, -10_000)

    assert world.venue.state.pending[0, BOB] == usd(1_000)


def awaiting(impact: float, **rule: Any) -> Pools:
    """ALICE holds 1,000 lots with this impact pending, in a market without impact of its own."""
    world = Pools(1e8, liquidity=1e7, **FREE, **rule)
    world.trade(ALICE, 1_000)
    world.venue.state.pending[0, ALICE] = usd(impact)
    return world


@pytest.mark.parametrize(
    ("purse", "share", "most", "paid", "lent"),
    [
        (100, 0, 0, 100, 0),
        (30, 0, 0, 30, 0),
        (30, 4, 1e6, 70, 40),
        (30, 1_000_000, 25, 55, 25),
        (30, 1_000_000, 1e6, 100, 70),
    ],
)
def test_a_gain_of_impact_is_paid_out_of_the_purse_and_a_loan_of_the_pools(
    purse: float, share: int, most: float, paid: float, lent: float
) -> None:
    world = awaiting(100, purse=purse, lendable_share=share, lendable_maximum=usd(most))
    world.trade(ALICE, -1_000)

    assert world.cash(ALICE) == 1e8 + paid
    assert world.venue.state.lent[0] == usd(lent)
    assert world.cash(world.purse) == max(purse - paid, 0)
    assert world.cash(world.pool) == 1e7 - lent
    assert world.broken() == []


def test_the_purse_repays_the_pools_loan_first() -> None:
    world = awaiting(-50)
    world.venue.state.lent[0] = usd(30)
    world.trade(ALICE, -1_000)

    assert world.venue.state.lent[0] == 0
    assert world.cash(world.purse) == 20
    assert world.cash(world.pool) == 1e7 + 30


def test_what_is_lent_already_leaves_less_to_lend() -> None:
    world = awaiting(100, lendable_share=1_000_000, lendable_maximum=usd(50))
    world.venue.state.lent[0] = usd(30)
    world.trade(ALICE, -1_000)

    assert world.cash(ALICE) == 1e8 + 20


def test_a_loan_to_the_purse_stays_part_of_what_backs_the_users() -> None:
    world = Pools(1e8, liquidity=1e6)
    move_cash(world.book, world.pool, world.purse, usd(400))
    world.venue.state.lent[0] = usd(400)
    desk = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert desk.cheap == desk.dear == desk.free == usd(1e6)


def test_positions_that_were_there_before_the_pools_looked_are_counted() -> None:
    world = Pools(1e8, liquidity=1e6, **FREE)
    exchange_position(world.book, ALICE, world.pool, 0, 450, usd(45_000))
    desk = world.venue.desk(world.book, world.parameters, world.pool, 0.0, world.locks)

    assert desk.open
    assert world.venue.state.cost[:, 0].tolist() == [usd(45_000), 0]
    assert world.venue.usage(world.book)[:, 0].tolist() == [0.1, 0]


def test_usage_is_reserved_over_what_may_be_reserved_and_bounded() -> None:
    world = Pools(1e8, liquidity=200_000, **FREE)
    world.trade(ALICE, -450)
    world.trade(ALICE, 900)
    world.set_price(120)

    assert world.venue.usage(world.book)[:, 0].tolist() == [54_000 / 90_000, 0]

    move_cash(world.book, world.pool, BOB, usd(199_000))

    assert world.venue.usage(world.book)[:, 0].tolist() == [2, 0]


def test_funding_that_the_pool_has_earned_backs_the_users() -> None:
    world = Pools(1e8, liquidity=1e6, **FREE)
    world.trade(ALICE, 100)
    world.book.funding[SHORT, 0] += 1000 * usd(3)

    assert backing(world.book, world.venue.state, world.pool) == usd(1e6 + 300)


def test_a_new_position_inherits_no_impact() -> None:
    world = Pools(1e8, **NO_FEES)
    world.venue.state.pending[0, ALICE] = -usd(77)
    world.trade(ALICE, 10)

    assert world.venue.state.pending[0, ALICE] == pytest.approx(-90, abs=1)


def test_the_money_of_claims_pays_nobody_else() -> None:
    world = awaiting(100, purse=60, lendable_share=0)
    set_aside(world.book, world.venue.state.claims, 0, BOB, usd(40), 9.0)
    world.trade(ALICE, -1_000)

    assert world.cash(ALICE) == 1e8 + 60
    assert world.cash(world.purse) == 40


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-300, 300)), max_size=12), st.integers(90, 110))
def test_money_positions_and_the_purse_are_kept(orders: list[tuple[int, int]], price: int) -> None:
    world = Pools(1e6, 1e6, 1e6, liquidity=1e5, **STEEP, long_share=600_000)
    for number, (who, lots) in enumerate(orders):
        if number == len(orders) // 2:
            world.set_price(price)
        if lots:
            world.trade(ALICE + who, lots)

        assert world.broken() == []
        assert world.book.cash[world.purse] >= 0


@given(st.integers(-5_000, 5_000), st.integers(-5_000, 5_000).filter(bool), st.floats(0.0, 3.0))
def test_a_round_trip_at_one_price_costs_at_least_the_fees(skew: int, lots: int, ratio: float) -> None:
    world = Pools(1e9, 1e9, purse=1e6, **(STEEP | {"factor_positive": ratio * 1e-8}))
    if skew:
        world.trade(BOB, skew)
    before = world.book.cash[ALICE]
    opened, closed = world.trade(ALICE, lots)[0], world.trade(ALICE, -lots)[0]
    fees = opened["taker_fee"] + closed["taker_fee"]

    assert world.book.cash[ALICE] <= before - fees
    assert world.broken() == []


@given(st.integers(-4_000, 4_000), st.lists(st.integers(1, 1_000), min_size=2, max_size=4))
def test_a_position_opened_in_parts_has_no_better_impact(skew: int, parts: list[int]) -> None:
    whole, split = (Pools(1e9, 1e9, purse=1e6, **NO_FEES, **STEEP) for _ in range(2))
    for world in (whole, split):
        if skew:
            world.trade(BOB, skew)
    whole.trade(ALICE, sum(parts))
    for part in parts:
        split.trade(ALICE, part)
    pending = [world.venue.state.pending[0, ALICE] for world in (whole, split)]

    assert pending[1] <= pending[0] + 1


class Ledger:
    """Two traders against a pool in plain floats: an account of its own of what every trade moves."""

    def __init__(self, factor: float, exponent: float, cap: float) -> None:
        self.factor, self.exponent, self.cap = factor, exponent, cap
        self.lots, self.pending, self.cash = [0, 0], [0.0, 0.0], [0.0, 0.0]
        self.purse = self.owed = 0.0

    def priced(self, lots: float, price: float) -> float:
        return self.factor * abs(lots * price) ** self.exponent

    def trade(self, who: int, change: int, price: float) -> None:
        skew, held = sum(self.lots), self.lots[who]
        closing = -min(abs(held), abs(change)) * np.sign(held) if held * change < 0 else 0
        for part, closes in ((closing, True), (change - closing, False)):
            if part == 0:
                continue
            own = min(
                self.priced(skew, price) - self.priced(skew + part, price), self.cap * abs(part) * price
            )
            fee = 0.0004 if abs(skew + part) < abs(skew) else 0.0006
            self.cash[who] -= part * price + abs(part) * price * fee
            skew += part
            if closes:
                own += self.pending[who] * abs(part / held)
                self.settle(who, own, abs(part) * price)
                self.pending[who] *= 1 - abs(part / held)
            else:
                self.pending[who] += own
            self.lots[who] += part

    def settle(self, who: int, impact: float, notional: float) -> None:
        aside = max(-impact - self.cap * notional, 0.0)
        paid = min(impact, self.cap * notional, self.purse - self.owed) if impact > 0 else impact
        self.cash[who] += paid
        self.purse -= paid
        self.owed += aside


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(-3_000, 3_000).filter(bool), st.integers(50, 200)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([1.0, 1.5, 2.0]),
)
def test_trades_move_what_a_ledger_in_plain_numbers_says(
    trades: list[tuple[int, int, int]], exponent: float
) -> None:
    factor = 1e-8 * 1e5 ** (2 - exponent)
    impact = {"factor_negative": factor, "factor_positive": factor, "cap_positive": 5_000}
    exponents = {"exponent_negative": exponent, "exponent_positive": exponent}
    world = Pools(1e8, 1e8, lendable_share=0, **impact, **exponents)
    ledger = Ledger(factor, exponent, 0.005)
    for who, change, price in trades:
        world.set_price(price)
        world.trade(ALICE + who, change)
        ledger.trade(who, change, price)
    cash = [world.cash(ALICE + who) - 1e8 for who in range(2)]

    assert world.book.size[0, [ALICE, BOB]].tolist() == ledger.lots
    assert cash == pytest.approx(ledger.cash, abs=2e-4)
    assert world.cash(world.purse) == pytest.approx(ledger.purse, abs=2e-4)


def test_an_order_through_zero_is_a_close_and_an_increase() -> None:
    world = Pools(1e8, **FREE)
    world.trade(ALICE, 1_000)
    world.set_price(110)
    fills = world.trade(ALICE, -3_000)

    assert fills["size"].tolist() == [-1_000, -2_000]
    assert world.book.size[0, ALICE] == -2_000
    assert world.book.entry[0, ALICE] == usd(110)
    assert world.venue.state.cost[:, 0].tolist() == [0, usd(220_000)]


def test_buyers_pay_the_high_and_sellers_get_the_low_price() -> None:
    world = Pools(1e6, 1e6, spread=1_000, **FREE)

    assert world.trade(ALICE, 10)[0]["price"] == usd(100.05)
    assert world.trade(BOB, -10)[0]["price"] == usd(99.95)
    assert world.trade(ALICE, -10)[0]["price"] == usd(99.95)
    assert world.trade(BOB, 10)[0]["price"] == usd(100.05)
    assert world.cash(world.pool) == 1e9 + 2


@pytest.mark.parametrize(("lots", "side"), [(1, LONG), (-1, SHORT)])
def test_no_side_grows_beyond_its_cap_but_may_always_shrink(lots: int, side: int) -> None:
    world = Pools(1e8, interest_cap=usd(100_000), **FREE)

    assert len(world.trade(ALICE, 1_001 * lots)) == 0
    assert len(world.trade(ALICE, 1_000 * lots)) == 1
    assert len(world.trade(ALICE, lots)) == 0
    assert user_interest(world.book, 0, side) == 1_000

    world.set_price(300)

    assert len(world.trade(ALICE, -999 * lots)) == 1


def test_longs_are_reserved_for_at_the_price_and_shorts_at_cost() -> None:
    world = Pools(1e8, 1e8, liquidity=200_000, reserve=900_000, **FREE)
    world.trade(ALICE, 450)
    world.trade(BOB, -450)
    state, rule = world.venue.state, world.venue.parameters
    world.set_price(180)

    assert side_backing(world.book, state, rule, 0, LONG) == usd(100_000)
    assert side_room(world.book, state, rule, 0, LONG) == usd(90_000 - 450 * 180)
    assert side_room(world.book, state, rule, 0, SHORT) == usd(90_000 - 45_000)
    assert len(world.trade(ALICE, 51)) == 0
    assert len(world.trade(ALICE, 50)) == 1
    assert len(world.trade(BOB, -251)) == 0
    assert len(world.trade(BOB, -250)) == 1


def test_a_sides_gains_beyond_the_cap_are_not_paid_in_full() -> None:
    world = Pools(1e7, 1e7, liquidity=200_000, gain_cap=900_000, reserve=9_000_000, **FREE)
    world.trade(ALICE, 1_000)
    world.trade(BOB, 1_000)
    world.set_price(160)

    assert side_gain(world.book, world.venue.state, 0, LONG, usd(160)) == usd(120_000)

    world.trade(ALICE, -1_000)

    assert world.cash(ALICE) == 1e7 + 45_000
    assert world.broken() == []


def test_a_margin_too_small_for_the_position_refuses_the_order() -> None:
    world = Pools(60, **FREE)

    assert len(world.trade(ALICE, 121)) == 0
    assert len(world.trade(ALICE, 120)) == 1


def test_the_margin_has_to_reach_for_the_fee_too() -> None:
    assert len(Pools(56, **NO_IMPACT).trade(ALICE, 100)) == 1
    assert len(Pools(55.99, **NO_IMPACT).trade(ALICE, 100)) == 0


def test_a_close_whose_fee_leaves_a_debt_is_refused() -> None:
    world = Pools(106, **NO_IMPACT)
    world.trade(ALICE, 100)
    world.set_price(99.03)

    assert len(world.trade(ALICE, -100)) == 0

    world.set_price(99.04)

    assert len(world.trade(ALICE, -100)) == 1


def test_a_close_that_leaves_a_debt_is_refused() -> None:
    world = Pools(60, **FREE)
    world.trade(ALICE, 100)
    world.set_price(99)

    assert len(world.trade(ALICE, -100)) == 0


def test_an_immediate_order_refuses_a_price_beyond_its_limit_with_the_impact() -> None:
    world = Pools(1e8)

    assert len(world.trade(ALICE, 100_000, 100.0899)) == 0
    assert len(world.trade(ALICE, 100_000, 100.09)) == 1
    assert len(world.trade(BOB, -1, 100.01)) == 0


@pytest.mark.parametrize("side", [1, -1], ids=["buy", "sell"])
def test_a_limit_order_waits_until_the_oracle_reaches_it(side: int) -> None:
    world = Pools(1e6, **FREE)
    world.trade(ALICE, side * 10, 100 - side * 5, kind=REST)
    world.set_price(100 - side * 4.99)

    assert len(world.settle()) == 0

    world.set_price(100 - side * 5.5)
    fills = world.settle()

    assert fills[["taker", "size", "price"]].tolist() == [(ALICE, side * 10, usd(100 - side * 5.5))]
    assert len(world.settle()) == 0


def test_waiting_orders_expire_and_are_withdrawn() -> None:
    world = Pools(1e6, 1e6, **FREE)
    world.trade(ALICE, 10, 90, kind=REST)
    world.trade(BOB, 10, 90, kind=REST)
    leaving = np.zeros(len(world.book.cash), np.bool_)
    leaving[ALICE] = True
    world.venue.cancel(leaving, 5)

    assert world.venue.waiting.account.tolist() == [BOB]

    world.venue.cancel(~leaving & False, (1 << 40) + 1)

    assert len(world.venue.waiting.account) == 0


def test_a_post_only_order_never_executes_on_arrival() -> None:
    world = Pools(1e6, **FREE)

    assert len(world.trade(ALICE, 10, 101, kind=POST_ONLY)) == 0
    assert len(world.venue.waiting.account) == 0

    world.trade(ALICE, 10, 99, kind=POST_ONLY)
    world.set_price(98)

    assert len(world.settle()) == 1


def test_a_reducing_order_waits_and_closes_no_more_than_there_is() -> None:
    world = Pools(1e6, **FREE)
    world.trade(ALICE, 10)
    world.trade(ALICE, -30, 105, kind=REST, reduce_only=True)
    world.trade(ALICE, 5)
    world.set_price(106)

    assert world.settle()["size"].tolist() == [-15]
    assert len(world.venue.waiting.account) == 0


def test_a_resting_order_waits_for_room_and_an_immediate_one_does_not() -> None:
    world = Pools(1e7, 1e7, interest_cap=usd(100_000), **FREE)
    world.trade(ALICE, 1_000)
    world.trade(BOB, 10, 110, kind=REST)
    world.trade(BOB, 10, 110)

    assert len(world.venue.waiting.account) == 1

    fills = world.trade(ALICE, -10)

    assert fills["taker"].tolist() == [ALICE]
    assert world.settle()["taker"].tolist() == [BOB]


def test_nothing_trades_on_a_price_that_may_not_be_used() -> None:
    world = Pools(1e6, **FREE)
    world.refresh(usable=False)

    assert len(world.trade(ALICE, 10)) == 0
    assert world.venue.quotes(world.book, world.parameters).ask[0] == 0

    world.refresh()

    assert len(world.trade(ALICE, 10)) == 1


def test_markets_of_one_underlying_share_their_imbalance() -> None:
    world = Pools(1e8, 1e8, prices=(100.0, 100.0), underlying=[7, 7], **NO_FEES)
    apart = Pools(1e8, 1e8, prices=(100.0, 100.0), **NO_FEES)
    for each in (world, apart):
        each.trade(ALICE, 100_000, market=0)
        each.trade(BOB, 100_000, market=1)

    assert apart.venue.state.pending[1, BOB] == -usd(9_000)
    assert world.venue.state.pending[1, BOB] == -usd(27_000)


def test_impact_set_aside_is_paid_back_after_five_days() -> None:
    world = Pools(1e8, **NO_FEES)
    world.trade(ALICE, 600_000)
    world.trade(ALICE, -600_000)
    owed = world.cash(world.purse)

    assert owed == pytest.approx(323_999.9982, abs=1e-5)

    world.refresh(5 * 86_400.0 - 1)

    assert world.cash(world.purse) == owed

    world.refresh(5 * 86_400.0)

    assert world.cash(world.purse) == 300_000
    assert world.cash(ALICE) == 1e8 - 300_000
    assert world.broken() == []

    world.refresh(6 * 86_400.0)

    assert world.cash(world.purse) == 300_000


def test_quotes_are_prices_of_orders() -> None:
    world = Pools(1e8, spread=200)
    world.trade(ALICE, 100_000)
    world.parameters = world.parameters._replace(impact_notional=integers(usd(1e6)))
    shown = world.venue.quotes(world.book, world.parameters)

    assert shown.ask[0] == pytest.approx(usd(100.01) * (1 + 2 * 9e-11 * 1e7))
    assert shown.bid[0] == pytest.approx(usd(99.99) * (1 + 3e-11))
    assert shown.impact_ask[0] == pytest.approx(usd(100.01 + 100 * 9e-11 * 2.1e7), rel=1e-6)
    assert shown.impact_bid[0] == pytest.approx(usd(99.99), rel=1e-9)


@pytest.mark.parametrize(("price", "better"), [(1_000, 0.002), (100_000, 0.004)])
def test_who_would_balance_the_market_sees_a_better_price(price: float, better: float) -> None:
    world = Pools(1e9, prices=(price,), **STEEP)
    world.trade(ALICE, 100)
    shown = world.venue.quotes(world.book, world.parameters)

    assert shown.bid[0] == pytest.approx(usd(price * (1 + better)))
    assert shown.ask[0] == pytest.approx(usd(price * (1 + 2 * price * 100 * 1e-8)))


def test_each_side_has_a_depth_of_its_own() -> None:
    world = Pools(1e8, **STEEP)
    edge = 0.01 / (2 * 1e-8)
    world.trade(ALICE, 8_000)
    shown = [
        side_depth(world.book, world.venue.state, world.venue.parameters, 0, buy) for buy in (True, False)
    ]

    assert shown == pytest.approx([0, usd(edge + 800_000)])


def test_depth_ends_where_the_pool_is_full() -> None:
    world = Pools(1e8, **STEEP, interest_cap=usd(100_000))
    world.trade(ALICE, 500)
    shown = [
        side_depth(world.book, world.venue.state, world.venue.parameters, 0, buy) for buy in (True, False)
    ]

    assert shown == [usd(50_000), usd(100_000)]


@pytest.mark.parametrize(("factor", "depth"), [(0.0099, 200_000), (0.01, 0)])
def test_a_linear_impact_leaves_the_whole_room_or_none(factor: float, depth: float) -> None:
    world = Pools(1e8, exponent_negative=1.0, factor_negative=factor, interest_cap=usd(100_000))

    assert world.venue.quotes(world.book, world.parameters).depth[0] == usd(depth)


def test_depth_is_what_brings_the_price_of_an_order_one_per_cent_away() -> None:
    world = Pools(1e8)
    world.trade(ALICE, 100_000)
    shown = world.venue.quotes(world.book, world.parameters)
    edge = 0.01 / (2 * 9e-11)

    assert shown.depth[0] == pytest.approx(usd(2 * edge), rel=1e-9)


def test_a_full_side_has_no_depth_and_no_impact_price() -> None:
    world = Pools(1e8, interest_cap=usd(1e6), **FREE)
    world.trade(ALICE, 10_000)
    shown = world.venue.quotes(world.book, world.parameters)

    assert shown.impact_ask[0] == 0
    assert shown.impact_bid[0] > 0
    assert shown.depth[0] == usd(1e6)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("gain_target", 860_000, "gain_target"),
        ("cap_negative", -1, "cap_negative"),
        ("exponent_negative", 0.5, "1 <= exponent_negative <= 3 must hold, got 0.5"),
        ("exponent_positive", np.nan, "exponent_positive"),
        ("factor_negative", -1e-9, "0 <= factor_negative"),
        ("fee_worsens", -100, "0 <= fee_worsens <= inf must hold, got -0.0001"),
        ("gain_cap", 1_000_001, "gain_cap"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(field: str, value: float, told: str) -> None:
    broken = pool_violations(pool_parameters(2, **{field: value}))

    assert len(broken) == 2
    assert told in broken[0]
    with pytest.raises(ValueError, match=field):
        Pools(**{field: value})


def test_an_unknown_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no field depth"):
        pool_parameters(1, depth=3)


def test_a_purse_that_cannot_pay_its_claims_is_told() -> None:
    world = Pools(1e6)
    set_aside(world.book, world.venue.state.claims, 0, ALICE, usd(5), 0.0)
    world.book.cash[world.purse] -= 1

    assert "impact_purse_covers_claims" in world.venue.violated(world.book)[0]
