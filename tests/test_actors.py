"""Actors: what their timetable says, when it is due, and what reaches the venue."""

import numpy as np
import pytest
from small import calm, equity, give, opened, sight

from agents.actors import EVERYTHING, Actor, ActSettings
from agents.role import DEPOSIT_ASSET, WITHDRAW, Actions
from protocol.arithmetic import MICRO
from protocol.orders import IMMEDIATE, REST
from sim.configuration import Scenario
from sim.model import Model

BITCOIN, ETHER = 0, 1


def acting(*acts: str, accounts: int = 2, cash: float = 1000.0) -> Scenario:
    """Quiet hours with one actor and its timetable."""
    timetable = ", ".join(f"{{{act}}}" for act in acts)
    return calm(f"agents.actors={{whale: {{accounts: {accounts}, cash: {cash}, acts: [{timetable}]}}}}")


def whale(model: Model) -> Actor:
    return model.people.actors[0]


def acts(scenario: Scenario, time: float) -> Actions:
    """What the actor does in the block that ends at a time."""
    with opened(scenario) as model:
        return whale(model).act(sight(model, time=time, block=int(time // 60)))


def due(seconds: float = 60.0, **entry: str | int) -> list[int]:
    """Minutes of the first hour in which an entry falls due."""
    act = ActSettings.model_validate({"kind": "withdraw", **entry})
    return [
        minute
        for minute in range(1, 61)
        if any(act.due(60.0 * minute - step, seconds) for step in steps(seconds))
    ]


def steps(seconds: float) -> list[float]:
    """Ends of the blocks within a minute, before its own."""
    return [step * seconds for step in range(round(60 / seconds))]


def test_an_act_is_due_once_in_the_block_at_its_time() -> None:
    assert due(at="10m") == [10]
    assert due(at="601s") == [11]


@pytest.mark.parametrize("seconds", [60.0, 20.0])
def test_a_repeated_act_is_due_again_and_again_until_its_end(seconds: float) -> None:
    assert due(seconds, at="10m", every="15m") == [10, 25, 40, 55]
    assert due(seconds, at="10m", every="15m", until="40m") == [10, 25, 40]
    assert due(seconds, at="10m", every="15m", until="39m") == [10, 25]


@pytest.mark.parametrize("every", ["0s", "15m"])
def test_an_act_of_the_start_is_due_in_the_first_block(every: str) -> None:
    assert due(at="0s", every=every) == ([1, 15, 30, 45, 60] if every == "15m" else [1])


def test_an_act_at_the_start_is_carried_out() -> None:
    with opened(acting("at: 0s, kind: withdraw"), blocks=1) as model:
        assert not model.exchange.book.cash[whale(model).accounts].any()


def test_nothing_is_done_when_nothing_is_due() -> None:
    done = acts(acting("at: 10m, kind: withdraw", "at: 11m, kind: order, market: BTC, size: 1"), 540.0)

    assert len(done.orders.account) == len(done.transfers.account) == 0


def test_an_order_has_the_size_of_each_wallet_and_its_limit_in_the_units_of_the_market() -> None:
    done = acts(acting("at: 10m, kind: order, market: ETH, size: -2.5, limit: 2300"), 600.0).orders

    assert done.size.tolist() == [-2_500, -2_500]
    assert done.market.tolist() == [ETHER] * 2
    assert done.limit.tolist() == [2_300_000] * 2
    assert done.kind.tolist() == [IMMEDIATE] * 2


def test_an_order_that_rests_lives_for_a_block() -> None:
    done = acts(acting("at: 10m, kind: order, market: BTC, size: 1, limit: 40000, rests: true"), 600.0).orders

    assert done.kind.tolist() == [REST] * 2
    assert done.expiry.tolist() == [11] * 2


@pytest.mark.parametrize("leverage", [4.0, -4.0])
def test_an_order_to_a_leverage_is_for_what_is_missing(leverage: float) -> None:
    scenario = acting(f"at: 10m, kind: order, market: BTC, leverage: {leverage}")
    with opened(scenario) as model:
        first, second = whale(model).accounts.tolist()
        give(model, first, 300)
        view = sight(model, time=600.0, block=10)
        done = whale(model).act(view).orders
        wanted = int(leverage * equity(model, second) * MICRO / view.mid[BITCOIN])

    assert dict(zip(done.account.tolist(), done.size.tolist(), strict=True)) == {
        first: wanted - 300,
        second: wanted,
    }


def test_a_wallet_without_equity_closes_what_it_holds() -> None:
    with opened(acting("at: 10m, kind: order, market: BTC, leverage: 4")) as model:
        first = int(whale(model).accounts[0])
        give(model, first, 300)
        model.exchange.book.cash[first] -= 10**12
        done = whale(model).act(sight(model, time=600.0)).orders

    assert done.size[done.account == first].tolist() == [-300]


@pytest.mark.parametrize(("amount", "asked"), [(12.5, 12_500_000), (0, EVERYTHING)])
def test_a_withdrawal_asks_for_its_amount_or_for_everything(amount: float, asked: int) -> None:
    done = acts(acting(f"at: 10m, kind: withdraw, amount: {amount}"), 600.0).transfers

    assert done.kind.tolist() == [WITHDRAW] * 2
    assert done.amount.tolist() == [asked] * 2


def test_an_asset_is_brought_in_lots_of_its_market() -> None:
    done = acts(acting("at: 10m, kind: bring_asset, market: ETH, size: 3"), 600.0).transfers

    assert done.kind.tolist() == [DEPOSIT_ASSET] * 2
    assert done.amount.tolist() == [3_000] * 2
    assert done.target.tolist() == [ETHER] * 2


def test_a_timetable_is_carried_out_in_a_run() -> None:
    scenario = acting(
        "at: 2m, kind: order, market: BTC, leverage: 2",
        "at: 4m, kind: order, market: BTC, leverage: 0.000001",
        "at: 6m, kind: withdraw",
        cash=1e5,
    )
    with opened(scenario) as model:
        held, accounts = [], whale(model).accounts
        for _ in range(7):
            model.step()
            held.append(model.exchange.book.size[BITCOIN, accounts].tolist())
        cash, wallet = model.exchange.book.cash[accounts], model.outside.cash[accounts] / MICRO

    assert held[0] == [0, 0]
    assert all(lots > 0 for lots in held[1])
    assert held[3] == [0, 0]
    assert not cash.any()
    np.testing.assert_allclose(wallet, 1e5, rtol=0.02)
