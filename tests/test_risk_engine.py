"""The risk engine in its world: what it sees and when, what it decides and why, and what comes of it."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small import calm, opened, others_long

from agents.engine.features import near_liquidation
from protocol.arithmetic import PPM
from protocol.scan import accounts_risk
from sim.configuration import Scenario
from sim.model import Model
from sim.prices.paths import Paths
from sim.run import Result, run

QUICK = (
    "risk_engine.model=hmm",
    "risk_engine.every=5m",
    "risk_engine.training.length=20d",
    "risk_engine.targets.top_up=1h",
    "agents.retail.accounts=300",
)
FREE = "risk_engine.law={band_up: 0, band_down: 0, dwell: 0s, rise: 1000000, fall: 1000000}"
NEWS = (
    "world.prices={kind: regimes, activity: [], skew: 0, reversal: {share: 0}, step: 5m, regimes: ["
    "{name: calm, duration: 1h, volatility: {BTC: 0.4, ETH: 0.6}},"
    " {name: wild, duration: 30m, volatility: {BTC: 2.0, ETH: 3.0}}]}"
)
JUMP = "shocks=[{at: 65m, kind: price_jump, size: -0.08, markets: [BTC]}]"


@cache
def watched(*overrides: str, seed: int = 3) -> Result:
    """Two hours with a risk engine."""
    return run(calm(*QUICK, *overrides), seed)


def until(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """Rows of the first blocks."""
    time = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(minutes=block)
    return table[table["time"] <= time].reset_index(drop=True)


@pytest.fixture(scope="module", params=["hmm", "ewma", "garch", "static", "hindsight"])
def competitor(request: pytest.FixtureRequest) -> Result:
    return watched(NEWS, f"risk_engine.model={request.param}")


def test_every_model_decides_at_each_observation_and_its_parts_add_up(competitor: Result) -> None:
    decisions = competitor.tables["decisions"]
    margins = decisions[decisions["parameter"].isin(["maintenance", "initial"])]

    assert len(decisions) == 24 * 2 * 2
    assert np.allclose(margins["tightness"], margins["after"], rtol=0, atol=1e-12)
    assert (margins["target"] > 0).all()
    wide = margins.pivot_table(index=["time", "market"], columns="parameter", values="after")
    assert (wide["initial"] > wide["maintenance"]).all()


def test_what_moves_follows_the_regime_and_what_is_static_does_not() -> None:
    spread = {}
    for model in ("static", "hmm", "hindsight", "ewma"):
        chosen = (f"risk_engine.model={model}", "risk_engine.half_life=15m")
        tables = watched(NEWS, FREE, *chosen).tables
        loss = tables["decisions"].query("market == 'BTC' and parameter == 'maintenance'")
        spread[model] = (loss["calm_loss"] + loss["regime"]).max() / (
            loss["calm_loss"] + loss["regime"]
        ).min()

    assert spread["static"] == 1
    assert min(spread["hmm"], spread["hindsight"], spread["ewma"]) > 1.5


def test_a_shadow_engine_leaves_the_world_as_it_is() -> None:
    shadow, none = watched("governance.route=frozen"), run(calm(*QUICK, "risk_engine.model=none"), 3)

    pd.testing.assert_frame_equal(shadow.tables["markets"], none.tables["markets"])
    assert len(shadow.tables["decisions"])
    assert "decisions" not in none.tables
    assert not watched().tables["markets"].equals(none.tables["markets"])


def test_nothing_of_the_future_reaches_a_decision() -> None:
    plain, shaken = watched(), watched(JUMP)
    names = ["decisions", "features", "regimes", "parameters"]

    for name in names:
        pd.testing.assert_frame_equal(until(plain.tables[name], 60), until(shaken.tables[name], 60))
    assert not plain.tables["decisions"].equals(shaken.tables["decisions"])


@pytest.mark.parametrize(("model", "blind"), [("hmm", True), ("garch", True), ("hindsight", False)])
def test_only_hindsight_sees_the_hidden_regime(
    model: str, blind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.prices.paths import fundamental_paths

    def swapped(*given: Any) -> Paths:
        paths = fundamental_paths(*given)
        assert paths.regime is not None
        return paths._replace(regime=(1 - paths.regime).astype(np.int8))

    scenario = calm(*QUICK, NEWS, f"risk_engine.model={model}")
    seen = run(scenario, 3).tables["decisions"]
    monkeypatch.setattr("sim.world.fundamental_paths", swapped)
    permuted = run(scenario, 3).tables["decisions"]

    assert seen.equals(permuted) == blind


def test_features_are_available_before_they_are_used_and_never_before_they_are_measured() -> None:
    features = watched("risk_engine.latency={near_liquidation: 7m}").tables["features"]
    late = features[features["feature"] == "near_liquidation"]

    assert (features["measured"] <= features["available"]).all()
    assert (features["available"] <= features["time"]).all()
    assert (late["time"] - late["measured"] == pd.Timedelta("10m")).all()
    assert set(features["feature"]) == {
        "returns", "volatility", "funding", "basis", "imbalance", "depth", "near_liquidation", "gas",
    }  # fmt: skip


def test_near_liquidation_counts_what_a_move_of_two_per_cent_would_close() -> None:
    with opened(calm("agents.retail.leverage.median=20", "agents.retail.accounts=300"), blocks=3) as model:
        view = model.view(model.units.price(model.world.outside).astype(float))
        found = near_liquidation(view)
        book, parameters = model.exchange.book, model.exchange.parameters
        equity, _, maintenance = accounts_risk(book, parameters).astype(float)
        held = np.abs(book.size) * book.mark[:, None]
        near = (equity - maintenance < 0.02 * held.sum(axis=0)) & (held.sum(axis=0) > 0)
        near[: model.people.retail.accounts[0]] = False

        assert (found > 0).all()
        assert found == pytest.approx(held[:, near].sum(axis=1) / (2.0 * book.open_interest * book.mark))


def test_a_decision_holds_from_the_next_block_on_or_after_its_delay() -> None:
    for delay, blocks in (("0s", 1), ("7m", 7)):
        tables = watched(FREE, f"governance.review={delay}").tables
        first = tables["decisions"].query("market == 'BTC' and parameter == 'maintenance'").iloc[0]
        changes = tables["parameters"].query(
            "market == 'BTC' and parameter == 'maintenance_margin' and block > 0"
        )
        margins = tables["markets"].query("market == 'BTC'").set_index("block")["maintenance_margin"]
        at = 5 + blocks

        assert changes["block"].iloc[0] == at
        assert changes["new"].iloc[0] == pytest.approx(first["after"], abs=1 / PPM)
        assert margins[at - 1] == changes["old"].iloc[0]
        assert margins[at] == changes["new"].iloc[0]


def test_a_stale_oracle_freezes_every_value() -> None:
    stall = "shocks=[{at: 30m, kind: oracle_stall, duration: 60m}]"
    tables = watched(FREE, stall, "risk_engine.safety.stale=10m").tables
    frozen = tables["decisions"][tables["decisions"]["reason"] == "stale oracle"]
    regimes = tables["regimes"]

    assert len(frozen)
    assert (frozen["before"] == frozen["after"]).all()
    assert frozen["time"].min() >= pd.Timestamp("2024-01-01 00:40", tz="UTC")
    assert regimes[regimes["stale"]]["surprise"].isna().all()
    assert (tables["decisions"].iloc[-1]["reason"]) != "stale oracle"


def test_a_market_that_is_not_the_one_learned_raises_the_drift_alarm_and_the_learned_one_does_not() -> None:
    loud = NEWS.replace("0.4", "8.0").replace("0.6", "8.0").replace("2.0", "8.0").replace("3.0", "8.0")
    own = watched(NEWS).tables["decisions"]["reason"]
    other = watched(loud, "risk_engine.training.prices=btc_eth_regimes").tables["decisions"]["reason"]

    assert not (own == "drift alarm").any()
    assert (other == "drift alarm").sum() > 40


def still(*overrides: str) -> Scenario:
    """Prices that hardly move, traders near their margin, and an engine that asks for much more of it."""
    return calm(
        *QUICK,
        FREE,
        "risk_engine.model=static",
        "risk_engine.targets={scale: 6, sold: 0, top_up: 1h}",
        "world.prices.points=[{at: 0s, BTC: 42000, ETH: 2300}]",
        "world.prices.volatility={BTC: 0.01, ETH: 0.01}",
        "risk_engine.training.prices=btc_eth_regimes",
        "agents.retail.leverage.median=12",
        *overrides,
    )


def test_a_sudden_rise_of_margin_liquidates_and_the_engine_is_named_as_the_cause() -> None:
    sudden, kept = run(still(), 3).summary, run(still("governance.scope=new"), 3).summary
    gradual = run(still("governance.scope=ramp", "governance.grace=20h"), 3).summary
    caused, liquidated = sudden["engine_caused_usd"], sudden["liquidated_usd"]

    assert caused > 0.5 * liquidated > 0  # type: ignore[operator]
    assert sudden["tightened_usd"] >= caused  # type: ignore[operator]
    assert kept["engine_caused_usd"] == 0
    assert kept["liquidated_usd"] < 0.2 * liquidated  # type: ignore[operator]
    assert gradual["engine_caused_usd"] < caused  # type: ignore[operator]


def margins_of(model: Model, account: int) -> float:
    """Maintenance margin over notional of an account."""
    held = float(np.abs(model.exchange.book.size[:, account]) @ model.exchange.book.mark)
    return float(accounts_risk(model.exchange.book, model.exchange.parameters)[2, account]) / held


def test_a_position_keeps_its_margin_until_it_grows() -> None:
    with opened(still("governance.scope=new"), blocks=5) as model:
        book, retail = model.exchange.book, model.people.retail.accounts
        held = [account for account in retail.tolist() if book.size[0, account] and not book.size[1, account]]
        before = {account: (margins_of(model, account), book.size[0, account]) for account in held}
        model.step()
        rate = model.exchange.parameters.maintenance[0] / PPM
        resting = [account for account in held if book.size[0, account] == before[account][1]]

        assert len(resting) > 20
        for account in resting:
            assert rate > 2 * before[account][0]
            assert margins_of(model, account) == pytest.approx(before[account][0], rel=1e-6)
        assert book.keeping[0] == model.exchange.parameters.maintenance[0]


def test_a_ramp_arrives_after_its_grace_although_decisions_repeat_its_target() -> None:
    tables = run(still("governance.scope=ramp", "governance.grace=60m"), 3).tables
    margins = tables["markets"].query("market == 'BTC'").set_index("block")["maintenance_margin"]
    wanted = tables["decisions"].query("market == 'BTC' and parameter == 'maintenance'")["after"]
    halfway = (margins[1] + margins[70]) / 2

    assert margins[70] == pytest.approx(wanted.iloc[0], rel=0.02)
    assert margins[36] == pytest.approx(halfway, rel=0.05)


def test_a_burn_in_decides_nothing_and_a_refit_goes_on() -> None:
    burnt = (
        "clock.duration=18h", "risk_engine.training={kind: burn_in, length: 10h}",
        "risk_engine.targets.top_up=5m", "risk_engine.refit.every=4h", "agents.retail.accounts=50",
    )  # fmt: skip
    tables = watched(NEWS, *burnt).tables
    online = watched(NEWS, *burnt, "risk_engine.refit={every: 0s, online: true}").tables

    start = pd.Timestamp("2024-01-01", tz="UTC")
    fits = tables["regimes"].set_index("time")["fit"]
    assert tables["decisions"]["time"].min() == start + pd.Timedelta("10h")
    assert fits[fits != ""].index.tolist() == [start + pd.Timedelta(hours=hour) for hour in (10, 12, 16)]
    assert len(tables["features"]) == 18 * 12 * 2 * 8 - 2
    assert not tables["decisions"].equals(online["decisions"])


def test_a_refit_whose_regimes_have_moved_too_far_is_refused() -> None:
    refits = (NEWS, "clock.duration=6h", "risk_engine.refit={every: 2h, trust: 0.000001}")
    fits = watched(*refits).tables["regimes"]["fit"]
    trusting = watched(*refits[:2], "risk_engine.refit={every: 2h}").tables["regimes"]["fit"]

    assert fits[fits != ""].str.startswith("refused: a regime moved by 0.").tolist() == [True] * 3
    assert trusting[trusting != ""].tolist() == ["accepted"] * 3


def test_features_of_the_run_can_be_learned_from() -> None:
    tables = watched(
        NEWS, "clock.duration=14h", "risk_engine.training={kind: burn_in, length: 10h}",
        "risk_engine.targets.top_up=5m", "risk_engine.inputs=[volatility, gas]",
        "agents.retail.accounts=50",
    ).tables  # fmt: skip

    assert np.allclose(tables["regimes"].dropna()[["regime_1", "regime_2"]].sum(axis=1), 1)


def test_weights_and_caps_are_governed_where_the_settings_say_so() -> None:
    taken = "protocol.markets.BTC.collateral={initial_weight: 0.8, maintenance_weight: 0.9, discount: 0.05}"
    tables = watched(FREE, taken, "risk_engine.targets.open_interest=true").tables
    last = tables["decisions"].groupby(["market", "parameter"])["after"].last()

    assert last["BTC", "weight_maintenance"] * 1.05 < 1
    assert last["BTC", "weight_initial"] < last["BTC", "weight_maintenance"]
    assert ("ETH", "weight_initial") not in last
    assert last["BTC", "open_interest_cap"] > last["ETH", "open_interest_cap"] > 0
    assert np.allclose(tables["decisions"]["tightness"] > 0, True)


@pytest.mark.slow
@pytest.mark.parametrize("preset", others_long(["dydx_v4", "hyperliquid", "gmx_v2", "drift", "synthetix_v3"]))
@pytest.mark.parametrize("scale", [0.0001, 100])
def test_no_target_is_so_wild_that_a_venue_could_not_take_it(preset: str, scale: float) -> None:
    wild = (
        FREE.replace("}", ", box: {minimum: 0.000001, maximum: 1000}}"),
        f"protocol.preset={preset}",
        f"risk_engine.targets.scale={scale}",
        "clock.duration=20m",
        "agents.retail.accounts=100",
    )
    margins = watched(*wild, "risk_engine.model=static").tables["markets"]

    assert (margins["maintenance_margin"] <= margins["initial_margin"]).all()
    assert margins["maintenance_margin"].iloc[-1] == pytest.approx(1.0 if scale > 1 else 0.0001, abs=0.2)


def test_the_same_seed_gives_the_same_decisions() -> None:
    again = run(calm(*QUICK), 3)

    assert again.transcript == watched().transcript
    pd.testing.assert_frame_equal(again.tables["decisions"], watched().tables["decisions"])
