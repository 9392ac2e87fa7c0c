"""Premium, rate and index of funding, and that it only moves money."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, hold, integers, parameters, quote, reference, usd, venue

from protocol.arithmetic import PPM
from protocol.book import CLEARING, settle_funding
from protocol.funding import Premiums, advance_index, funding_rate, gather, premium

EIGHT_HOURS = 28_800


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (1_010.0, 1_020.0, 0.01),
        (980.0, 990.0, -0.01),
        (990.0, 1_010.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 990.0, -0.01),
        (1_010.0, 0.0, 0.01),
    ],
    ids=["above", "below", "around", "empty", "no bid", "no ask"],
)
def test_the_premium_is_the_distance_of_the_impact_price_from_the_index(
    bid: float, ask: float, expected: float
) -> None:
    found = premium(integers(1_000), np.array([bid]), np.array([ask]))

    assert found == pytest.approx([expected])


@pytest.mark.parametrize("row", reference("tiers")["rows"], ids=lambda row: row["name"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_rate_is_capped_as_at_dydx(row: dict[str, Any], sign: int) -> None:
    tier = parameters(initial=round(row["initial"] * PPM), maintenance=round(row["maintenance"] * PPM))
    premiums = Premiums(np.array([sign * 40.0 * 3600]), 0.0)

    assert funding_rate(premiums, 3600.0, tier).tolist() == [sign * round(row["funding_cap"] * PPM)]


def test_a_sample_is_clamped_to_sixty_times_the_margin_gap() -> None:
    premiums = gather(Premiums(np.zeros(1), 0.0), np.array([0.9]), 60.0, parameters())

    assert premiums.gathered == pytest.approx([0.48 * 60])


def test_the_rate_is_the_time_average_of_the_premium_plus_the_default() -> None:
    rules = parameters(funding_default=100)
    premiums = Premiums(np.zeros(1), 0.0)
    for sample, seconds in ((0.002, 1200.0), (-0.001, 2400.0)):
        premiums = gather(premiums, np.array([sample]), seconds, rules)
    premiums = gather(premiums, np.array([0.001]), 3600.0, rules)

    assert funding_rate(premiums, 7200.0, rules).tolist() == [500 + 100]


@pytest.mark.parametrize(("gathered", "rate"), [(1.9e-6, 1), (-1.9e-6, -1), (0.5e-6, 0)])
def test_the_rate_is_truncated_toward_zero(gathered: float, rate: int) -> None:
    assert funding_rate(Premiums(np.array([gathered]), 0.0), 1.0, parameters()).tolist() == [rate]


@pytest.mark.parametrize("sign", [1, -1])
def test_one_hour_at_one_percent_for_eight_hours_moves_an_eighth_of_it(sign: int) -> None:
    exchange = venue(1_000, 1_000)
    hold(exchange, ALICE, BOB, 10)
    advance_index(exchange.book, integers(sign * 10_000), 3600)
    for account in (ALICE, BOB):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[ALICE] == -sign * usd(1.25)
    assert exchange.book.cash[BOB] == usd(2_000) + sign * usd(1.25)


@given(st.integers(-600_000, 600_000), st.integers(1, 10**13), st.integers(1, EIGHT_HOURS))
def test_the_index_grows_symmetrically_and_is_truncated_toward_zero(
    rate: int, price: int, interval: int
) -> None:
    found = []
    for sign in (1, -1):
        exchange = venue(0)
        exchange.book.oracle[0] = price
        advance_index(exchange.book, integers(sign * rate), interval)
        found.append(int(exchange.book.funding[0]))

    assert found[0] == -found[1]
    assert abs(found[0]) == abs(rate) * price * 1000 * interval // (EIGHT_HOURS * PPM)


def test_funding_advances_once_an_interval_with_what_was_sampled() -> None:
    exchange = venue(1e6, 1e6, funding_default=0)
    quote(exchange, ALICE, (500, 101.0))
    for minute in range(1, 61):
        before = exchange.book.funding.copy()
        exchange.observe(60.0)
        exchange.advance_funding(60.0 * minute)

    assert before.tolist() == [0]
    assert exchange.rate.tolist() == [10_000]
    assert exchange.book.funding.tolist() == [usd(0.125) * 1000]
    assert exchange.premiums.since == 3600.0
    assert not exchange.premiums.gathered.any()


def test_funding_without_open_interest_moves_no_money() -> None:
    exchange = venue(1_000, 1_000)
    advance_index(exchange.book, integers(48_000), 3600)
    for account in (ALICE, BOB):
        settle_funding(exchange.book, account)

    assert exchange.book.cash[[ALICE, BOB, CLEARING]].tolist() == [usd(1_000), usd(1_000), 0]


def test_depth_below_the_impact_notional_counts_as_no_premium() -> None:
    exchange = venue(1e6)
    quote(exchange, ALICE, (99, 101.0))

    assert exchange.observe(60.0).tolist() == [0.0]
