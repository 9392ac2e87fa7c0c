"""The backstop vault: whom it takes over, from which purse, and what it may lose by it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, equity, hold, integers, risk, set_price, usd, venue

from protocol.arithmetic import PPM
from protocol.book import SHARED_ACCOUNTS, VAULT, move_cash
from protocol.exchange import Exchange
from protocol.losses.backstop import (
    ONE_PURSE,
    Backstop,
    endow,
    hand_over,
    support,
    take_over,
    vault_accepts,
    vault_equity,
)
from protocol.losses.deleveraging import HYPERLIQUID, deleverage
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel

TWO_THIRDS = {"backstop_trigger": 666_667, "backstop_loss_share": 100_000}
LIQUIDATOR = SHARED_ACCOUNTS


def rows(section: str) -> list[dict[str, Any]]:
    """A table of the numbers taken from Hyperliquid."""
    text = (Path(__file__).parent / "reference" / "hyperliquid.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)[section]["rows"]
    return found


def broke(collateral: float = -500, **settings: Any) -> Exchange:
    """ALICE is long 1,000 lots at 100 with `collateral`; BOB, CAROL and DAVE are short against her."""
    exchange = venue(collateral, 1e6, 1e6, 1e6, 1e6, **TWO_THIRDS | settings)
    for account, size in ((BOB, 500), (CAROL, 300), (DAVE, 200)):
        hold(exchange, ALICE, account, size)
    return exchange


def taken_over(exchange: Exchange, backstop: Backstop = ONE_PURSE) -> bool:
    """Offer ALICE to the vault."""
    return take_over(exchange.book, exchange.parameters, ALICE, backstop)


@pytest.mark.parametrize("row", rows("backstop"), ids=lambda row: f"{row['leverage']}x-{row['equity']}")
@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
def test_the_vault_takes_over_below_two_thirds_of_maintenance(row: dict[str, Any], side: int) -> None:
    exchange = venue(0, 1e7, prices=(row["price"],), vault=1e6, **TWO_THIRDS)
    exchange.parameters.initial[0] = PPM // row["leverage"]
    exchange.parameters.maintenance[0] = PPM // row["leverage"] // 2
    hold(exchange, ALICE, BOB, side * 1_000, row["price"])
    exchange.book.cash[ALICE] += usd(row["equity"])

    assert taken_over(exchange) is row["taken"]
    assert exchange.book.size[0, VAULT] == (side * 1_000 if row["taken"] else 0)


@pytest.mark.parametrize(("collateral", "taken"), [(800.000399, True), (800.0004, False), (0, True)])
def test_the_vault_takes_over_strictly_below_the_trigger(collateral: float, taken: bool) -> None:
    assert taken_over(broke(collateral, vault=1e6)) is taken


@pytest.mark.parametrize("collateral", [700, 0, -500])
def test_without_a_trigger_nobody_is_taken_over(collateral: float) -> None:
    assert not taken_over(broke(collateral, vault=1e6, backstop_trigger=0))


def test_a_takeover_hands_over_every_position_and_all_cash_at_the_mark() -> None:
    exchange = broke(500, vault=1e6, prices=(100, 40))
    hold(exchange, ALICE, BOB, -10, 40, market=1)
    exchange.book.funding[0] += 3_000
    worth = risk(exchange, ALICE)[0]

    assert worth == usd(500) - 3_000
    assert taken_over(exchange)
    assert exchange.book.size[:, VAULT].tolist() == [1_000, -10]
    assert not exchange.book.size[:, ALICE].any()
    assert risk(exchange, ALICE) == (0, 0, 0)
    assert risk(exchange, VAULT)[0] == usd(1e6) + worth
    assert exchange.book.entry[:, VAULT].tolist() == [usd(100), usd(40)]
    assert exchange.book.open_interest.tolist() == [1_000, 10]


def test_a_takeover_hands_over_deposited_assets() -> None:
    weights = {name: integers(900_000) for name in ("weight_initial", "weight_maintenance")}
    exchange = broke(400, vault=1e6, **weights)
    exchange.book.collateral[0, ALICE] = 3
    worth = risk(exchange, ALICE)[0]

    assert worth == usd(400 + 3 * 90)
    assert taken_over(exchange)
    assert exchange.book.collateral[0, [ALICE, VAULT]].tolist() == [0, 3]
    assert risk(exchange, VAULT)[0] == usd(1e6) + worth


def test_the_vault_may_hold_several_isolated_positions() -> None:
    exchange = venue(
        100, 1e6, 100, prices=(100, 100), vault=1e6, isolated=np.array([True, True]), **TWO_THIRDS
    )
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, CAROL, BOB, 1_000, market=1)

    assert taken_over(exchange)
    assert exchange.book.size[:, CAROL].tolist() == [0, 1_000]
    assert take_over(exchange.book, exchange.parameters, CAROL)
    assert exchange.book.size[:, VAULT].tolist() == [1_000, 1_000]


def test_the_vault_refuses_what_would_breach_its_own_initial_margin() -> None:
    rich, poor = (broke(100, vault=capital) for capital in (1_900, 1_899.999999))

    assert taken_over(rich)
    assert not taken_over(poor)
    assert poor.book.size[0, ALICE] == 1_000


def test_the_vault_keeps_its_reserve_of_initial_margin() -> None:
    rich, poor = (broke(100, vault=capital, backstop_reserve=4 * PPM) for capital in (7_900, 7_899.999999))

    assert taken_over(rich)
    assert not taken_over(poor)


@pytest.mark.parametrize(("deficit", "taken"), [(1_000, True), (1_000.000001, False)])
def test_the_vault_refuses_a_deficit_above_its_loss_limit(deficit: float, taken: bool) -> None:
    assert taken_over(broke(-deficit, vault=10_000)) is taken


@pytest.mark.parametrize("reserve", [PPM, 0])
@pytest.mark.parametrize("capital", [600, 0, -600])
def test_the_vault_cannot_rescue_itself(capital: float, reserve: int) -> None:
    exchange = venue(1e6, vault=capital, backstop_reserve=reserve, **TWO_THIRDS)
    hold(exchange, VAULT, ALICE, 1_000)

    assert not take_over(exchange.book, exchange.parameters, VAULT)


def test_a_takeover_that_hedges_the_vault_needs_no_new_margin() -> None:
    exchange = broke(100, vault=700)
    hold(exchange, VAULT, ERIN, -1_000)

    assert taken_over(exchange)
    assert exchange.book.size[0, VAULT] == 0


@given(
    st.lists(st.integers(-(10**4), 10**4), min_size=2, max_size=2),
    st.integers(-(10**12), 10**11),
    st.integers(0, 10**12),
    st.sampled_from([0, 100_000, PPM]),
    st.booleans(),
)
def test_a_takeover_moves_equity_and_makes_none(
    held: list[int], cash: int, capital: int, loss_share: int, capped: bool
) -> None:
    exchange = venue(
        0, 0, prices=(100, 37), backstop_trigger=666_667, backstop_loss_share=loss_share, vault=0
    )
    backstop, book = Backstop(LIQUIDATOR, 0, capped), exchange.book
    for market, size in enumerate(held):
        if size:
            hold(exchange, ALICE, BOB, size, (100, 37)[market], market=market)
    book.cash[[ALICE, VAULT, LIQUIDATOR]] += [cash, capital, capital // 10]
    before = [risk(exchange, account)[0] for account in (ALICE, VAULT, LIQUIDATOR)]
    due = vault_accepts(book, exchange.parameters, ALICE, backstop)
    done = taken_over(exchange, backstop)
    after = [risk(exchange, account) for account in (ALICE, VAULT, LIQUIDATOR)]

    assert done == due
    assert sum(worth for worth, _, _ in after) == sum(before)
    assert not book.size.sum(axis=1).any()
    if done:
        assert after[0] == (0, 0, 0)
        assert -before[0] * PPM <= loss_share * (before[2] if capped else before[1] + before[2])
        assert after[2][0] >= after[2][1]
    else:
        assert [worth for worth, _, _ in after] == before


def endowed(share: int = 100_000, capped: bool = True, vault: float = 1e6) -> tuple[Exchange, Backstop]:
    """The vault has lent a share of its money to a liquidator of its own; ALICE is about to fail."""
    exchange, backstop = broke(100, vault=vault), Backstop(LIQUIDATOR, share, capped)
    endow(exchange.book, exchange.parameters, backstop)
    return exchange, backstop


def test_the_vault_lends_the_liquidator_its_share_and_takes_back_what_it_earns() -> None:
    exchange, backstop = endowed()

    assert equity(exchange, LIQUIDATOR) == 1e5
    assert equity(exchange, VAULT) == 9e5
    assert vault_equity(exchange.book, exchange.parameters, backstop) == usd(1e6)

    move_cash(exchange.book, BOB, LIQUIDATOR, usd(1_000))

    assert endow(exchange.book, exchange.parameters, backstop) == -usd(900)
    assert equity(exchange, LIQUIDATOR) == 100_100
    assert vault_equity(exchange.book, exchange.parameters, backstop) == usd(1_001_000)


def test_a_vault_of_one_purse_lends_and_draws_nothing() -> None:
    exchange = broke(vault=1e6)

    assert endow(exchange.book, exchange.parameters, ONE_PURSE) == 0
    assert support(exchange.book, exchange.parameters, ONE_PURSE) == 0
    assert vault_equity(exchange.book, exchange.parameters, ONE_PURSE) == usd(1e6)


def test_a_liquidator_that_holds_something_is_neither_fed_nor_milked() -> None:
    exchange, backstop = endowed()
    taken_over(exchange, backstop)

    for price in (101, 90):
        set_price(exchange, price)

        assert endow(exchange.book, exchange.parameters, backstop) == 0


def test_the_vault_lends_no_more_than_its_own_margin_leaves() -> None:
    exchange = broke(100, vault=10_000)
    hold(exchange, VAULT, ERIN, 4_900)

    assert endow(exchange.book, exchange.parameters, Backstop(LIQUIDATOR, 500_000, True)) == usd(200)


def test_a_liquidator_of_its_own_takes_over_what_it_can_bear_alone() -> None:
    for share, taken in ((1_900, True), (1_899, False)):
        exchange, backstop = endowed(share)

        assert taken_over(exchange, backstop) is taken
        assert exchange.book.size[0, [VAULT, LIQUIDATOR]].tolist() == [0, 1_000 if taken else 0]


def test_an_uncapped_liquidator_takes_over_what_the_whole_vault_can_bear() -> None:
    exchange, backstop = endowed(1_000, capped=False)

    assert equity(exchange, LIQUIDATOR) == 1_000
    assert taken_over(exchange, backstop)
    assert risk(exchange, LIQUIDATOR)[:2] == (usd(2_000), usd(2_000))
    assert equity(exchange, VAULT) == 999_000 - 900


@pytest.mark.parametrize(("capped", "taken"), [(True, False), (False, True)])
def test_the_loss_limit_of_an_uncapped_liquidator_is_a_share_of_the_whole_vault(
    capped: bool, taken: bool
) -> None:
    exchange, backstop = endowed(4_000, capped)
    move_cash(exchange.book, ALICE, BOB, usd(600))

    assert equity(exchange, ALICE) == -500
    assert taken_over(exchange, backstop) is taken


def test_the_vault_stands_behind_an_uncapped_liquidator() -> None:
    exchange, backstop = endowed(1_000, capped=False)
    taken_over(exchange, backstop)
    set_price(exchange, 90)

    assert equity(exchange, LIQUIDATOR) == -8_000
    assert support(exchange.book, exchange.parameters, backstop) == usd(9_800)
    assert risk(exchange, LIQUIDATOR)[:2] == (usd(1_800), usd(1_800))


def test_a_capped_liquidator_stands_alone() -> None:
    exchange, backstop = endowed(1_900)
    taken_over(exchange, backstop)
    set_price(exchange, 90)

    assert support(exchange.book, exchange.parameters, backstop) == 0
    assert equity(exchange, LIQUIDATOR) == -8_000
    assert equity(exchange, VAULT) == 998_100


@pytest.mark.parametrize(("capped", "paid"), [(True, 0), (False, 90_900)])
def test_only_the_debt_of_an_uncapped_liquidator_is_the_vaults(capped: bool, paid: float) -> None:
    exchange, backstop = endowed(capped=capped)
    move_cash(exchange.book, LIQUIDATOR, BOB, usd(101_000))

    assert endow(exchange.book, exchange.parameters, backstop) == usd(paid)


def test_a_vault_below_maintenance_is_liquidated_and_deleveraged_like_anybody() -> None:
    exchange = broke(100, vault=2_000)
    taken_over(exchange)
    previous = exchange.book.mark.copy()
    set_price(exchange, 97)

    assert liquidatable(exchange.book, exchange.parameters).tolist() == [VAULT]
    assert equity(exchange, VAULT) == -900

    fills = deleverage(exchange.book, exchange.parameters, VAULT, HYPERLIQUID, previous, 0)

    assert fills["counterparty"].tolist() == [BOB, CAROL, DAVE]
    assert fills["haircut"].sum() == usd(3_000)
    assert equity(exchange, VAULT) == 2_100
    assert not exchange.book.size.any()


JELLY = 400_000_000
SHORTED, SQUEEZED = 0.0095, 0.0395


@pytest.mark.parametrize("capped", [True, False])
def test_the_squeeze_of_a_short_costs_the_whole_vault_or_the_liquidators_part(capped: bool) -> None:
    # JELLY, March 2025: a short of about 4 M USD left to the vault, then squeezed fourfold: a loss of 12 M.
    exchange = venue(19_000, 4e6, prices=(SHORTED,), vault=230e6, **TWO_THIRDS)
    backstop = Backstop(LIQUIDATOR, 10_000, capped)
    book, rules = exchange.book, exchange.parameters
    hold(exchange, ALICE, BOB, -JELLY, SHORTED)
    endow(book, rules, backstop)

    assert taken_over(exchange, backstop)

    previous = book.mark.copy()
    set_price(exchange, SQUEEZED)
    drawn = support(book, rules, backstop)
    loss = usd(230e6) + usd(19_000) - vault_equity(book, rules, backstop)

    assert loss == usd(12e6)
    if not capped:
        assert drawn == usd(12e6 - 2.3e6 - 19_000 + 0.02 * 15.8e6)
        assert equity(exchange, LIQUIDATOR) == 0.02 * 15.8e6
        return
    assert drawn == 0
    assert equity(exchange, LIQUIDATOR) == 2.3e6 + 19_000 - 12e6
    fills = deleverage(book, rules, LIQUIDATOR, HYPERLIQUID, previous, 0)
    assert fills["haircut"].tolist() == [usd(12e6)]
    assert vault_equity(book, rules, backstop) == usd(230e6 + 19_000)


def test_compiled_and_interpreted_takeovers_agree() -> None:
    worlds = []
    for accept, hand in ((vault_accepts, hand_over), (vault_accepts.py_func, hand_over.py_func)):
        exchange = broke(432.1, vault=5_000)
        assert accept(exchange.book, exchange.parameters, ALICE, ONE_PURSE)
        hand(exchange.book, ALICE, VAULT)
        worlds.append((exchange.book.cash.tolist(), exchange.book.size.tolist()))

    assert worlds[0] == worlds[1]
