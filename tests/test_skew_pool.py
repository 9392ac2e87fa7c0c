"""The skew-priced pool: what an order costs, which ones it refuses, and when they settle."""

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import DEPOSITS, FEES, Book, Rows, exchange_position, open_book
from protocol.liquidity import open_locks
from protocol.margin import account_risk
from protocol.orders import IMMEDIATE, POST_ONLY, REST, join, orders
from protocol.parameters import RiskParameters
from protocol.venues.skew_pool import (
    BEYOND_LIMIT,
    EXPIRED,
    FILLED,
    FLAGGED,
    INSOLVENT,
    NOTHING_TO_CLOSE,
    OVER_CAP,
    RESTING,
    UNDERMARGINED,
    UNPRICED,
    SkewPool,
)
from protocol.venues.skew_price import SkewParameters, locked_credit, skewed_fee, skewed_quote, within_caps

pytestmark = pytest.mark.kernel

REFERENCE = yaml.safe_load(
    (Path(__file__).parent / "reference" / "synthetix_v3.yaml").read_text(encoding="utf-8")
)
SCALE = 10_000
ONE_BILLION = 1_000_000_000


def rows(section: str) -> list[dict[str, Any]]:
    return REFERENCE[section]["rows"]


def market(*prices: float, pool: float = 1e9, money: float = 1e6) -> Book:
    """A book whose pool has so much [USD], and four traders too; one lot is one unit of base."""
    book = open_book(DAVE + 1, integers(*map(usd, prices or (100.0,))))
    book.counterparty[:] = book.counterparty[0]
    for account in (book.counterparty[0], ALICE, BOB, CAROL, DAVE):
        endow(book, account, pool if account == book.counterparty[0] else money)
    return book


def endow(book: Book, account: int, amount: float) -> None:
    """Bring an account's cash to an amount [USD] by a deposit or a withdrawal."""
    change = usd(amount) - book.cash[account]
    book.cash[account] += change
    book.flows[DEPOSITS] += change


def venue(book: Book, **changes: Any) -> SkewPool:
    """A pool with a scale of 10,000 lots, no caps, nothing locked and no delay."""
    markets = len(book.oracle)
    chosen: dict[str, Any] = {"skew_scale": SCALE, "size_cap": 0, "locked_share": 0} | changes
    columns = {
        name: np.full(markets, chosen.pop(name)) for name in ("skew_scale", "size_cap", "locked_share")
    }
    return SkewPool(SkewParameters(**columns, **chosen), book)


def send(
    pool: SkewPool, book: Book, account: int, size: int, rules: RiskParameters | None = None, **order: Any
) -> Rows:
    """Send one order in a market of its own parameters; returns the fills."""
    chosen = rules if rules is not None else parameters(len(book.oracle))
    batch = orders(integers(account), order.pop("market", 0), integers(size), **order)
    return pool.match(book, chosen, batch)


def skewed(book: Book, skew: int, market: int = 0) -> None:
    """Give CAROL a position of `skew` lots against the pool at the oracle's price."""
    if skew:
        exchange_position(
            book, CAROL, book.counterparty[market], market, skew, int(skew * book.oracle[market])
        )


def at(pool: SkewPool, book: Book, time: float, usable: bool = True) -> None:
    pool.refresh(book, parameters(len(book.oracle)), time, np.full(len(book.oracle), usable))


def wait(pool: SkewPool, book: Book) -> Rows:
    """Settle what is due, with no new orders."""
    return pool.match(book, parameters(len(book.oracle)), join([]))


@pytest.mark.parametrize("row", rows("fill_prices"))
def test_a_fill_price_lies_half_way_through_the_order(row: dict[str, Any]) -> None:
    book = market(row["oracle"], pool=1e12, money=1e10)
    skewed(book, row["skew"])

    fill = send(venue(book, skew_scale=row["skew_scale"]), book, ALICE, row["size"])[0]

    assert fill["quote"] == row["size"] * usd(row["price"])
    assert fill["price"] == usd(row["price"])
    assert book.size[0, ALICE] == row["size"]
    assert book.cash[ALICE] == usd(1e10) - fill["quote"]


@pytest.mark.parametrize("row", rows("fees"))
def test_the_part_of_an_order_that_shrinks_the_skew_makes_and_the_rest_takes(row: dict[str, Any]) -> None:
    rules = parameters(maker_fee=usd(REFERENCE["fees"]["maker"]), taker_fee=usd(REFERENCE["fees"]["taker"]))
    book = market()
    skewed(book, row["skew"])

    fill = send(venue(book), book, ALICE, row["size"], rules)[0]

    assert fill["price"] == usd(row["price"])
    assert fill["taker_fee"] == usd(row["fee"])
    assert fill["maker_fee"] == 0


@given(
    oracle=st.integers(1, 10**11),
    skew=st.integers(-(10**9), 10**9),
    change=st.integers(-(10**6), 10**6).filter(bool),
    scale=st.integers(10**9, 10**13),
)
def test_a_quote_is_the_exact_one_rounded_against_the_trader(
    oracle: int, skew: int, change: int, scale: int
) -> None:
    exact = change * oracle * (1 + Fraction(2 * skew + change, 2 * scale))

    assert skewed_quote(oracle, skew, change, scale) == ceil(exact)
    assert skewed_quote.py_func(oracle, skew, change, scale) == ceil(exact)


@given(
    skew=st.integers(-(10**9), 10**9),
    change=st.integers(-(10**9), 10**9).filter(bool),
    quote=st.integers(1, 10**15),
    maker=st.integers(-200, 1000),
)
def test_a_fee_is_the_exact_one_rounded_up(skew: int, change: int, quote: int, maker: int) -> None:
    making = max(0, (abs(skew) + abs(change) - abs(skew + change)) // 2)
    making = min(abs(change), abs(skew)) if skew * change < 0 else making
    exact = Fraction(quote * (making * maker + (abs(change) - making) * 500), abs(change) * PPM)
    rules = parameters(maker_fee=maker, taker_fee=500)

    assert skewed_fee(rules, skew, change, quote) == ceil(exact)


@given(
    oracle=st.integers(1, 10**11),
    skew=st.integers(-5000, 5000),
    parts=st.lists(st.integers(-500, 500).filter(bool), min_size=2, max_size=6),
    scale=st.integers(10**4, 10**9),
)
def test_orders_in_sequence_cost_what_one_of_their_sum_costs(
    oracle: int, skew: int, parts: list[int], scale: int
) -> None:
    spent, at_skew = 0, skew
    for part in parts:
        spent += skewed_quote(oracle, at_skew, part, scale)
        at_skew += part
    whole = skewed_quote(oracle, skew, sum(parts), scale) if sum(parts) else 0

    assert 0 <= spent - whole < len(parts)


@given(
    price=st.integers(1_000, 10**10),
    before=st.integers(-3000, 3000),
    size=st.integers(-800, 800).filter(bool),
    scale=st.integers(7_001, 10**8),
)
def test_a_round_trip_costs_the_fees_and_nothing_else(price: int, before: int, size: int, scale: int) -> None:
    book = market(price / PPM, pool=1e12, money=1e9)
    skewed(book, before)
    rules = parameters(maker_fee=1, taker_fee=500)
    pool = venue(book, skew_scale=scale, settlement_reward=400_000)
    start = book.cash[ALICE]

    fills = np.concatenate([send(pool, book, ALICE, size, rules), send(pool, book, ALICE, -size, rules)])

    assert len(fills) == 2
    assert book.size[0, ALICE] == 0
    assert 0 <= start - book.cash[ALICE] - fills["taker_fee"].sum() <= 1


TRADES = st.lists(
    st.tuples(
        st.sampled_from([ALICE, BOB, CAROL, DAVE]),
        st.integers(0, 1),
        st.integers(-400, 400).filter(bool),
        st.booleans(),
        st.floats(0.9, 1.1),
    ),
    min_size=1,
    max_size=12,
)


@given(trades=TRADES, delay=st.sampled_from([0.0, 2.0, 200.0]))
def test_trading_conserves_money_and_positions(
    trades: list[tuple[int, int, int, bool, float]], delay: float
) -> None:
    book = market(100.0, 7.0, money=1000.0)
    rules = parameters(2, maker_fee=1, taker_fee=500)
    pool = venue(book, pool_share=700_000, settlement_reward=400_000, delay=delay)
    for step, (account, where, size, closing, move) in enumerate(trades, start=1):
        book.oracle[where] = book.mark[where] = max(int(book.oracle[where] * move), 1)
        at(pool, book, 60.0 * step)
        send(pool, book, account, size, rules, market=where, reduce_only=closing)

        assert book.cash.sum() == book.flows[DEPOSITS]
        assert (book.size.sum(axis=1) == 0).all()
        assert (np.maximum(book.size, 0).sum(axis=1) == book.open_interest).all()
        assert pool.violated(book) == []
        assert pool.tally.sum() + len(pool.pending) == step


def test_fees_go_to_the_pool_and_to_the_fee_account_and_settlement_is_paid_extra() -> None:
    book = market()
    rules = parameters(maker_fee=0, taker_fee=500)

    fill = send(venue(book, pool_share=700_000, settlement_reward=400_000), book, ALICE, 100, rules)[0]

    assert fill["taker_fee"] == usd(5.025 + 0.4)
    assert book.cash[FEES] == usd(0.3 * 5.025 + 0.4)
    assert book.cash[book.counterparty[0]] == usd(1e9) + fill["quote"] + usd(0.7 * 5.025)


def test_each_side_has_its_own_cap_in_lots() -> None:
    book = market(money=1e7)
    pool = venue(book, size_cap=100)

    filled = [len(send(pool, book, account, size)) for account, size in ((ALICE, 100), (BOB, 1), (BOB, -100))]

    assert filled == [1, 0, 1]
    assert pool.tally[OVER_CAP] == 1


def test_a_cap_counts_the_side_on_which_a_flip_ends() -> None:
    book = market(money=1e7)
    pool = venue(book, size_cap=100)
    send(pool, book, ALICE, 100)
    send(pool, book, BOB, -60)

    assert len(send(pool, book, ALICE, -141)) == 0
    assert len(send(pool, book, ALICE, -140)) == 1
    assert book.size[0, ALICE] == -40


def test_the_cap_in_usd_follows_the_price_and_binds_no_reduction() -> None:
    book = market(money=1e7)
    pool, rules = venue(book), parameters(open_interest_cap=integers(usd(10_000)))
    assert len(send(pool, book, ALICE, 101, rules)) == 0
    assert len(send(pool, book, ALICE, 100, rules)) == 1

    book.oracle[0] = book.mark[0] = usd(200.0)

    assert len(send(pool, book, ALICE, -1, rules)) == 1
    assert len(send(pool, book, ALICE, 1, rules)) == 0
    assert len(send(pool, book, BOB, -50, rules)) == 1
    assert len(send(pool, book, BOB, -1, rules)) == 0


@given(
    positions=st.lists(st.integers(-100, 100), min_size=3, max_size=3),
    change=st.integers(-100, 100).filter(bool),
    cap=st.integers(1, 250),
)
def test_caps_agree_with_a_count_of_all_positions(positions: list[int], change: int, cap: int) -> None:
    book = market(money=1e7)
    for account, size in zip((ALICE, BOB, CAROL), positions, strict=True):
        if size:
            exchange_position(book, account, book.counterparty[0], 0, size, int(size * book.oracle[0]))
    sizes = np.array(positions)
    sizes[0] += change
    side = sizes[sizes * sizes[0] > 0].sum() if sizes[0] else sizes[sizes < 0].sum()
    rules = SkewParameters(integers(SCALE), integers(cap), integers(250_000))

    assert within_caps(book, parameters(), rules, ALICE, 0, change) == (abs(side) <= cap)
    assert locked_credit(book, rules, 0, 0) == np.abs(positions).sum() * usd(25.0)


def test_open_interest_of_both_sides_must_be_covered_by_the_pools_value() -> None:
    book = market(pool=5_000.0)
    pool = venue(book, locked_share=250_000)
    send(pool, book, ALICE, 100)
    worth = account_risk(book, parameters(), book.counterparty[0])[0]
    room = (worth - locked_credit(book, pool.parameters, 0, 0)) // usd(25.0)

    assert worth == usd(5_050.0)
    assert room == 102
    assert len(send(pool, book, BOB, -103)) == 0
    assert pool.tally[INSOLVENT] == 1
    assert len(send(pool, book, BOB, -102)) == 1


def test_an_insolvent_pool_still_takes_reductions_but_no_flip_beyond() -> None:
    book = market()
    pool = venue(book, locked_share=250_000)
    send(pool, book, ALICE, 100)
    endow(book, book.counterparty[0], 10_000.0)

    assert len(send(pool, book, ALICE, -30)) == 1
    assert len(send(pool, book, ALICE, -170)) == 0
    assert len(send(pool, book, ALICE, -70)) == 1


def test_a_flip_locks_what_it_leaves_open() -> None:
    book = market()
    pool = venue(book, locked_share=250_000, skew_scale=ONE_BILLION)
    send(pool, book, ALICE, 100)
    endow(book, book.counterparty[0], 10_000.0 + 1_250.0)

    assert len(send(pool, book, ALICE, -151)) == 0
    assert len(send(pool, book, ALICE, -150)) == 1


def test_usage_is_the_share_of_the_pools_value_that_is_locked() -> None:
    book = market(100.0, 50.0, pool=20_000.0)
    pool = venue(book, locked_share=250_000)
    skewed(book, 100)
    skewed(book, -40, market=1)

    assert pool.usage(book) == pytest.approx(np.full((2, 2), 3_000 / 20_000))


def test_providers_may_take_out_what_open_interest_does_not_lock() -> None:
    book = market(pool=20_000.0)
    pool = venue(book, locked_share=250_000)
    skewed(book, 100)

    desk = pool.desk(book, parameters(), int(book.counterparty[0]), 0.0, open_locks(book))

    assert (desk.cheap, desk.free) == (usd(20_000.0), usd(17_500.0))


def test_a_price_better_than_the_oracles_does_not_count_toward_margin() -> None:
    rules = parameters(initial=100_000)
    filled = []
    for money in (999.99, 1000.0):
        book = market()
        skewed(book, -400)
        endow(book, ALICE, money)
        filled.append(len(send(venue(book), book, ALICE, 100, rules)))

    assert filled == [0, 1]


def test_a_price_worse_than_the_oracles_and_the_fee_count_against_margin() -> None:
    rules = parameters(initial=100_000, taker_fee=500)
    filled = []
    for money in (1055.024999, 1055.025):
        book = market()
        endow(book, ALICE, money)
        filled.append(len(send(venue(book), book, ALICE, 100, rules)))

    assert filled == [0, 1]


def below_initial_margin() -> Book:
    """ALICE holds 100 lots at 100 with an equity of 150, between margins of 120 and 200."""
    book = market()
    endow(book, ALICE, 150.0)
    exchange_position(book, ALICE, book.counterparty[0], 0, 100, usd(10_000.0))
    return book


@pytest.mark.parametrize(("size", "filled"), [(-1, 1), (-50, 1), (-100, 1), (1, 0), (-175, 1), (-176, 0)])
def test_between_the_margins_an_account_may_reduce_or_flip_into_what_it_can_open(
    size: int, filled: int
) -> None:
    book = below_initial_margin()

    pool = venue(book, skew_scale=ONE_BILLION)

    assert len(send(pool, book, ALICE, size)) == filled
    assert pool.tally[UNDERMARGINED] == 1 - filled


def test_a_reduction_that_makes_its_account_riskier_is_refused() -> None:
    filled = []
    for short in (140, 160):
        book = below_initial_margin()
        skewed(book, -short)
        filled.append(len(send(venue(book, skew_scale=5_000), book, ALICE, -50)))

    assert filled == [1, 0]


def test_an_account_below_maintenance_cannot_even_reduce() -> None:
    book = below_initial_margin()
    book.cash[ALICE] -= usd(30.000001)

    pool = venue(book, skew_scale=ONE_BILLION)

    assert len(send(pool, book, ALICE, -100)) == 0
    assert pool.tally[UNDERMARGINED] == 1


@pytest.mark.parametrize(
    ("size", "limit", "filled"), [(100, 100.5, 1), (100, 100.49, 0), (-100, 99.5, 1), (-100, 99.51, 0)]
)
def test_a_limit_is_compared_with_the_price_of_the_fill(size: int, limit: float, filled: int) -> None:
    book = market()
    pool = venue(book)

    assert len(send(pool, book, ALICE, size, limit=usd(limit))) == filled
    assert pool.tally[BEYOND_LIMIT] == 1 - filled


def test_a_skew_beyond_its_scale_leaves_no_price_to_sell_at() -> None:
    book = market()
    skewed(book, -SCALE)
    pool = venue(book)

    assert len(send(pool, book, ALICE, -1)) == 0
    assert pool.tally[UNPRICED] == 1
    assert len(send(pool, book, ALICE, 1)) == 1


@pytest.mark.parametrize("row", rows("settlements"))
def test_an_order_settles_at_the_first_usable_price_of_its_window(row: dict[str, Any]) -> None:
    book = market()
    timing = {name: float(REFERENCE["settlements"][name]) for name in ("delay", "window")}
    pool = venue(book, **timing)
    send(pool, book, ALICE, 100)
    settled = [
        number * row["block"]
        for number, usable in enumerate(row["usable"], start=1)
        if at(pool, book, float(number * row["block"]), bool(usable)) or len(wait(pool, book))
    ]

    assert settled == ([] if row["settles"] == "never" else [row["settles"]])
    assert pool.tally[EXPIRED] == (row["settles"] == "never")


def test_a_delayed_order_pays_the_price_of_its_settlement() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    assert len(send(pool, book, ALICE, 100)) == 0

    book.oracle[0] = book.mark[0] = usd(110.0)
    at(pool, book, 2.0)
    fills = wait(pool, book)

    assert fills["quote"].tolist() == [usd(11_055.0)]
    assert pool.last.tolist() == [usd(110.55)]


def test_a_delayed_order_whose_limit_is_passed_is_cancelled() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100, limit=usd(101.0))
    book.oracle[0] = book.mark[0] = usd(110.0)
    at(pool, book, 2.0)

    assert len(wait(pool, book)) == 0
    assert len(pool.pending) == 0
    assert pool.tally[BEYOND_LIMIT] == 1


def test_an_order_that_the_rules_refuse_at_once_is_not_committed() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100, limit=usd(100.0))
    at(pool, book, 1.0, usable=False)
    send(pool, book, BOB, 100)

    assert len(pool.pending) == 0
    assert pool.tally[[BEYOND_LIMIT, UNPRICED]].tolist() == [1, 1]


def test_orders_that_are_due_settle_before_those_of_the_block_judge_themselves() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100)
    at(pool, book, 2.0)
    fills = send(pool, book, BOB, 100, limit=usd(101.0))

    assert fills["taker"].tolist() == [ALICE]
    assert pool.tally[BEYOND_LIMIT] == 1


def test_orders_settle_in_the_order_of_their_commitment() -> None:
    book = market()
    pool = venue(book, delay=3.0)
    for time, account in ((0.0, BOB), (1.0, ALICE), (2.0, CAROL)):
        at(pool, book, time)
        send(pool, book, account, 100)
    at(pool, book, 4.0)

    assert wait(pool, book)["taker"].tolist() == [BOB, ALICE]
    assert pool.pending["account"].tolist() == [CAROL]


def test_a_commitment_cannot_be_withdrawn() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100)
    pool.cancel(np.ones(len(book.cash), np.bool_), 10**6)
    at(pool, book, 2.0)

    assert len(wait(pool, book)) == 1


def test_reduce_only_is_cut_to_the_position_at_settlement() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    exchange_position(book, ALICE, BOB, 0, 100, usd(10_000.0))
    send(pool, book, ALICE, -80, reduce_only=True)
    exchange_position(book, ALICE, BOB, 0, -70, -usd(7_000.0))
    at(pool, book, 2.0)

    assert wait(pool, book)["size"].tolist() == [-30]
    assert len(send(pool, book, ALICE, 5, reduce_only=True)) == 0
    assert pool.tally[NOTHING_TO_CLOSE] == 1


@pytest.mark.parametrize("kind", [REST, POST_ONLY])
def test_orders_that_would_rest_are_dropped(kind: int) -> None:
    book = market()
    pool = venue(book)

    assert len(send(pool, book, ALICE, 100, limit=usd(200.0), kind=kind)) == 0
    assert pool.tally[RESTING] == 1


def test_a_batch_settles_in_its_sequence() -> None:
    book = market()
    batch = orders(integers(BOB, ALICE, BOB), 0, integers(100, 100, -100), kind=IMMEDIATE)

    fills = venue(book).match(book, parameters(), batch)

    assert fills["price"].tolist() == [usd(100.5), usd(101.5), usd(101.5)]


def test_flagged_accounts_do_not_trade_and_lose_their_commitments() -> None:
    book = market()
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100)
    send(pool, book, BOB, 100)
    pool.flagged[[ALICE, CAROL]] = True
    assert pool.violated(book) == ["flagged_accounts_have_no_commitments"]

    pool.void()
    send(pool, book, CAROL, 100)
    at(pool, book, 2.0)

    assert wait(pool, book)["taker"].tolist() == [BOB]
    assert pool.tally[FLAGGED] == 2


def test_the_pool_does_not_trade_with_itself() -> None:
    book = market()
    pool = venue(book)

    assert len(send(pool, book, int(book.counterparty[0]), 100)) == 0
    assert pool.tally[FILLED] == 0


def test_quotes_show_one_lot_the_impact_notional_and_the_notional_that_costs_one_per_cent() -> None:
    book = market()
    skewed(book, 200)
    rules = parameters(impact_notional=usd(10_000))
    pool = venue(book)

    shown = pool.quotes(book, rules)

    assert shown.bid[0] == pytest.approx(usd(101.995))
    assert shown.ask[0] == pytest.approx(usd(102.005))
    assert shown.impact_bid[0] == pytest.approx(usd(101.5))
    assert shown.impact_ask[0] == pytest.approx(usd(102.5))
    assert shown.depth[0] == pytest.approx(usd(20_000))
    assert send(pool, book, ALICE, int(shown.depth[0] / usd(100.0)))["price"][0] == usd(103.0)


def test_an_unusable_price_leaves_nothing_to_quote() -> None:
    book = market()
    pool = venue(book)
    at(pool, book, 60.0, usable=False)

    assert all((column == 0).all() for column in pool.quotes(book, parameters()))


def test_the_pool_names_what_it_finds_broken() -> None:
    book = market(100.0, 100.0)
    pool = venue(book, delay=2.0)
    send(pool, book, ALICE, 100)
    pool.time = -1.0
    book.counterparty[1] += 3

    found = [sentence.split(":")[0] for sentence in pool.violated(book)]

    assert found == ["one_pool_serves_all_markets", "commitments_are_in_order_of_time"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"skew_scale": 0}, r"skew_scale >= 1 must hold, got skew_scale=0 \(market 0\)"),
        ({"size_cap": -1}, r"size_cap >= 0 must hold, got size_cap=-1 \(market 0\)"),
        ({"delay": -2.0}, "delay >= 0 must hold, got delay=-2.0 s"),
        ({"pool_share": 1_000_001}, "0 <= pool_share <= 1 must hold, got pool_share=1.000001"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        venue(market(), **changes)
