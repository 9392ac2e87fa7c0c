"""The model: order of a block, what agents may touch and know, cash moves, laws, and memory."""

import gc
from collections.abc import Iterator
from typing import Any

import mesa
import numpy as np
import pytest
from small import calm, crash, opened, sight
from venue import integers

from agents.role import BUY_SHARES, DEPOSIT, DEPOSIT_ASSET, SELL_SHARES, WITHDRAW, Actions, Hedges, transfers
from protocol.arithmetic import MICRO
from protocol.book import VAULT, share_row
from protocol.laws.invariants import InvariantError
from protocol.liquidations.keepers import RECEIPT
from protocol.liquidations.record import DELEVERAGE, LIQUIDATION
from protocol.losses.journal import Cascade
from protocol.venues.depth import resting_orders
from sim.model import Model
from sim.run import run


@pytest.fixture
def model() -> Iterator[Model]:
    with opened(calm()) as model:
        yield model


def state(model: Model) -> list[np.ndarray]:
    """Everything that the venue and the outside are, copied."""
    exchange, ladder = model.exchange, model.exchange.venue.ladder
    resting = [resting_orders(ladder, row) for row in range(len(ladder.orders))]
    prices, accrual = exchange.prices, exchange.accrual
    parts = [*exchange.book, *prices.feed, *prices.average[:1], *accrual.funding, *resting, ladder.orders]
    return [
        np.array(part)
        for part in [*parts, ladder.last, prices.previous_mark, model.outside.size, model.outside.cash]
    ]


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_block_runs_its_phases_in_the_published_order(
    monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    done: list[str] = []
    phases = {
        model.world: ("advance",),
        model.exchange: ("observe", "update_prices", "advance_funding", "trade", "liquidate", "check"),
        model: ("_decisions", "_hedge", "_transfer"),
        model.recorder: ("record",),
    }
    for owner, names in phases.items():
        for name in names:
            monkeypatch.setattr(owner, name, noting(done, name, getattr(owner, name)))
    model.step()

    before = ["advance", "observe", "update_prices", "advance_funding", "_decisions"]
    after = ["trade", "liquidate", "_hedge", "_transfer", "check", "record"]
    assert list(dict.fromkeys(done)) == [*before, *after]


def noting(done: list[str], name: str, method: Any) -> Any:
    def noted(*arguments: Any, **options: Any) -> Any:
        done.append(name)
        return method(*arguments, **options)

    return noted


def test_agents_never_write_what_they_see() -> None:
    with opened(crash(), blocks=70) as model:
        before = state(model)
        view = sight(model)
        for role in model.people.roles:
            role.act(view)

        assert_same(state(model), before)


def test_agents_do_not_know_the_future() -> None:
    blocks = 50
    with opened(crash()) as model, opened(crash()) as other:
        for path in (other.world.fundamental, other.world.gas, other.world.shocks.withdrawn):
            path[blocks + 1 :] = path[blocks + 1 :][::-1].copy()
        other.world.shocks.stalled[blocks + 1 :] = True
        for _ in range(blocks):
            model.step()
            other.step()
        together = state(model), state(other)
        model.step()
        other.step()

        assert_same(*together)
        assert any((one != two).any() for one, two in zip(state(model)[:2], state(other)[:2], strict=True))


def test_all_agents_decide_on_one_view(model: Model) -> None:
    seen = []
    for role in model.people.roles:
        role.act = lambda view: (seen.append(view), Actions())[1]
    model.step()

    assert len(seen) == len([role for role in model.people.roles if len(role.accounts)]) == 6
    assert len({id(view) for view in seen}) == 1


def test_hedges_move_the_price_of_the_next_block_only(model: Model) -> None:
    lots = hedging(model, 1.0)

    assert model.flow.tolist() == [0, 0]
    assert model.world.outside[0] / model.world.fundamental[2, 0] == pytest.approx(np.exp(0.01), rel=1e-3)
    buyer = model.people.makers.accounts[0]
    paid = -(model.outside.cash[buyer] - model.people.makers.capital[0]) / lots
    assert model.outside.size[0, buyer] == pytest.approx(lots)
    assert paid / model.units.price(model.world.fundamental[1])[0] == pytest.approx(np.exp(0.005), rel=1e-3)


def test_a_hedge_larger_than_a_minute_of_depth_is_filled_in_part(model: Model) -> None:
    lots = hedging(model, 4.0)

    assert model.outside.size[0, model.people.makers.accounts[0]] == pytest.approx(lots / 4, rel=0.01)
    assert model.world.outside[0] / model.world.fundamental[2, 0] == pytest.approx(np.exp(0.01), rel=1e-3)


def hedging(model: Model, minutes: float) -> float:
    """Let one maker want so many minutes of outside depth in the first of two blocks; the lots wanted."""
    for role in model.people.roles:
        role.act = lambda _view: Actions()
    buyer = model.people.makers.accounts[:1]
    lots = minutes * model.world.depth[0] * MICRO / sight(model).outside[0]
    model.people.makers.act = lambda _view: Actions(hedges=Hedges(buyer, integers(0), np.array([lots])))
    model.step()
    during = model.world.outside[0] / model.world.fundamental[1, 0]
    model.people.makers.act = lambda _view: Actions()
    model.step()

    assert during == 1
    return float(lots)


def test_liquidations_are_forced_and_deleveraging_against_those_who_hedge(model: Model) -> None:
    liquidations, deleverages = np.zeros(2, LIQUIDATION), np.zeros(3, DELEVERAGE)
    liquidations["filled"] = [-100, 30]
    liquidations["market"] = [0, 1]
    deleverages["size"] = [-7, -1000, 5]
    deleverages["counterparty"] = [
        role.accounts[0] for role in (model.people.arbitrageurs, model.people.retail, model.people.makers)
    ]
    model._force(Cascade(1, False, liquidations, deleverages, np.zeros(0)), integers(2_000_000, 3_000_000))

    assert model.world.forced.tolist() == [2 * (-100 - 7 + 5), 3 * 30]


def test_a_deposit_leaves_the_wallet_and_a_withdrawal_reaches_it(model: Model) -> None:
    account = int(model.people.makers.accounts[0])
    wallet, cash = model.outside.cash[account], model.exchange.book.cash[account]
    model._move(account, 5_000_000, DEPOSIT, VAULT)
    deposited = model.outside.cash[account], model.exchange.book.cash[account]
    model._move(account, 2_000_000, WITHDRAW, VAULT)

    assert deposited == (wallet - 5_000_000, cash + 5_000_000)
    assert model.outside.cash[account] == wallet - 3_000_000
    assert model.exchange.book.cash[account] == cash + 3_000_000


def test_withdrawals_stop_at_the_margin_and_at_the_gate(model: Model) -> None:
    retail = model.people.retail
    account = int(retail.accounts[np.flatnonzero(model.exchange.book.size[0, retail.accounts])[0]])
    wallet, free = (
        model.outside.cash[account],
        int(sight(model).risk[0, account] - sight(model).risk[1, account]),
    )
    model.exchange.gates.cross = 1.0
    model._move(account, 10**15, WITHDRAW, VAULT)
    gated = model.outside.cash[account]
    model.exchange.gates.cross = -np.inf
    model._move(account, 10**15, WITHDRAW, VAULT)

    assert gated == wallet
    assert model.outside.cash[account] == wallet + free


def test_the_vault_takes_deposits_and_redeems_behind_the_gate(model: Model) -> None:
    book, account = model.exchange.book, int(model.people.depositors.accounts[0])
    shares = int(book.shares[0, account])
    model.exchange.gates.cross = 1.0
    model._move(account, shares, SELL_SHARES, VAULT)
    gated = int(book.shares[0, account])
    model.exchange.gates.cross = -np.inf
    model._move(account, shares, SELL_SHARES, VAULT)
    redeemed = int(book.shares[0, account]), int(book.cash[account])
    model._transfer(transfers(integers(account), integers(shares), BUY_SHARES))

    assert gated == shares
    assert redeemed == (0, shares)
    assert (book.shares[0, account], book.cash[account]) == (shares, 0)


def test_shares_of_a_pool_are_bought_and_sold_at_their_target() -> None:
    with opened(calm("protocol.preset=gmx_v2")) as model:
        book, pool = model.exchange.book, int(model.exchange.book.counterparty[1])
        account = int(model.people.makers.accounts[0])
        model._move(account, 5_000_000, BUY_SHARES, pool)
        bought, cash = int(book.shares[share_row(pool), account]), int(book.cash[account])
        model.exchange.locks.until[:] = -np.inf
        model._move(account, bought // 2, SELL_SHARES, pool)

        assert bought > 0
        assert book.shares[0, account] == 0
        assert book.shares[share_row(pool), account] == bought - bought // 2
        assert book.cash[account] > cash


def test_an_asset_is_paid_for_outside_and_becomes_collateral(model: Model) -> None:
    account = int(model.people.makers.accounts[0])
    wallet, price = model.outside.cash[account], int(sight(model).outside[1])
    model._transfer(transfers(integers(account), integers(7), DEPOSIT_ASSET, 1))

    assert model.exchange.book.collateral[:, account].tolist() == [0, 7]
    assert model.exchange.book.asset_flows[0].tolist() == [0, 7]
    assert model.outside.cash[account] == wallet - 7 * price


def test_the_oracle_reads_the_outside_price_through_noisy_sources(model: Model) -> None:
    price = integers(4_200_000, 2_300_000)
    readings = []
    for model.block in range(1, 120):
        reading = model._reading(price)
        readings.append(np.log(reading.sources / price))

    seen = np.concatenate(readings)
    assert reading.reference.tolist() == price.tolist()
    assert reading.live.all()
    assert seen.shape == (119 * 6, 2)
    assert seen.std() == pytest.approx(0.0002, rel=0.1)
    assert abs(seen.mean()) < 5 * 0.0002 / np.sqrt(seen.size)  # false alarm: 6e-7


def test_a_reading_tells_of_stalls_faults_gas_and_the_block() -> None:
    fault = "shocks=[{at: 1m, kind: oracle_fault, factor: 0.5, duration: 1m, markets: [BTC]}," + (
        " {at: 2m, kind: oracle_stall, duration: 1m, markets: [ETH]}]"
    )
    with opened(calm(fault)) as model:
        told = {}
        for model.block in (1, 2, 3):
            reading = model._reading(integers(10, 20))
            told[model.block] = (reading.scale.tolist(), reading.stalled.tolist())

        assert told[1] == ([0.5, 1.0], [False, False])
        assert told[2] == ([1.0, 1.0], [False, True])
        assert told[3] == ([1.0, 1.0], [False, False])
        assert reading.seconds == 60.0
        np.testing.assert_array_equal(reading.volatility, model.world.volatility)


def test_keepers_pay_for_their_transactions_out_of_their_wallets(model: Model) -> None:
    keeper = int(model.people.liquidators.accounts[0])
    receipts = np.zeros(3, RECEIPT)
    receipts["keeper"], receipts["gas"], receipts["tip"] = keeper, [10, 20, 30], [1, 2, 3]
    before = model.outside.cash[keeper]
    model._charge(receipts)

    assert before - model.outside.cash[keeper] == 66
    assert model.outside.gas_paid[keeper] == 66


def test_all_offers_reach_the_engine_with_the_price_of_gas(model: Model) -> None:
    heard: list[Any] = []
    model.exchange.engine.prepare = lambda *told: heard.extend(told)
    model.step()
    offers, gas_price, usable = heard

    assert offers.account.tolist() == model.people.liquidators.accounts.tolist()
    assert gas_price == model.gas_price
    assert usable.all()


def test_senders_pay_for_gas_from_outside(model: Model) -> None:
    first, second = model.people.arbitrageurs.accounts[:2]
    before = model.outside.cash.copy()
    model._pay_gas([Actions(senders=integers(first)), Actions(senders=integers(first, second))])

    cost = sight(model).transaction_cost()
    assert cost == pytest.approx(300_000 * model.world.gas[0] * 1e-9 * 2300 * MICRO)
    np.testing.assert_allclose((before - model.outside.cash)[[first, second]], [2 * cost, cost])
    np.testing.assert_allclose(model.outside.gas_paid[[first, second]], [2 * cost, cost])


def test_ether_has_the_price_of_its_market_or_that_of_the_scenario(model: Model) -> None:
    with opened(calm("protocol.markets.ETH=none", "world.gas.ether=1234")) as alone:
        assert sight(alone).gas_price == pytest.approx(alone.world.gas[0] * 1234e-3)
    assert sight(model).gas_price == pytest.approx(model.world.gas[0] * model.world.outside[1] * 1e-3)


def test_gas_slows_the_oracle_where_the_scenario_says_so() -> None:
    with opened(crash(), blocks=41) as slowed, opened(crash("protocol.oracle.gas_delay=false")) as steady:
        gas = slowed.world.gas[41] / 20

        assert gas > 3
        assert slowed._oracle_slowdown() == pytest.approx(gas)
        assert steady._oracle_slowdown() == 1


def test_a_broken_law_names_itself_the_block_and_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    pay = Model._pay_gas

    def leak(model: Model, actions: list[Actions]) -> None:
        pay(model, actions)
        if model.block == 7:
            model.exchange.book.cash[model.people.makers.accounts[0]] += 1

    monkeypatch.setattr(Model, "_pay_gas", leak)
    with pytest.raises(InvariantError, match=r"block 7, seed 11: cash_conserved"):
        run(calm(), 11)


@pytest.mark.parametrize("price", [1e-3, 1e12])
def test_a_price_that_the_venue_cannot_count_ends_the_run(model: Model, price: float) -> None:
    model.world.fundamental[1, 0] = price
    with pytest.raises(InvariantError, match=r"block 1, seed 3: outside_price_fits_the_venue"):
        model.step()


def test_runs_leave_no_model_behind() -> None:
    def models() -> int:
        gc.collect()
        return sum(issubclass(type(thing), mesa.Model) for thing in gc.get_objects())

    scenario = calm("clock.duration=5m")
    run(scenario, 1)
    alive, registered = models(), len(mesa.Agent._ids)
    for seed in range(4):
        run(scenario, seed)

    assert models() == alive
    assert len(mesa.Agent._ids) == registered


def test_a_failed_run_leaves_no_model_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = len(mesa.Agent._ids)
    monkeypatch.setattr(Model, "_pay_gas", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(calm(), 1)

    assert len(mesa.Agent._ids) == registered
