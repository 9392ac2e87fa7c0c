"""Whom auto-deleveraging calls on, in which order, and for how much."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from venue import ALICE, BOB, CAROL, DAVE, ERIN, hold, integers, risk, set_price, usd, venue

from protocol.book import INSURANCE, VAULT, move_cash
from protocol.exchange import Exchange
from protocol.losses.ranking import QUEUES, adl_score, allotted, opposite_holders, ranking

pytestmark = pytest.mark.kernel

OTHERS = (BOB, CAROL, DAVE)
SCORES = yaml.safe_load(
    (Path(__file__).parent / "reference" / "hyperliquid.yaml").read_text(encoding="utf-8")
)["adl_scores"]["rows"]


def broke() -> Exchange:
    """ALICE is long 1,000 lots at 100 without equity; BOB, CAROL and DAVE are short against her."""
    exchange = venue(-500, 1e6, 1e6, 1e6, 1e6)
    for account, size in zip(OTHERS, (500, 300, 200), strict=True):
        hold(exchange, ALICE, account, size)
    return exchange


def called(exchange: Exchange, rule: str, ticket: int = 0) -> list[int]:
    """The order in which ALICE's counterparties are called."""
    return ranking(exchange.book, exchange.parameters, ALICE, 0, rule, ticket).tolist()


def given_up(exchange: Exchange, rule: str, quantity: int) -> list[int]:
    """What each of ALICE's counterparties is allotted."""
    holders = opposite_holders(exchange.book, ALICE, 0)
    return allotted(exchange.book, exchange.parameters, holders, 0, rule, quantity).tolist()


@pytest.mark.parametrize("row", SCORES, ids=lambda row: f"{row['size']}-{row['score']}")
def test_the_score_is_that_of_hyperliquid(row: dict[str, Any]) -> None:
    exchange = venue(0, 1e6)
    hold(exchange, ALICE, BOB, row["size"], row["entry"])
    set_price(exchange, row["mark"])
    exchange.book.cash[ALICE] += usd(row["value"]) - risk(exchange, ALICE)[0]
    worth = integers(risk(exchange, ALICE)[0])

    assert adl_score(exchange.book, integers(ALICE), 0, worth) == pytest.approx(row["score"])


@pytest.mark.parametrize("ticket", [0, 1, 5])
def test_the_queue_walks_the_opposite_side_from_a_drawn_place(ticket: int) -> None:
    expected = {0: [BOB, CAROL, DAVE], 1: [CAROL, DAVE, BOB], 5: [DAVE, BOB, CAROL]}[ticket]

    assert called(broke(), "queue", ticket) == expected


def test_a_random_order_is_one_of_all_orders_and_follows_the_ticket() -> None:
    orders = {tuple(called(broke(), "random", ticket)) for ticket in range(60)}

    assert len(orders) == 6
    assert all(sorted(order) == [BOB, CAROL, DAVE] for order in orders)


def test_the_ranking_takes_the_profitable_by_profit_and_leverage_and_then_the_others() -> None:
    exchange = venue(1e6, 1_000, 2_000, 500, 300)
    for account, entry in ((BOB, 100), (CAROL, 300), (DAVE, 90), (ERIN, 110)):
        hold(exchange, ALICE, account, 10, entry)
    # short: entry / mark · notional / equity; BOB 1 · 1000/1000, CAROL 3 · 1000/4000, DAVE 0.9 · 1000/400,
    # ERIN 1.1 · 1000/400; BOB and DAVE gain nothing

    assert called(exchange, "ranked") == [ERIN, CAROL, DAVE, BOB]


def test_longs_rank_by_mark_over_entry() -> None:
    exchange = venue(1e6, 1_000, 1_000)
    hold(exchange, BOB, ALICE, 10, 80)
    hold(exchange, CAROL, ALICE, 10, 99)
    # BOB 1.25 · 1000/1200, CAROL 1.0101 · 1000/1010

    assert called(exchange, "ranked") == [BOB, CAROL]


def test_ties_in_the_ranking_go_to_the_lower_account_and_the_bankrupt_come_last() -> None:
    exchange = broke()
    four = [BOB, CAROL, DAVE, ERIN]
    exchange.book.size[0, four] = -250
    exchange.book.entry[0, four] = usd(100)
    exchange.book.cash[four] = [usd(1), usd(50_000), usd(50_000), usd(25_001)]

    assert called(exchange, "ranked") == [ERIN, CAROL, DAVE, BOB]


def test_a_bankrupt_holder_in_profit_still_comes_last() -> None:
    exchange = broke()
    set_price(exchange, 99)
    move_cash(exchange.book, BOB, ERIN, risk(exchange, BOB)[0] + 1)
    hold(exchange, ALICE, ERIN, 10, 90)

    assert called(exchange, "ranked")[-2:] == [ERIN, BOB]


def test_the_vault_can_be_deleveraged_and_the_other_purses_never_hold_anything() -> None:
    exchange = venue(1e6, vault=1e6)
    hold(exchange, ALICE, VAULT, 10)
    hold(exchange, ALICE, INSURANCE, 10)

    for rule in QUEUES:
        assert called(exchange, rule) == [VAULT]


def test_pro_rata_takes_the_same_share_of_every_position() -> None:
    assert given_up(broke(), "pro_rata", 100) == [50, 30, 20]
    assert given_up(broke(), "pro_rata", 7) == [4, 2, 1]  # 3.5, 2.1, 1.4
    assert given_up(broke(), "pro_rata", 1_000) == [500, 300, 200]


def winners() -> Exchange:
    """Shorts of 100 lots each at entries of 110, 130, 100 and 90, with the mark at 100."""
    exchange = venue(1e6, 1e4, 1e4, 1e4, 1e4)
    for account, entry in zip((*OTHERS, ERIN), (110, 130, 100, 90), strict=True):
        hold(exchange, ALICE, account, 100, entry)
    return exchange


@pytest.mark.parametrize(
    ("quantity", "lots"),
    [
        (4, [1, 3, 0, 0]),
        (100, [25, 75, 0, 0]),
        (160, [60, 100, 0, 0]),  # CAROL's 120 is more than she has
        (200, [100, 100, 0, 0]),
        (210, [100, 100, 5, 5]),
        (400, [100, 100, 100, 100]),
    ],
)
def test_by_profit_the_winners_pay_in_proportion_before_anybody_else(quantity: int, lots: list[int]) -> None:
    assert given_up(winners(), "profit_pro_rata", quantity) == lots


@pytest.mark.parametrize(
    ("quantity", "lots"), [(40, [0, 40, 0]), (50, [0, 50, 0]), (80, [20, 60, 0]), (205, [100, 100, 5])]
)
def test_draining_levels_leverage_and_reaches_the_bankrupt_last(quantity: int, lots: list[int]) -> None:
    exchange = venue(1e6, 2_000, 1_000, -5)
    for account in OTHERS:
        hold(exchange, ALICE, account, 100)

    assert given_up(exchange, "drain", quantity) == lots
