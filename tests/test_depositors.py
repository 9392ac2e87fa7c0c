"""Depositors: who runs and who returns; the vault: how it quotes and unwinds."""

from collections.abc import Iterator

import numpy as np
import pytest
from small import calm, equity, give, opened, set_equity, sight

from agents.role import BUY_SHARES, DEPOSIT, SELL_SHARES, WITHDRAW, Actions, transfers
from protocol.arithmetic import MICRO
from protocol.book import VAULT, move_cash, share_row
from protocol.orders import POST_ONLY
from sim.model import Model

BITCOIN = 0
WATCHFUL = ("agents.depositors.attention=1.0e+6", "agents.depositors.inflow=1.0e+6")


@pytest.fixture
def model() -> Iterator[Model]:
    """Twenty depositors who look at the vault all the time."""
    with opened(calm(*WATCHFUL)) as model:
        yield model


def act(model: Model) -> Actions:
    return model.people.depositors.act(sight(model))


def moves(model: Model, kind: int) -> dict[int, int]:
    wanted = act(model).transfers
    chosen = wanted.kind == kind
    return dict(zip(wanted.account[chosen].tolist(), wanted.amount[chosen].tolist(), strict=True))


def set_vault_price(model: Model, price: float) -> None:
    set_equity(model, VAULT, price * model.exchange.book.shares.sum() / MICRO)


def test_nobody_leaves_a_vault_that_has_not_lost(model: Model) -> None:
    for price in (1.0, 1.2):
        set_vault_price(model, price)

        assert moves(model, SELL_SHARES) == {}


def test_a_loss_drives_out_exactly_those_who_cannot_bear_it(model: Model) -> None:
    depositors, book = model.people.depositors, model.exchange.book
    set_vault_price(model, 0.95)
    runners = depositors.accounts[depositors.tolerance < 0.05]

    assert 0 < len(runners) < 20
    assert moves(model, SELL_SHARES) == {int(account): int(book.shares[0, account]) for account in runners}


def test_redeemed_cash_goes_home(model: Model) -> None:
    set_vault_price(model, 0.5)
    model._transfer(act(model).transfers)
    gone = np.flatnonzero(model.exchange.book.cash[model.people.depositors.accounts] > 0)
    model._transfer(act(model).transfers)

    accounts = model.people.depositors.accounts[gone]
    assert len(accounts) > 5
    assert not model.exchange.book.cash[accounts].any()
    assert (model.outside.cash[accounts] > 0).all()


def test_who_has_left_comes_back_to_a_winning_vault_only(model: Model) -> None:
    depositors = model.people.depositors
    depositors.tolerance[0] = 1.0
    set_vault_price(model, 0.5)
    for _ in range(2):
        model._transfer(act(model).transfers)
    away = depositors.accounts[model.outside.cash[depositors.accounts] > 0]
    set_vault_price(model, 0.99)
    losing = moves(model, BUY_SHARES)
    set_vault_price(model, 1.01)
    returning = act(model).transfers
    model._transfer(returning)

    assert losing == {}
    assert returning.kind.tolist() == [DEPOSIT] * len(away) + [BUY_SHARES] * len(away)
    assert returning.account.tolist() == [*away, *away]
    assert (model.exchange.book.shares[0, away] > 0).all()
    np.testing.assert_allclose(model.outside.cash[away], 0, atol=1)


def test_losses_raise_the_attention() -> None:
    calls = {}
    with opened(calm("agents.depositors.attention=24", "agents.depositors.accounts=5000")) as model:
        model.people.depositors.tolerance[:] = 0.0
        for price in (0.999999, 0.9):
            set_vault_price(model, price)
            calls[price] = len(moves(model, SELL_SHARES))

    for price, rate in ((0.999999, 1 / 60), (0.9, 6 / 60)):
        chance = 1 - np.exp(-rate)
        assert abs(calls[price] - 5000 * chance) < 5 * np.sqrt(5000 * chance)  # false alarm: 6e-7


def test_all_deposits_together_are_what_the_scenario_says(model: Model) -> None:
    assert equity(model, VAULT) == pytest.approx(model.scenario.protocol.vault.deposits, abs=20 / MICRO)


@pytest.fixture
def pools() -> Iterator[Model]:
    """Twenty watchful depositors in the two pools of a venue without a vault."""
    with opened(calm("protocol.preset=gmx_v2", *WATCHFUL)) as model:
        model.exchange.locks.until[:] = -np.inf
        yield model


def lose(model: Model, purse: int, share: float) -> None:
    """Take a share of what providers brought from a pool."""
    book = model.exchange.book
    amount = int(share * book.shares[share_row(purse)].sum())
    move_cash(book, purse, int(model.people.makers.accounts[0]), amount)


def test_depositors_take_the_purses_in_turn_and_fill_each_as_the_scenario_says(pools: Model) -> None:
    depositors, book = pools.people.depositors, pools.exchange.book
    purses = book.counterparty.tolist()
    brought = [book.shares[share_row(purse)].sum() / MICRO for purse in purses]

    assert depositors.purse.tolist() == purses * 10
    assert brought == pytest.approx([60e6, 60e6], abs=20 / MICRO)
    assert not book.shares[0].any()


def test_only_depositors_of_the_pool_that_lost_leave_and_they_sell_its_shares(pools: Model) -> None:
    depositors, book = pools.people.depositors, pools.exchange.book
    first, second = book.counterparty.tolist()
    depositors.tolerance[:] = 0.01
    lose(pools, second, 0.5)
    wanted = act(pools).transfers
    selling = wanted.kind == SELL_SHARES
    mine = depositors.accounts[depositors.purse == second]

    assert wanted.account[selling].tolist() == mine.tolist()
    assert set(wanted.target[selling].tolist()) == {second}
    np.testing.assert_array_equal(wanted.amount[selling], book.shares[share_row(second), mine])
    assert first not in wanted.target[selling]


def test_who_left_a_pool_returns_to_the_same_one(pools: Model) -> None:
    depositors, book = pools.people.depositors, pools.exchange.book
    first, second = book.counterparty.tolist()
    mine = depositors.accounts[depositors.purse == second]
    away = np.sort(mine[np.argsort(book.shares[share_row(second), mine])[:3]])
    pools._transfer(transfers(away, book.shares[share_row(second), away] // 2, SELL_SHARES, second))
    pools._transfer(transfers(away, book.cash[away].copy(), WITHDRAW))
    for purse in (first, second):
        pools.exchange.deposit(purse, 10_000_000 * MICRO)
    wanted = act(pools).transfers
    buying = wanted.kind == BUY_SHARES

    assert wanted.account[buying].tolist() == away.tolist()
    assert set(wanted.target[buying].tolist()) == {second}


def test_a_pool_that_lost_draws_looks_from_its_own_depositors_only() -> None:
    busy = ("agents.depositors.attention=24", "agents.depositors.accounts=6000")
    with opened(calm("protocol.preset=gmx_v2", *busy)) as model:
        depositors, purses = model.people.depositors, model.exchange.book.counterparty.tolist()
        depositors.tolerance[:] = -1.0
        lose(model, purses[1], 0.1)
        wanted = act(model).transfers
        calls = [np.count_nonzero(wanted.target[wanted.kind == SELL_SHARES] == purse) for purse in purses]

    for count, rate in zip(calls, (1 / 60, 6 / 60), strict=True):
        chance = 1 - np.exp(-rate)
        assert abs(count - 3000 * chance) < 5 * np.sqrt(3000 * chance)  # false alarm: 6e-7


def quotes(model: Model) -> dict[int, np.ndarray]:
    """Distances of the vault's bids (1) and asks (-1) in bitcoin from the oracle, by layer."""
    wanted = model.people.vault.act(sight(model)).orders
    own = (wanted.market == BITCOIN) & (wanted.kind == POST_ONLY)
    away = np.abs(wanted.limit / model.exchange.book.oracle[BITCOIN] - 1)
    return {side: away[own & (np.sign(wanted.size) == side)] for side in (1, -1)}


def hold(model: Model, leverage: float) -> None:
    oracle = model.exchange.book.oracle[BITCOIN]
    give(model, VAULT, int(leverage * equity(model, VAULT) * MICRO / oracle))


def test_a_flat_vault_quotes_a_spread_and_further_out_per_layer_on_both_sides(model: Model) -> None:
    found = quotes(model)

    shift = (2 * 0.1 + 1) ** 2
    for side in (1, -1):
        np.testing.assert_allclose(found[side], [0.01, 0.02 * shift], rtol=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_inventory_pushes_the_side_that_adds_away_and_draws_the_other_near(model: Model, side: int) -> None:
    flat = quotes(model)
    hold(model, 0.2 * side)
    held = quotes(model)

    assert held[side][0] == pytest.approx(0.01 * (2 * 0.2 + 1) ** 2, rel=1e-3)
    assert held[-side][0] == pytest.approx(0.01 * (1 - 2 * 0.2), rel=1e-3)
    assert (held[side] > flat[side]).all()
    assert (held[-side] < flat[-side]).all()


@pytest.mark.parametrize("side", [1, -1])
def test_a_vault_in_straits_quotes_within_what_integers_hold(side: int) -> None:
    with opened(calm("protocol.vault.skew=100000")) as model:
        hold(model, side)
        set_equity(model, VAULT, 2000)
        wanted = model.people.vault.act(sight(model)).orders
        price = wanted.limit / model.exchange.book.oracle[wanted.market]

    assert ((price >= 0) & (price <= 10)).all()


def test_each_order_is_a_share_of_equity(model: Model) -> None:
    wanted = model.people.vault.act(sight(model)).orders
    notional = np.abs(wanted.size) * model.exchange.book.oracle[wanted.market] / MICRO

    np.testing.assert_allclose(notional, 0.1 * equity(model, VAULT), rtol=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_a_large_position_is_unwound_in_slices_that_only_reduce(model: Model, side: int) -> None:
    hold(model, 1.1 * side)
    wanted = model.people.vault.act(sight(model, seconds=60.0)).orders
    exits = wanted.reduce_only
    slices = wanted.size[exits] * model.exchange.book.mark[BITCOIN] / MICRO

    assert wanted.market[exits].tolist() == [BITCOIN]
    assert slices[0] == pytest.approx(-side * 0.1 * 1.0 * equity(model, VAULT), rel=1e-3)
    assert wanted.limit[exits][0] / model.exchange.book.mark[BITCOIN] == pytest.approx(1 - 0.01 * side)


def test_a_position_within_a_tenth_of_equity_is_kept(model: Model) -> None:
    hold(model, 0.099)

    assert not model.people.vault.act(sight(model)).orders.reduce_only.any()


def test_a_vault_without_equity_only_unwinds(model: Model) -> None:
    hold(model, 0.5)
    set_equity(model, VAULT, -1.0)
    actions = model.people.vault.act(sight(model))

    assert actions.orders.reduce_only.all()
    assert len(actions.orders.account) == 1
    assert actions.leaving.tolist() == [VAULT]


def test_a_vault_that_is_backstop_only_does_not_quote() -> None:
    with opened(calm("protocol.vault.quotes=false", "protocol.backstop.rule=takeover")) as model:
        actions = model.people.vault.act(sight(model))

    assert len(actions.orders.account) == 0
