"""What an account under liquidation lacks, and how much of a position mends it."""

from typing import Any

import pytest
from drift import ppm, rows
from hypothesis import assume, given
from hypothesis import strategies as st
from venue import ALICE, BOB, integers, parameters, usd

from protocol.arithmetic import PPM, ppm_ceil
from protocol.book import exchange_position, open_book
from protocol.liquidations.shortage import (
    TransferRules,
    account_shortage,
    freeable,
    fund_fee,
    keeper_fee,
    lots_to_cover,
)

pytestmark = pytest.mark.kernel

LOTS = 1_000_000


def rules(fee: float = 0.01, **changes: Any) -> TransferRules:
    return TransferRules(integers(ppm(fee)), integers(ppm(0.005)))._replace(**changes)


@pytest.mark.parametrize("row", rows("lots_to_cover"))
def test_lots_cover_the_shortage(row: dict[str, float]) -> None:
    rates = [ppm(row[name]) for name in ("margin", "fee", "fund")]
    lots = lots_to_cover(usd(row["shortage"]), usd(row["price"]) // LOTS, *rates)

    assert 0 <= lots - row["base"] * LOTS < 1.0001


@pytest.mark.parametrize("row", rows("no_lots_cover"))
def test_no_number_of_lots_covers_when_fees_eat_the_margin(row: dict[str, float]) -> None:
    assert lots_to_cover(1, 100, *(ppm(row[name]) for name in ("margin", "fee", "fund"))) == -1


@pytest.mark.parametrize("row", rows("fund_fees"))
def test_the_fund_takes_most_of_what_margin_leaves(row: dict[str, float]) -> None:
    rates = [ppm(row[name]) for name in ("cap", "margin", "fee")]

    assert fund_fee(*rates, usd(row["shortage"]), usd(row["notional"])) == ppm(row["rate"])


@pytest.mark.parametrize("row", rows("keeper_fees"))
def test_the_keeper_s_discount_grows_with_time(row: dict[str, float]) -> None:
    assert keeper_fee(rules(row["fee"]), 0, ppm(row["maintenance"]), row["elapsed"]) == ppm(row["rate"])


@pytest.mark.parametrize("row", rows("freeable"))
def test_the_shortage_is_freed_by_and_by(row: dict[str, float]) -> None:
    timed = rules(first_share=ppm(row["first"]))
    shortage, freed = usd(row["shortage"]), usd(row["freed"])

    assert freeable(timed, shortage, freed, float(row["elapsed"])) == usd(row["part"])
    assert freeable(timed._replace(duration=0.0), shortage, freed, 0.0) == shortage


@given(
    shortage=st.integers(1, 10**13),
    freed=st.integers(0, 10**13),
    earlier=st.floats(0, 20),
    later=st.floats(0, 20),
)
def test_more_time_frees_no_less_and_never_more_than_lacks(
    shortage: int, freed: int, earlier: float, later: float
) -> None:
    parts = [freeable(rules(), shortage, freed, time) for time in sorted((earlier, later))]

    assert 0 <= parts[0] <= parts[1] <= shortage


@given(
    lots=st.integers(1_000, 10**7),
    price=st.integers(10**4, 10**9),
    hold=st.integers(20_000, 200_000),
    lacking=st.floats(0.0, 0.9),
    fee=st.integers(0, 15_000),
    cap=st.integers(0, 20_000),
)
def test_the_transfer_restores_maintenance_and_buffer(
    lots: int, price: int, hold: int, lacking: float, fee: int, cap: int
) -> None:
    notional, margin = lots * price, hold + 20_000
    assume(notional > 10**9)
    target = ppm_ceil(notional, hold) + ppm_ceil(notional, 20_000)
    shortage = max(int(lacking * target), 1)
    to_fund = fund_fee(cap, margin, fee, shortage, notional)
    closed = lots_to_cover(shortage, price, margin, fee, to_fund)
    assume(0 <= closed <= lots)
    equity = target - shortage - ppm_ceil(closed * price, fee) - ppm_ceil(closed * price, to_fund)
    left = (lots - closed) * price
    after = ppm_ceil(left, hold) + ppm_ceil(left, 20_000) - equity
    per_lot = price * (margin - fee - to_fund) / PPM

    assert -per_lot - 4 <= after <= 4


@given(
    shortage=st.integers(0, 10**12),
    notional=st.integers(10**9, 10**13),
    margin=st.integers(40_000, 200_000),
    fee=st.integers(0, 39_000),
)
def test_the_fund_never_takes_the_last_of_the_equity(
    shortage: int, notional: int, margin: int, fee: int
) -> None:
    equity = notional * margin // PPM - shortage
    rate = fund_fee(PPM, margin, fee, shortage, notional)

    assert rate >= 0
    if rate:
        assert ppm_ceil(notional, rate + fee) <= equity


def test_the_shortage_of_an_account_counts_all_its_positions() -> None:
    book = open_book(ALICE + 2, integers(usd(100), usd(20)))
    rule = parameters(2, initial=100_000, maintenance=50_000)
    book.cash[ALICE] = usd(1_000)
    exchange_position(book, ALICE, BOB, 0, 100, 100 * usd(100))
    exchange_position(book, ALICE, BOB, 1, -200, -200 * usd(20))
    book.mark[:] = integers(usd(98), usd(21))

    assert account_shortage(book, rule, ALICE, 20_000) == usd(490 + 210 + 0.02 * 14_000 - 600)
    assert account_shortage(book, rule, ALICE, 0) == usd(100)
