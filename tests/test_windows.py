"""Liquidation by windows: what a flag takes, how fast positions close, and who bears what meanwhile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import DEPOSITS, INSURANCE, VAULT, Book, Ints, Rows, exchange_position, open_book
from protocol.liquidations.keepers import Offers
from protocol.liquidations.record import COMPLETE, NO_OFFERS, PARTIAL, UNFILLED, Moment
from protocol.liquidations.seizure import WindowParameters
from protocol.liquidations.windows import NOBODY, Windows, window_capacity
from protocol.margin import equity_of
from protocol.orders import orders
from protocol.scan import liquidatable
from protocol.venues.skew_pool import SkewPool
from protocol.venues.skew_price import SkewParameters

pytestmark = pytest.mark.kernel

REFERENCE = yaml.safe_load(
    (Path(__file__).parent / "reference" / "synthetix_v3.yaml").read_text(encoding="utf-8")
)
POOL = 4
KEEPER = DAVE
FEES = {"taker_fee": 500, "maker_fee": 1}
WINDOW = 225


def rows(section: str) -> list[dict[str, Any]]:
    return REFERENCE[section]["rows"]


def market(*prices: float, pool: float = 1e6) -> Book:
    """A book of traders without money, and a pool with some [USD]; one lot is one unit of base."""
    book = open_book(DAVE + 1, integers(*map(usd, prices or (100.0,))))
    book.counterparty[:] = POOL
    endow(book, POOL, pool)
    return book


def endow(book: Book, account: int, amount: float) -> None:
    """Deposit an amount [USD]."""
    book.cash[account] += usd(amount)
    book.flows[DEPOSITS] += usd(amount)


def hold(book: Book, account: int, size: int, money: float, market: int = 0) -> None:
    """Give an account money [USD] and a position against the pool at the oracle's price."""
    endow(book, account, money)
    exchange_position(book, account, POOL, market, size, int(size * book.oracle[market]))


def set_price(book: Book, price: float, market: int = 0) -> None:
    book.oracle[market] = book.mark[market] = usd(price)


def engine(book: Book, scale: int = 10_000, keepers: Ints | None = None, **changes: Any) -> Windows:
    """An engine for a pool with some scale [lots], without keepers and extra windows."""
    full = np.full(len(book.oracle), scale)
    pool = SkewPool(SkewParameters(full, full * 0, full * 0), book)
    chosen = WindowParameters(**({"calm_skew": 0} | changes))
    return Windows(chosen, pool, integers() if keepers is None else keepers)


def run(
    windows: Windows, book: Book, time: float = 0.0, seconds: float = 2.0, number: int = 0, **rules: Any
) -> Rows:
    """One round with the accounts that are below maintenance as candidates."""
    numbers = parameters(len(book.oracle), **(FEES | rules))
    return windows.round(book, numbers, liquidatable(book, numbers), Moment(time, seconds, number, 0))


@pytest.mark.parametrize("row", rows("markets"))
def test_a_windows_capacity_is_that_of_the_venue(row: dict[str, Any]) -> None:
    per_lot = 1e9 if row["name"] == "PEPE" else 1e-4
    numbers = parameters(taker_fee=round(row["taker"] * PPM), maker_fee=round(row["maker"] * PPM))

    lots = window_capacity(numbers, WindowParameters(), integers(round(row["skew_scale"] / per_lot)))

    assert lots.tolist() == [int(row["window"] / per_lot + 1e-6)]


def test_without_fees_or_with_an_endorsed_liquidator_windows_bind_nobody() -> None:
    scale = integers(10_000)

    free = window_capacity(parameters(), WindowParameters(), scale)
    endorsed = window_capacity(parameters(**FEES), WindowParameters(endorsed=True), scale)

    assert free[0] == endorsed[0] > 10**15


def test_a_flag_takes_all_that_an_account_is_worth() -> None:
    book = market()
    hold(book, ALICE, 100, money=1000.0)
    set_price(book, 91.0)
    windows = engine(book)

    row = run(windows, book)[0]

    assert (row["equity"], row["maintenance"]) == (usd(100.0), usd(109.2))
    assert (row["fee"], row["pool"], row["insurance"]) == (usd(100.0), 0, 0)
    assert (row["size"], row["filled"], row["quote"]) == (-100, -100, -usd(9100.0))
    assert (row["oracle"], row["mark"], row["limit"], row["bankruptcy"]) == tuple(
        map(usd, (91.0, 91.0, 91.0, 90.0))
    )
    assert (row["outcome"], row["keeper"]) == (COMPLETE, NOBODY)
    assert book.cash[ALICE] == 0
    assert book.cash[POOL] == usd(1e6 + 1000.0)
    assert not book.size.any()
    assert not windows.flagged.any()


def test_the_pool_absorbs_what_an_account_owes() -> None:
    book = market()
    hold(book, ALICE, -100, money=1000.0)
    set_price(book, 113.0)

    row = run(engine(book), book)[0]

    assert (row["fee"], row["pool"]) == (0, usd(300.0))
    assert row["bankruptcy"] == usd(110.0)
    assert book.cash[ALICE] == 0
    assert book.cash[POOL] == usd(1e6 + 1000.0)


def test_a_flag_takes_collateral_assets_at_full_value() -> None:
    book = market(100.0, 10.0)
    hold(book, ALICE, 100, money=0.0)
    book.collateral[1, ALICE] = 50
    book.asset_flows[DEPOSITS, 1] = 50
    set_price(book, 95.5)
    weights = {name: integers(0, 900_000) for name in ("weight_initial", "weight_maintenance")}

    row = run(engine(book), book, **weights)[0]

    assert (row["equity"], row["fee"], row["pool"]) == (0, usd(50.0), 0)
    assert book.collateral[1, [ALICE, POOL]].tolist() == [0, 50]
    assert (book.cash[ALICE], book.cash[POOL]) == (0, usd(1e6))


def test_an_account_with_debt_and_collateral_but_no_position_is_seized_too() -> None:
    book = market()
    book.collateral[0, ALICE] = 1
    book.cash[[ALICE, BOB]] = -usd(130.0), usd(130.0)
    weights = {name: integers(900_000) for name in ("weight_initial", "weight_maintenance")}
    windows = engine(book)

    found = run(windows, book, **weights)

    assert found[["account", "size", "fee", "pool"]].tolist() == [(ALICE, 0, 0, usd(30.0))]
    assert (book.cash[ALICE], book.collateral[0, POOL]) == (0, 1)
    assert not windows.flagged[ALICE]


def test_positions_close_as_fast_as_the_rolling_window_allows() -> None:
    book = market()
    hold(book, ALICE, 500, money=5000.0)
    set_price(book, 91.0)
    windows = engine(book)
    assert window_capacity(parameters(**FEES), windows.parameters, integers(10_000))[0] == WINDOW
    closed = [
        int(run(windows, book, time)["filled"].sum()) for time in (0.0, 2.0, 29.0, 30.0, 59.0, 60.0, 90.0)
    ]

    assert closed == [-225, 0, 0, -225, 0, -50, 0]
    assert not windows.flagged[ALICE]


def test_rounds_of_a_block_are_as_far_apart_as_they_are_long() -> None:
    book = market()
    hold(book, ALICE, 500, money=5000.0)
    set_price(book, 91.0)
    windows = engine(book)

    closed = [int(run(windows, book, 60.0, number=number)["filled"].sum()) for number in range(16)]

    assert [number for number, lots in enumerate(closed) if lots] == [0, 15]


def test_a_round_longer_than_a_window_has_as_many_windows_as_fit() -> None:
    book = market()
    hold(book, ALICE, 1000, money=10_000.0)
    set_price(book, 91.0)
    windows = engine(book)

    closed = [int(run(windows, book, time, seconds=75.0)["filled"].sum()) for time in (75.0, 150.0, 225.0)]

    assert closed == [-450, -450, -100]


def test_the_first_flagged_is_the_first_closed() -> None:
    book = market()
    hold(book, BOB, 300, money=3000.0)
    set_price(book, 91.0)
    windows = engine(book)
    run(windows, book)
    set_price(book, 100.0)
    for account in (CAROL, ALICE):
        hold(book, account, 100, money=1000.0)
    set_price(book, 91.0)

    found = run(windows, book, 31.0)

    assert found[["account", "filled"]].tolist() == [(BOB, -75), (ALICE, -100), (CAROL, -50)]
    assert windows.queue.tolist() == [CAROL]


def test_what_a_flagged_position_gains_and_loses_is_the_pools() -> None:
    book = market()
    hold(book, ALICE, 300, money=3000.0)
    windows = engine(book)
    found = []
    for time, price in ((0.0, 91.0), (10.0, 81.0), (20.0, 95.0), (30.0, 100.0)):
        set_price(book, price)
        row = run(windows, book, time)[0]
        found.append(tuple(int(row[name]) for name in ("size", "filled", "fee", "pool", "outcome")))
        assert equity_of(book, parameters(), integers(ALICE)) == 0

    assert found == [
        (-300, -225, usd(300.0), 0, PARTIAL),
        (0, 0, 0, usd(750.0), UNFILLED),
        (0, 0, 0, -usd(1050.0), UNFILLED),
        (-75, -75, 0, -usd(375.0), COMPLETE),
    ]
    assert book.cash[ALICE] == 0
    assert book.cash[POOL] == usd(1e6 + 3000.0)


def test_flagged_accounts_are_served_without_being_candidates() -> None:
    book = market()
    hold(book, ALICE, 300, money=3000.0)
    windows = engine(book)
    set_price(book, 91.0)
    run(windows, book)
    set_price(book, 120.0)

    numbers = parameters(**FEES)
    found = windows.round(book, numbers, integers(), Moment(30.0, 2.0, 0, 0))

    assert liquidatable(book, numbers).tolist() == []
    assert found["filled"].tolist() == [-75]
    assert book.cash[ALICE] == 0


def test_a_calm_market_closes_one_more_window_each_round() -> None:
    book = market(pool=1e9)
    hold(book, ALICE, 1000, money=10_000.0)
    hold(book, BOB, -1000 + 4, money=1e6)
    set_price(book, 91.0)
    windows = engine(book, calm_skew=500)

    closed = [int(run(windows, book, time)["filled"].sum()) for time in (0.0, 2.0, 4.0)]

    assert closed == [-225, 0, 0]
    hold(book, CAROL, 221, money=1e6)
    assert run(windows, book, 6.0)["filled"].sum() == -225
    hold(book, CAROL, 225, money=1e6)
    assert run(windows, book, 6.0)["filled"].sum() == 0
    assert run(windows, book, 8.0)["filled"].sum() == -225


def test_a_calm_market_with_room_left_closes_only_what_is_left() -> None:
    book = market(pool=1e9)
    hold(book, ALICE, 100, money=1000.0)
    set_price(book, 91.0)
    windows = engine(book, calm_skew=500)
    run(windows, book)
    set_price(book, 100.0)
    hold(book, ALICE, 1000, money=10_000.0)
    hold(book, BOB, -1000, money=1e6)
    set_price(book, 91.0)

    assert run(windows, book, 2.0)["filled"].sum() == -125


@given(
    demands=st.lists(
        st.tuples(st.integers(0, 40), st.integers(-400, 400).filter(bool)), min_size=1, max_size=12
    ),
    seconds=st.sampled_from([0.5, 2.0, 7.0]),
)
def test_no_rolling_window_closes_more_than_its_capacity(
    demands: list[tuple[int, int]], seconds: float
) -> None:
    book = market(pool=1e9)
    windows = engine(book)
    time, closed = 0.0, []
    for gap, size in demands:
        time += gap * seconds
        set_price(book, 100.0)
        for account in (ALICE, BOB, CAROL):
            if not windows.flagged[account]:
                hold(book, account, size, money=abs(size) * 5.0)
                break
        set_price(book, 94.5 if size > 0 else 105.5)
        found = run(windows, book, time, seconds)
        closed.append((time, int(np.abs(found["filled"]).sum())))

    for start, _ in closed:
        assert sum(lots for when, lots in closed if start <= when < start + 30) <= WINDOW


STEPS = st.lists(
    st.tuples(
        st.sampled_from([ALICE, BOB, CAROL]),
        st.integers(0, 1),
        st.integers(-300, 300).filter(bool),
        st.floats(0.7, 1.4),
    ),
    min_size=1,
    max_size=10,
)


@given(steps=STEPS, keepers=st.sampled_from([(), (KEEPER,), (KEEPER, INSURANCE)]), cost=st.integers(0, 5))
def test_money_is_conserved_and_flagged_accounts_are_worth_nothing(
    steps: list[tuple[int, int, int, float]], keepers: tuple[int, ...], cost: int
) -> None:
    book = market(100.0, 7.0)
    windows = engine(book, keepers=integers(*keepers), flag_cost=usd(cost), close_cost=usd(cost))
    reward = {"reward_rate": 300, "reward_minimum": usd(1.0), "reward_maximum": usd(30.0)}
    for step, (account, where, size, move) in enumerate(steps):
        if not windows.flagged[account]:
            hold(book, account, size, money=abs(size) * 5.0, market=where)
        set_price(book, max(book.oracle[where] / PPM * move, 0.01), where)
        book.funding[:, where] += integers(1500, -700)
        run(windows, book, 4.0 * step, **reward)
        held = np.flatnonzero(windows.flagged)

        assert book.cash.sum() == book.flows[DEPOSITS]
        assert (book.size.sum(axis=1) == 0).all()
        assert (equity_of(book, parameters(2), held) == 0).all()
        assert held.tolist() == sorted(windows.queue.tolist())
        assert book.cash[[KEEPER, INSURANCE]].sum() == windows.rewards
        for each in (ALICE, BOB, CAROL):
            assert windows.flagged[each] or each not in liquidatable(book, parameters(2, **FEES, **reward))


@given(
    sizes=st.lists(st.integers(-300, 300).filter(bool), min_size=3, max_size=3),
    order=st.permutations([0, 1, 2]),
)
def test_the_order_of_flags_changes_no_total(sizes: list[int], order: list[int]) -> None:
    totals = []
    for places in ([0, 1, 2], order):
        book = market(pool=1e9)
        for place, size in zip(places, sizes, strict=True):
            hold(book, (ALICE, BOB, CAROL)[place], size, money=abs(size) * 5.0)
        set_price(book, 90.0)
        windows = engine(book)
        found = [run(windows, book), run(windows, book, 30.0)]
        book.mark[0] = book.oracle[0]
        totals.append(
            (
                [int(np.abs(each["filled"]).sum()) for each in found],
                [int(each[name].sum()) for each in found for name in ("fee", "pool")],
            )
        )

    assert totals[0] == totals[1]


@pytest.mark.parametrize("row", rows("rewards"))
def test_the_keeper_is_paid_from_what_was_seized(row: dict[str, Any]) -> None:
    book = market()
    lots = row["notional"] // 100
    hold(book, ALICE, lots, money=row["collateral"])
    windows = engine(book, keepers=integers(KEEPER), flag_cost=usd(row["cost"]))
    before = book.cash[POOL]
    numbers = parameters(reward_rate=300, reward_minimum=usd(1.0), reward_maximum=usd(30.0))

    found = windows.round(book, numbers, integers(ALICE), Moment(0.0, 2.0, 0, 0))

    assert book.cash[KEEPER] == windows.rewards == usd(row["reward"])
    assert found["keeper"].tolist() == [KEEPER]
    assert book.cash[POOL] == before + usd(row["collateral"] - row["reward"]) - usd(row["notional"])


def test_closing_again_pays_cost_and_profit_and_an_endorsed_liquidator_only_that() -> None:
    paid = []
    for endorsed in (False, True):
        book = market(pool=1e9)
        hold(book, ALICE, 1000, money=10_000.0)
        set_price(book, 91.0)
        windows = engine(
            book, keepers=integers(KEEPER), flag_cost=usd(2), close_cost=usd(10), endorsed=endorsed
        )
        reward = {"reward_rate": 300, "reward_minimum": usd(1.0), "reward_maximum": usd(100.0)}
        for time in (0.0, 2.0, 30.0):
            run(windows, book, time, **reward)
            paid.append(int(book.cash[KEEPER]))

    assert paid == [usd(amount) for amount in (12 + 27.3, 39.3, 39.3 + 13, 15.6, 15.6, 15.6)]


def test_keepers_are_drawn_by_the_ticket() -> None:
    book = market()
    for account in (ALICE, BOB):
        hold(book, account, 100, money=1000.0)
    windows = engine(book, keepers=integers(CAROL, KEEPER))

    found = windows.round(book, parameters(), integers(ALICE, BOB), Moment(0.0, 2.0, 0, 7))

    assert found["keeper"].tolist() == [KEEPER, CAROL]


def test_keepers_whom_gas_costs_too_much_leave_everything_undone() -> None:
    book = market()
    hold(book, ALICE, 300, money=3000.0)
    set_price(book, 91.0)
    windows = engine(book)
    offers = Offers(integers(CAROL, KEEPER), np.array([2.0, 5.0]), *[integers(0, 0)] * 3)
    found, busy = [], []
    for gas_price in (6.0, 5.0, 1.0):
        windows.prepare(offers, gas_price, np.array([True]))
        found.append(run(windows, book, 30.0 * len(found))["keeper"].tolist())
        busy.append(windows.busy)

    assert found == [[], [KEEPER], [CAROL]]
    assert busy == [False, True, False]


def test_a_venue_that_acts_itself_needs_no_keeper_and_keeps_to_its_windows() -> None:
    book = market()
    hold(book, ALICE, 300, money=3000.0)
    set_price(book, 91.0)
    windows = Windows(WindowParameters(calm_skew=0), engine(book).pool, integers(), attended=False)
    windows.prepare(NO_OFFERS, 6.0, np.array([True]))

    assert run(windows, book)[["keeper", "filled"]].tolist() == [(NOBODY, -225)]


def test_where_the_price_cannot_be_used_nobody_is_flagged_and_nothing_closes() -> None:
    book = market(100.0, 100.0)
    hold(book, ALICE, 300, money=3000.0)
    hold(book, BOB, 100, money=1000.0, market=1)
    windows = engine(book)
    set_price(book, 91.0)
    run(windows, book)
    set_price(book, 91.0, market=1)
    windows.usable[:] = False

    assert len(run(windows, book, 30.0)) == 0
    assert windows.flagged.nonzero()[0].tolist() == [ALICE]
    windows.usable[1] = True
    assert run(windows, book, 60.0)["account"].tolist() == [BOB]


def test_the_vault_is_not_flagged() -> None:
    book = market()
    hold(book, VAULT, 100, money=1000.0)
    set_price(book, 50.0)

    assert len(run(engine(book), book)) == 0
    assert book.size[0, VAULT] == 100


def test_a_flag_cancels_orders_and_its_end_lets_the_account_trade_again() -> None:
    book = market()
    hold(book, ALICE, 300, money=3000.0)
    numbers = parameters(**FEES)
    windows = engine(book)
    windows.pool.parameters = windows.pool.parameters._replace(delay=2.0)
    sale = orders(integers(ALICE), 0, integers(-300))
    windows.pool.match(book, numbers, sale)
    set_price(book, 91.0)
    run(windows, book)
    assert len(windows.pool.pending) == 0

    windows.pool.match(book, numbers, sale)
    assert len(windows.pool.pending) == 0

    run(windows, book, 30.0)
    endow(book, ALICE, 10_000.0)
    windows.pool.match(book, numbers, sale)

    assert len(windows.pool.pending) == 1


def test_rules_can_be_replaced_between_rounds() -> None:
    book = market()
    hold(book, ALICE, 900, money=9000.0)
    set_price(book, 91.0)
    windows = engine(book)
    closed = [int(run(windows, book)["filled"].sum())]
    windows.parameters = windows.parameters._replace(capacity=3_000_000)
    closed.append(int(run(windows, book, 2.0)["filled"].sum()))
    windows.pool.parameters = windows.pool.parameters._replace(skew_scale=integers(15_000))
    closed.append(int(run(windows, book, 4.0)["filled"].sum()))

    assert closed == [-225, -225, -226]
