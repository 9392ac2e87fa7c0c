"""Attackers: each makes money where the hole is open, in three worlds, and loses it where a guard is on."""

from functools import cache

import numpy as np
import pytest
from small import calm, opened, others_long, sight

from agents.attackers.attack import EVERYTHING, slice_share
from agents.attackers.kinds import ATTACKS
from agents.role import WITHDRAW, Actions
from protocol.arithmetic import MICRO
from protocol.orders import IMMEDIATE, POST_ONLY
from sim.bundled import names
from sim.configuration import Scenario
from sim.model import Model
from sim.problems import ScenarioError
from sim.run import Result, run
from sim.scenario import load_scenario

SEEDS = (1, 2, 3)
TIERS = "protocol.markets.ETH.tiers=[{above: 5e+6, initial_margin: 0.2, maintenance_margin: 0.1}]"
GUARDS = {
    "oracle_pusher": (
        "protocol.markets.THIN.gain_weight=0",
        "protocol.markets.THIN.open_interest_cap=0.6e6",
        "protocol.withdrawals.gate=50s",
    ),
    "self_liquidating_whale": ("protocol.withdrawals.notional_share=0.2", TIERS),
    "backstop_squeeze": (
        "protocol.markets.LOWCAP.open_interest_cap=0.4e6",
        "protocol.backstop.purse=0.005",
        "protocol.backstop.rule=none",
    ),
    "vault_exit": ("protocol.vault.lock_up=4d",),
    "wash_trader": ("protocol.fees.reward=0.0001", "protocol.fees.taker=0.0006"),
    "latency_arbitrageur": ("protocol.guards.trade.max_age=60s", "protocol.fees.taker=0.01"),
}
NEEDS = {
    "latency_arbitrageur": ("protocol.preset=gmx_v2",),
    "vote_capture": (
        "governance.route=governor",
        "governance.people.holdings={holders: 200, delegates: 10, independents: 20}",
    ),
}
CONTROLS = {
    "oracle_pusher": "protocol.withdrawals.notional_share=0.3",
    "backstop_squeeze": "protocol.backstop.max_loss_share=0.0",
    "wash_trader": "protocol.venue.self_trade=cancel_both",
}


@cache
def attack(kind: str, seed: int, *overrides: str) -> Result:
    """Result of a bundled attack; shared between tests, which leave it as it is."""
    return run(load_scenario(f"attack_{kind}", list(overrides)), seed)


def profit(result: Result) -> float:
    value = result.summary["attack_profit_attacker_usd"]
    assert value is not None
    return value


def party(result: Result, role: str, column: str) -> float:
    agents = result.tables["agents"]
    return float(agents.loc[agents["role"] == role, column].sum())


def test_every_kind_has_its_scenario_and_its_guards() -> None:
    bundled = {name.removeprefix("attack_") for name in names("scenario") if name.startswith("attack_")}

    assert bundled == set(GUARDS) <= set(ATTACKS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", others_long(SEEDS))
@pytest.mark.parametrize("kind", sorted(GUARDS))
def test_an_attack_makes_money_where_the_hole_is_open(kind: str, seed: int) -> None:
    assert profit(attack(kind, seed)) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("seed", others_long(SEEDS))
@pytest.mark.parametrize("kind", sorted(GUARDS))
def test_an_attack_loses_money_where_its_first_guard_is_on(kind: str, seed: int) -> None:
    assert profit(attack(kind, seed, GUARDS[kind][0])) < -100


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "guard"), [(kind, each) for kind in GUARDS for each in GUARDS[kind][1:]])
def test_an_attack_loses_money_where_another_guard_is_on(kind: str, guard: str) -> None:
    assert profit(attack(kind, SEEDS[0], guard)) < -100


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CONTROLS))
def test_what_sounds_like_a_guard_and_is_none_leaves_the_profit(kind: str) -> None:
    assert profit(attack(kind, 1, CONTROLS[kind])) > 0.5 * profit(attack(kind, 1))


@pytest.mark.slow
def test_what_an_attacker_gains_others_lose() -> None:
    pushed, left = attack("oracle_pusher", 1), attack("vault_exit", 1)

    assert pushed.summary["uncovered_usd"] == pytest.approx(party(pushed, "attacker", "owed"), rel=0.01)
    assert profit(pushed) == pytest.approx(
        party(pushed, "attacker", "pnl") + party(pushed, "attacker", "owed"), abs=1
    )
    assert -party(left, "depositors", "pnl") > profit(left)


def scene(settings: str, *overrides: str) -> Scenario:
    return calm(f"agents.attackers={{mallory: {{market: BTC, {settings}}}}}", *overrides)


def moves(model: Model, time: float) -> Actions:
    """What the attacker does in the block that ends at a time."""
    return model.people.attackers[0].act(sight(model, time=time, block=int(time // 60)))


@pytest.mark.parametrize("kind", sorted(ATTACKS))
def test_an_attacker_brings_its_budget_and_waits_for_its_time(kind: str) -> None:
    aim = ", maintenance_margin: 0.005" if kind == "ratchet" else ""
    with opened(scene(f"kind: {kind}, budget: 1e+6, at: 10m{aim}", *NEEDS.get(kind, ()))) as model:
        accounts = model.people.attackers[0].accounts
        brought = model.exchange.book.cash[accounts].sum() + model.outside.cash[accounts].sum()
        early = moves(model, 540.0)

        assert len(accounts) == ATTACKS[kind].wallets
        assert brought == pytest.approx(1e6 * MICRO, abs=len(accounts))
        assert all(len(column) == 0 for column in (early.orders.account, early.senders, early.hedges.account))


def test_a_pusher_sells_to_itself_then_buys_the_spot_and_withdraws() -> None:
    with opened(scene("kind: oracle_pusher, budget: 1e+6, opening: 5m, push: 10m")) as model:
        opening, pushing = moves(model, 60.0), moves(model, 360.0)
        _, seller, buyer = model.people.attackers[0].accounts.tolist()

    assert opening.orders.account.tolist() == [seller, buyer]
    assert opening.orders.kind.tolist() == [POST_ONLY, IMMEDIATE]
    assert opening.orders.size[0] == -opening.orders.size[1] < 0
    assert opening.senders.tolist() == [seller, buyer]
    assert pushing.hedges.lots[0] > 0
    assert pushing.transfers.account.tolist() == [buyer]
    assert pushing.transfers.kind.tolist() == [WITHDRAW]
    assert pushing.transfers.amount.tolist() == [EVERYTHING]


def test_spot_is_never_bought_on_credit() -> None:
    with opened(scene("kind: oracle_pusher, budget: 1e+6, opening: 1m, push: 1m")) as model:
        model.outside.cash[model.people.attackers[0].accounts[0]] = 0.0

        assert len(moves(model, 90.0).hedges.lots) == 0


def test_a_wash_trader_changes_sides_with_its_position() -> None:
    with opened(scene("kind: wash_trader, budget: 1e+6")) as model:
        first, second = model.people.attackers[0].accounts.tolist()
        model.exchange.book.size[0, [first, second]] = 500, -500
        done = moves(model, 60.0).orders

    assert done.account.tolist() == [first, second]
    assert np.sign(done.size).tolist() == [-1, 1]


@pytest.mark.parametrize(("gap", "side"), [(0.006, 1), (-0.006, -1), (0.004, 0)])
def test_a_latency_arbitrageur_trades_towards_the_outside_price(gap: float, side: int) -> None:
    scenario = scene("kind: latency_arbitrageur, budget: 1e+5", "protocol.preset=gmx_v2")
    with opened(scenario) as model:
        model.exchange.book.oracle[0] = round(model.units.price(model.world.outside)[0] / (1 + gap))

        assert np.sign(moves(model, 60.0).orders.size).tolist() == ([side] if side else [])


def test_slices_do_not_depend_on_the_length_of_a_block() -> None:
    left = (1 - slice_share(20.0, 600.0)) ** 3

    assert left == pytest.approx(1 - slice_share(60.0, 600.0))
    assert (1 - slice_share(600.0, 600.0)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ("kind: wash_trader, market: DOGE, budget: 1", "no such market"),
        ("kind: wash_trader, market: BTC, budget: 1, at: 9d", "at must lie within"),
        ("kind: thief, market: BTC, budget: 1", "kind must be one of"),
        ("kind: wash_trader, market: BTC, budget: 0", "must be > 0"),
    ],
)
def test_an_attack_that_cannot_take_place_is_refused(settings: str, rule: str) -> None:
    with pytest.raises(ScenarioError, match=rule):
        load_scenario("calm", [f"agents.attackers={{mallory: {{{settings}}}}}"])


def test_attackers_have_names_of_their_own() -> None:
    with pytest.raises(ScenarioError, match="is no role's or other party's"):
        load_scenario(
            "calm",
            [
                "agents.actors={twin: {cash: 1}}",
                "agents.attackers={twin: {kind: wash_trader, market: BTC, budget: 1}}",
            ],
        )


def test_a_reward_for_volume_is_paid_outside_to_both_sides() -> None:
    with opened(calm(), blocks=5) as plain, opened(calm("protocol.fees.reward=0.001"), blocks=5) as model:
        volume = model.recorder.markets["volume_usd"][: model.block].sum()
        gained = model.outside.cash.sum() - plain.outside.cash.sum()

        assert volume > 0
        assert gained == pytest.approx(2 * 0.001 * volume * MICRO, rel=1e-6)
