"""Falls below maintenance: each is told once, with what was held and owed at that moment."""

import numpy as np
import pytest
from venue import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    hold,
    integers,
    liquidate,
    quote,
    risk,
    set_price,
    usd,
    venue,
)

from protocol.exchange import Exchange
from protocol.liquidations.failures import FAILURE, Failures, write_failures
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel

NOBODY = np.empty(0, np.int64)


def held() -> Exchange:
    """ALICE is long 100 and CAROL 50 at 100, with 500 each, against DAVE; maintenance is 1.2 %."""
    exchange = venue(500, 0, 500, 1e6, rules={"adl": "none"})
    hold(exchange, ALICE, DAVE, 100)
    hold(exchange, CAROL, DAVE, 50)
    return exchange


def told(failures: Failures, exchange: Exchange, number: int = 0) -> list[int]:
    """Accounts that a look at the venue tells of."""
    failing = liquidatable(exchange.book, exchange.parameters)
    rows = failures.fresh(exchange.book, exchange.parameters, failing, number)
    accounts: list[int] = rows["account"].tolist()
    return accounts


def test_a_row_is_what_an_account_held_and_owed() -> None:
    exchange, failures = held(), Failures()
    set_price(exchange, 96)
    rows = failures.fresh(exchange.book, exchange.parameters, integers(ALICE), 3)

    assert rows.dtype == FAILURE
    assert len(rows) == 1
    assert dict(zip(FAILURE.names, rows[0].tolist(), strict=True)) == {
        "round": 3,
        "account": ALICE,
        "market": 0,
        "size": 100,
        "mark": usd(96),
        "oracle": usd(96),
        "equity": usd(500 - 100 * 4),
        "maintenance": usd(0.012 * 9_600),
    }


def test_an_account_has_a_row_for_each_of_its_positions_and_the_same_equity_in_all() -> None:
    exchange = venue(500, 1e6, prices=(100.0, 10.0, 5.0))
    hold(exchange, ALICE, BOB, 100)
    hold(exchange, ALICE, BOB, -40, price=5.0, market=2)
    set_price(exchange, 95)
    rows = Failures().fresh(exchange.book, exchange.parameters, integers(ALICE), 0)
    owed, _, maintenance = risk(exchange, ALICE)

    assert rows[["market", "size", "mark"]].tolist() == [(0, 100, usd(95)), (2, -40, usd(5))]
    assert rows["equity"].tolist() == [owed] * 2 == [0] * 2
    assert rows["maintenance"].tolist() == [maintenance] * 2


def test_mark_and_oracle_are_told_apart() -> None:
    exchange = held()
    exchange.book.mark[0], exchange.book.oracle[0] = usd(95), usd(97)
    row = Failures().fresh(exchange.book, exchange.parameters, integers(ALICE), 0)[0]

    assert (row["mark"], row["oracle"]) == (usd(95), usd(97))


def test_a_fall_is_told_once_while_it_lasts() -> None:
    exchange, failures = held(), Failures()
    seen = []
    for price in (100, 96, 95.5, 91):
        set_price(exchange, price)
        seen.append(told(failures, exchange))

    assert seen == [[], [ALICE], [], [CAROL]]


def test_who_has_recovered_and_falls_again_is_told_again() -> None:
    exchange, failures = held(), Failures()
    seen = []
    for price in (96, 100, 96):
        set_price(exchange, price)
        seen.append(told(failures, exchange))

    assert seen == [[ALICE], [], [ALICE]]


def test_within_a_block_who_recovers_and_falls_again_is_told_once() -> None:
    exchange, failures = held(), Failures()
    seen = []
    for number, price in enumerate((96, 100, 96)):
        set_price(exchange, price)
        seen.append(told(failures, exchange, number))

    assert seen == [[ALICE], [], []]
    assert told(failures, exchange) == []  # the next block finds it below maintenance still


def test_nobody_who_fails_leaves_no_row() -> None:
    exchange = held()
    rows = Failures().fresh(exchange.book, exchange.parameters, NOBODY, 0)

    assert rows.dtype == FAILURE
    assert len(rows) == 0


def test_the_kernel_writes_what_its_python_does() -> None:
    exchange = held()
    set_price(exchange, 91)
    accounts = integers(ALICE, CAROL)
    fast, slow = np.zeros((2, 4), FAILURE).view(np.recarray)
    done = [
        write(exchange.book, exchange.parameters, accounts, rows)
        for write, rows in ((write_failures, fast), (write_failures.py_func, slow))
    ]

    assert done == [2, 2]
    assert fast[:2].tolist() == slow[:2].tolist()


def test_a_block_tells_of_a_fall_in_the_round_in_which_it_comes() -> None:
    """ALICE's sale takes the mark from 100 to the bid of 98.5, where CAROL falls."""
    exchange = venue(0, 0, 130, 1e6, insurance=1e4, rules={"adl": "none", "mark": "median"})
    hold(exchange, ALICE, DAVE, 100)
    hold(exchange, CAROL, DAVE, 50)
    exchange.prices.outside = integers(usd(97))
    quote(exchange, DAVE, (200, 98.5))
    rows = liquidate(exchange, rounds=3).failures

    assert rows[["round", "account", "mark"]].tolist() == [(0, ALICE, usd(100)), (1, CAROL, usd(98.5))]
    assert rows["equity"].tolist() == [0, usd(130 - 50 * 1.5)]
