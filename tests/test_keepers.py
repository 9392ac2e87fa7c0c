"""Which keeper executes a liquidation, and what that costs the keepers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue import usd

from protocol.liquidations.keepers import (
    CROWDED_OUT,
    LOST,
    NOBODY,
    REVERTED,
    WON,
    AuctionRule,
    Award,
    Jobs,
    Offers,
    hold_auction,
    keeper_values,
    lottery,
    revert,
)
from sim.streams import stream

GAS_PRICE = 10.0
RULE = AuctionRule(shading=100_000, failed_gas=300_000, gas=500_000, space=50)
GAS = GAS_PRICE * 500_000


def offers(keepers: int, **columns: Any) -> Offers:
    """Keepers 20, 21, … who bear any gas price and no costs."""
    plain = {
        "account": np.arange(20, 20 + keepers),
        "tolerance": np.full(keepers, 1e9),
        "slippage": np.zeros(keepers, np.int64),
        "capital_cost": np.zeros(keepers, np.int64),
        "ticket": np.arange(keepers) * 7_919 + 3,
    }
    return Offers(**(plain | {name: np.asarray(value) for name, value in columns.items()}))


def jobs(*rewards: float | list[float], notional: float = 10_000, keepers: int = 2) -> Jobs:
    """Accounts 100, 101, … and what they pay, in USD, to each keeper or to all alike."""
    reward = np.array([np.broadcast_to(each, keepers) for each in rewards]) * 1e6
    size = np.full(reward.shape, usd(notional))
    return Jobs(np.arange(100, 100 + len(rewards)), size, reward.astype(np.int64))


def auction(work: Jobs, ready: Offers, draw: int = 0, gas_price: float = GAS_PRICE, **rule: Any) -> Award:
    return hold_auction(work, ready, RULE._replace(**rule), gas_price, draw)


def receipts(award: Award) -> list[tuple[int, int, float, float, int]]:
    """Rows as (keeper, account, gas, tip, outcome), amounts in USD."""
    return [
        (int(row["keeper"]), int(row["account"]), row["gas"] / 1e6, row["tip"] / 1e6, int(row["outcome"]))
        for row in award.receipts
    ]


def test_a_job_is_worth_its_reward_less_slippage_capital_and_gas() -> None:
    ready = offers(2, slippage=[2_000, 0], capital_cost=[1_000, 500])

    assert keeper_values(jobs(100), ready, RULE, GAS_PRICE).tolist() == [[usd(65), usd(90)]]


@pytest.mark.parametrize(
    "idle",
    [
        {"tolerance": [9.99, 1e9]},
        {"slippage": [9_600, 0]},
        {"capital_cost": [9_600, 0]},
    ],
)
def test_a_keeper_who_cannot_gain_or_pay_sends_nothing(idle: dict[str, Any]) -> None:
    values = keeper_values(jobs(100), offers(2, **idle), RULE, GAS_PRICE)

    assert values[0, 0] == -np.inf
    assert np.isfinite(values[0, 1])


def test_a_keeper_without_capital_sends_nothing() -> None:
    work = jobs(100)
    work.notional[0, 0] = 0

    assert keeper_values(work, offers(2), RULE, GAS_PRICE)[0, 0] == -np.inf


def test_without_offers_nothing_is_liquidated() -> None:
    award = auction(jobs(100, 50, keepers=0), offers(0))

    assert award.winner.tolist() == [NOBODY, NOBODY]
    assert len(award.order) == len(award.receipts) == 0


def test_a_keeper_alone_in_an_open_race_wins_at_zero() -> None:
    award = auction(jobs(100), offers(2, tolerance=[1.0, 1e9]))

    assert receipts(award) == [(21, 100, 5, 0, WON)]


def test_a_gas_price_beyond_every_tolerance_leaves_the_job_undone() -> None:
    award = auction(jobs(100), offers(2, tolerance=[50.0, 80.0]), gas_price=80.01)

    assert award.winner.tolist() == [NOBODY]
    assert receipts(award) == []


def test_equal_keepers_bid_the_gain_away_but_for_the_shading() -> None:
    assert receipts(auction(jobs(105), offers(2)))[0][3] == 90
    assert receipts(auction(jobs(105), offers(2), shading=50_000))[0][3] == 95


def test_an_open_race_stops_where_the_last_rival_gives_up() -> None:
    award = auction(jobs([105, 65, 25], keepers=3), offers(3))

    assert receipts(award) == [(20, 100, 5, 54, WON)]


def test_in_a_blind_auction_the_winner_pays_its_bid_even_alone() -> None:
    tips = [
        receipts(auction(jobs(105), offers(2, tolerance=[1.0, 1e9]), draw, blind=True))[0][3]
        for draw in range(400)
    ]

    assert min(tips) >= 80
    assert max(tips) <= 100
    assert np.mean(tips) == pytest.approx(90, abs=1.5)


def test_losers_pay_nothing_when_only_the_first_price_is_paid() -> None:
    assert [row[4] for row in receipts(auction(jobs(105, keepers=4), offers(4)))] == [WON]


def test_losers_pay_their_part_of_gas_and_tip_when_all_pay() -> None:
    award = auction(jobs([105, 65, 25], keepers=3), offers(3), payment="all_pay")

    assert receipts(award) == [
        (20, 100, 5, 32.0625, WON),
        (21, 100, 1.5, 9.61875, LOST),
        (22, 100, 1.5, 2.86875, LOST),
    ]


def test_keepers_stay_away_when_failures_would_eat_the_gain() -> None:
    award = auction(jobs(8.1, keepers=6), offers(6), payment="all_pay")

    assert [row[4] for row in receipts(award)] == [WON, LOST, LOST]


@given(reward=st.floats(6, 500), keepers=st.integers(1, 12), shading=st.integers(0, 500_000))
def test_equal_keepers_together_keep_what_they_shade(reward: float, keepers: int, shading: int) -> None:
    award = auction(jobs(reward, keepers=keepers), offers(keepers), payment="all_pay", shading=shading)
    spent = int((award.receipts["gas"] + award.receipts["tip"]).sum())
    gas = int(award.receipts["gas"].sum())
    gain = int(reward * 1e6) - gas

    assert gain >= -1
    if len(award.receipts) > 1:
        assert spent - gas == pytest.approx(gain * (1 - shading / 1e6), abs=keepers + 2)
    else:
        assert spent == gas


def test_room_in_the_block_goes_to_the_highest_tips() -> None:
    work = jobs([25, 25], [105, 105], [65, 65])
    award = auction(work, offers(2), space=2)

    assert award.order.tolist() == [1, 2]
    assert [row[1] for row in receipts(award)] == [101, 102, 100]
    assert receipts(award)[2][2:] == (0, 0, CROWDED_OUT)


def test_failed_transactions_take_room_too() -> None:
    work = jobs([25, 25], [105, 105], [65, 65])

    assert auction(work, offers(2), space=4, payment="all_pay").order.tolist() == [1, 2]
    assert auction(work, offers(2), space=3, payment="all_pay").order.tolist() == [1]
    assert auction(work, offers(2), space=1, payment="all_pay").order.tolist() == []


def test_a_reverted_winner_pays_like_a_loser() -> None:
    award = auction(jobs([105, 65]), offers(2))
    revert(award.receipts[:1], RULE)

    assert receipts(award) == [(20, 100, 1.5, 16.2, REVERTED)]


def test_equal_keepers_win_equally_often() -> None:
    draws = stream(1, "keepers").integers(0, 1 << 40, 4_000)
    wins = np.zeros(4)
    for draw in draws:
        wins[auction(jobs(105, keepers=4), offers(4), int(draw)).winner[0]] += 1
    statistic = ((wins - 1_000) ** 2 / 1_000).sum()

    assert statistic < 31  # χ² with 3 degrees of freedom: one false alarm in a million


def test_the_lottery_is_uniform_and_differs_by_account_keeper_and_round() -> None:
    tickets = stream(2, "tickets").integers(0, 1 << 60, 50)
    drawn = np.stack([lottery(tickets, np.arange(40), draw) for draw in range(50)])
    counts = np.histogram(drawn, bins=20, range=(0, 1))[0]

    assert drawn.shape == (50, 40, 50)
    assert len(np.unique(drawn)) == drawn.size
    assert ((counts - 5_000) ** 2 / 5_000).sum() < 62  # 19 degrees of freedom: two in a million
    for axis in range(3):
        shifted = np.moveaxis(drawn, axis, 0)
        assert abs(np.corrcoef(shifted[:-1].ravel(), shifted[1:].ravel())[0, 1]) < 0.016


markets = st.integers(1, 6).flatmap(
    lambda keepers: st.tuples(
        st.lists(st.lists(st.integers(0, 300), min_size=keepers, max_size=keepers), min_size=1, max_size=8),
        st.lists(st.floats(1, 40), min_size=keepers, max_size=keepers),
        st.integers(0, 1 << 50),
        st.sampled_from(["first_price", "all_pay"]),
        st.booleans(),
        st.integers(0, 20),
    )
)


@given(market=markets)
def test_an_award_is_sound(market: tuple[list[list[int]], list[float], int, str, bool, int]) -> None:
    rewards, tolerance, draw, payment, blind, space = market
    work, ready = jobs(*rewards, keepers=len(tolerance)), offers(len(tolerance), tolerance=tolerance)
    rule = RULE._replace(payment=payment, blind=blind, space=space)
    award, values = (
        hold_auction(work, ready, rule, GAS_PRICE, draw),
        keeper_values(work, ready, rule, GAS_PRICE),
    )
    sent = int((award.receipts["outcome"] != CROWDED_OUT).sum())
    wanted = np.isfinite(values).any(axis=1)

    assert sent <= space
    assert ((award.winner != NOBODY) == wanted).all()
    assert len(set(award.order)) == len(award.order)
    assert set(award.order) <= set(np.flatnonzero(wanted))
    for row in award.receipts[award.receipts["outcome"] == WON]:
        job, keeper = int(row["account"]) - 100, int(row["keeper"]) - 20
        assert 0 <= row["tip"] <= values[job, keeper] + 1
        assert row["gas"] == GAS
        if not blind:
            assert values[job, keeper] == values[job].max()
    assert blind or (np.diff(award.receipts["tip"][: len(award.order)]) <= 0).all()


@given(market=markets)
def test_the_order_of_the_offers_does_not_matter(
    market: tuple[list[list[int]], list[float], int, str, bool, int],
) -> None:
    rewards, tolerance, draw, payment, blind, space = market
    work, ready = jobs(*rewards, keepers=len(tolerance)), offers(len(tolerance), tolerance=tolerance)
    rule = RULE._replace(payment=payment, blind=blind, space=space)
    turned = Offers._make(column[::-1] for column in ready)
    mirrored = work._replace(notional=work.notional[:, ::-1], reward=work.reward[:, ::-1])

    assert sorted(receipts(hold_auction(work, ready, rule, GAS_PRICE, draw))) == sorted(
        receipts(hold_auction(mirrored, turned, rule, GAS_PRICE, draw))
    )


@given(rewards=st.lists(st.integers(10, 300), min_size=2, max_size=6))
def test_one_more_keeper_never_lowers_the_tip_of_an_open_race(rewards: list[int]) -> None:
    tips = [
        receipts(auction(jobs(rewards[:count], keepers=count), offers(count)))[0][3]
        for count in range(1, len(rewards) + 1)
    ]

    assert tips == sorted(tips)
