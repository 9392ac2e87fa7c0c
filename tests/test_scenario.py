"""Scenario files: layers, provenance, and every mistake named with rule, value, file, line and path."""

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from sim.bundled import bundled, names
from sim.configuration import Scenario
from sim.provenance import provenance, resolved
from sim.scenario import ScenarioError, load_scenario
from sim.schema import scenario_schema

RUNNABLE = [name for name in names("scenario") if name != "replay"]
ONE_MARKET = (
    "beanstalk_2022",
    "build_finance_2022",
    "compound_289_2024",
    "council_2026",
    "governance_borrowed_votes",
    "governance_bribery",
    "governance_flash_loan",
    "governance_key_theft",
    "governance_nudge",
    "governance_poisoning",
    "governance_quiet",
    "governed",
)
OTHER_MARKETS = {
    "two_regimes": ("BTC",),
    **dict.fromkeys(ONE_MARKET, ("BTC",)),
    "governance_front_run": ("ETH",),
    "governance_ratchet": ("ETH",),
    "capo_2026": ("ETH", "WSTETH"),
    "jelly_2025": ("JELLY",),
    "luna_2022": ("LUNA",),
    "mango_2022": ("MNGO",),
    "yfi_2023": ("YFI",),
    "attack_backstop_squeeze": ("LOWCAP",),
    "attack_oracle_pusher": ("THIN",),
    "attack_self_liquidating_whale": ("ETH",),
    "attack_vault_exit": ("LOWCAP",),
}

GOOD = """\
extends: base
name: mine
clock: {start: 2024-05-01T12:00:00Z, duration: 2h, block: 30s}
shocks:
  - {at: 1h, kind: gas_spike, factor: 8, duration: 10m}
  - {at: 90m, kind: price_jump, size: -0.1}
"""


def saved(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def complaints(source: str | Path, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(source, overrides)
    folder = f"{Path(source).parent}/"
    return [line.replace(folder, "") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", RUNNABLE)
def test_bundled_scenarios_load_and_name_themselves(name: str) -> None:
    scenario = load_scenario(name)

    assert scenario.name == name
    assert scenario.description
    assert scenario.markets == OTHER_MARKETS.get(name, ("BTC", "ETH"))


@pytest.mark.parametrize("preset", names("preset"))
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_bundled_scenario_loads_under_every_preset(name: str, preset: str) -> None:
    scenario = load_scenario(name, [f"protocol.preset={preset}"])

    assert scenario.protocol.preset == preset
    assert (
        scenario.protocol.venue.kind
        == load_scenario("base", [f"protocol.preset={preset}"]).protocol.venue.kind
    )


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_resolved_scenario_loads_to_an_equal_one(tmp_path: Path, name: str) -> None:
    scenario = load_scenario(name, ["world.gas.ether=2950.5", "world.gas.base=31.5"])

    again = load_scenario(saved(tmp_path, json.dumps(resolved(scenario)), "resolved.json"))

    assert again == scenario
    assert resolved(again) == resolved(scenario)


def test_later_layers_win() -> None:
    scenario = load_scenario("black_thursday", ["protocol.markets.BTC.initial_margin=0.06"])
    bitcoin, ether = scenario.protocol.markets["BTC"], scenario.protocol.markets["ETH"]

    assert bitcoin.initial_margin == 0.06
    assert ether.initial_margin == 0.05
    assert bitcoin.lot == 0.0001
    assert bitcoin.open_interest_upper == 0.0
    assert scenario.protocol.backstop.rule == "takeover"
    assert scenario.protocol.fees.maker == -0.00011


def test_times_durations_and_numbers_have_their_types() -> None:
    scenario = load_scenario("black_thursday", ["clock.start=2020-03-12T01:00:00+01:00"])

    assert scenario.clock.start == datetime(2020, 3, 12, tzinfo=UTC)
    assert (scenario.clock.duration, scenario.clock.block, scenario.clock.blocks) == (172_800, 60, 2880)
    assert scenario.shocks[0].at == 36_000


def test_every_parameter_says_where_it_comes_from(tmp_path: Path) -> None:
    scenario = load_scenario(saved(tmp_path, GOOD), ["world.gas.base=25", "shocks.0.factor=9"])
    rows = {row["path"]: row for row in provenance(scenario)}

    assert rows["clock.block"]["origin"].endswith("mine.yaml:3")
    assert rows["world.share"]["origin"].startswith("scenarios/base.yaml:")
    assert rows["world.gas.base"] == {
        "path": "world.gas.base",
        "value": 25,
        "unit": "gwei",
        "source": "scenario",
        "origin": "--set",
    }
    assert rows["shocks.0.factor"]["origin"] == "--set"
    assert rows["shocks.0.duration"]["value"] == "600s"
    assert rows["shocks.0.duration"]["origin"].endswith("mine.yaml:5")
    assert rows["protocol.fees.taker"]["origin"] == "preset:dydx_v4"
    assert "genesis" in rows["protocol.fees.taker"]["source"]
    assert rows["protocol.insurance_fund"]["source"] == "assumed"
    assert rows["world.gas.sigma"] == {
        "path": "world.gas.sigma",
        "value": scenario.world.gas.sigma,
        "unit": "1",
        "source": "assumed",
        "origin": "default",
    }
    assert json.loads(json.dumps(list(rows.values()))) == list(rows.values())


def test_origins_are_no_part_of_what_a_scenario_is(tmp_path: Path) -> None:
    by_file = load_scenario(saved(tmp_path, GOOD))
    by_override = load_scenario(saved(tmp_path, GOOD.replace("30s", "10s")), ["clock.block=30s"])

    assert by_file == by_override
    assert provenance(by_file) != provenance(by_override)
    assert pickle.loads(pickle.dumps(by_file)) == by_file


def test_a_name_is_not_inherited(tmp_path: Path) -> None:
    scenario = load_scenario(saved(tmp_path, "extends: black_thursday\n", "tuesday.yaml"))

    assert (scenario.name, scenario.description) == ("tuesday", "")


def test_a_file_beside_goes_before_a_bundled_name(tmp_path: Path) -> None:
    saved(tmp_path, "extends: base\nworld: {share: 0.5}\n", "calm")

    assert load_scenario(saved(tmp_path, "extends: calm\n")).world.share == 0.5


def test_another_kind_of_prices_starts_afresh(tmp_path: Path) -> None:
    text = "extends: base\nworld:\n  prices: {kind: waypoints, event: may_2021}\n"
    text += "clock: {start: 2021-05-19T00:00:00Z}\n"
    scenario = load_scenario(saved(tmp_path, text))

    assert scenario.world.prices.kind == "waypoints"
    assert scenario.world.prices.points == ()
    assert scenario.world.prices.volatility == {"BTC": 0.45, "ETH": 0.6}


@pytest.mark.parametrize("overrides", [["protocol.markets.ETH=none"], ["protocol.markets={BTC: }"]])
def test_markets_can_be_chosen(overrides: list[str]) -> None:
    names = load_scenario("calm", overrides).markets

    assert names[0] == "BTC"
    assert len(names) == (1 if "none" in overrides[0] else 2)


def test_a_market_that_no_preset_knows_gives_its_own_numbers(tmp_path: Path) -> None:
    text = GOOD + (
        "protocol:\n  markets:\n    SOL: {lot: 0.1, tick: 0.01,"
        " initial_margin: 0.1, maintenance_margin: 0.05}\n"
        "world:\n"
        "  depth: {within_1pct: {SOL: 1e6}, calm_volatility: {SOL: 1}}\n"
        "  prices: {points: [{at: 0s, BTC: 1, ETH: 1, SOL: 1}], volatility: {SOL: 1}}\n"
        "agents: {retail: {market_weights: {SOL: 0.1}}}\n"
    )

    assert load_scenario(saved(tmp_path, text)).markets == ("BTC", "ETH", "SOL")


def test_candles_lie_beside_the_scenario_or_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    rows = "".join(f"2024-05-01T12:{minute:02}:00Z,9,11,8,10,1\n" for minute in range(0, 60, 15))
    candle_text = f"date,open,high,low,close,volume\n{rows}"
    (home / "btc.csv").write_text(candle_text)
    text = GOOD.replace("2h", "1h").partition("shocks")[0]
    text += "protocol: {markets: {ETH: none}}\nworld: {prices: {kind: replay, path: btc.csv}}\n"
    source = saved(home, text)

    assert load_scenario(source).world.prices.path == (home / "btc.csv").as_posix()
    with pytest.raises(ScenarioError, match=r"^no\.csv  no such candle file$"):
        load_scenario(source, ["world.prices.path=no.csv"])
    (here / "no.csv").write_text(candle_text)
    assert load_scenario(source, ["world.prices.path=no.csv"]).world.prices.path == "no.csv"


TIER = "{{above: {:g}, initial_margin: 0.05, maintenance_margin: 0.03}}"


def acting(act: str) -> str:
    """An actor with one entry in its timetable."""
    return f"agents: {{actors: {{whale: {{cash: 1, acts: [{{{act}}}]}}}}}}"


BROKEN = {
    "clok: {}": "mine.yaml:7  clok: unknown key; did you mean clock?",
    "axes: {}": "mine.yaml:7  axes: unknown key; known: agents, clock",
    "world: {gas: {bse: 3}}": "mine.yaml:7  world.gas.bse: unknown key; did you mean base?",
    "world: {share: yes}": "mine.yaml:7  world.share: must be a number, got 'yes'",
    "world: {share: true}": "mine.yaml:7  world.share: must be a number, got true",
    "world: {share: }": "mine.yaml:7  world.share: must be a number, got nothing",
    "world: {share: .nan}": "mine.yaml:7  world.share: must be finite, got nan",
    "world: {share: 1.5}": "mine.yaml:7  world.share: must be <= 1, got 1.5",
    "world: {share: 0}": "mine.yaml:7  world.share: must be > 0, got 0",
    "world: {reading: representative, share: 0.5}": (
        "a representative venue is the whole market, share=1 must hold, got share=0.5"
    ),
    "world: {reading: large}": (
        "mine.yaml:7  world.reading: must be one of 'small' or 'representative', got 'large'"
    ),
    "world: 5": "mine.yaml:7  world: must be a mapping, got 5",
    "world: {prices: {kind: sabr}}": "kind must be one of 'waypoints', 'replay', 'bootstrap', 'regimes'",
    "world: {prices: {kind: replay}}": "mine.yaml:7  world.prices.path: must be given",
    "world: {prices: {kind: replay, path: 3}}": "world.prices.path: a path, or a mapping from market to path",
    "world: {prices: {event: may_2012}}": (
        "no such event file or bundled event 'may_2012'; did you mean may_2021?"
    ),
    "world: {prices: {event: may_2021}}": (
        "levels of BTC must cover 2024-05-01T12:00:00Z to 2024-05-01T14:00:00Z, got 2021-05-19T00:00:00Z to"
    ),
    "world: {prices: {points: [{BTC: 1}]}}": "mine.yaml:7  world.prices.points.0.at: must be given",
    "world: {prices: {points: [{at: 0s, BTC: -1, ETH: 1}]}}": (
        "world.prices.points.0.BTC: must be > 0, got -1"
    ),
    "world: {prices: {points: [{at: 0s, BTC: 1}]}}": "market ETH needs at least one level",
    "world: {prices: {points: []}}": "exactly one of event and points must be given, got event=''",
    "world: {prices: {correlation: 1.01}}": "world.prices.correlation: must be <= 1, got 1.01",
    "governance: {route: dao}": "mine.yaml:7  governance.route: must be one of 'direct', 'steward', "
    "'hub', 'governor' or 'frozen', got 'dao'",
    "risk_engine: {model: lstm}": "mine.yaml:7  risk_engine.model: must be one of",
    "risk_engine: {model: hmm, every: 101s}": "mine.yaml:7  risk_engine: every must be a multiple of",
    "risk_engine: {model: hmm, inputs: [gas]}": (
        "mine.yaml:7  risk_engine: gas can only be learned in the run: training.kind must be burn_in"
    ),
    "risk_engine: {model: hmm, inputs: [returns, basis, depth]}": (
        "mine.yaml:7  risk_engine: inputs times 2 markets must be 1 to 4 series"
    ),
    "risk_engine: {model: hindsight}": "hindsight needs world.prices.kind regimes",
    "risk_engine: {model: hmm, training: {kind: candles}}": (
        "path belongs to training from candles, and only to it, got kind=candles, path=''"
    ),
    "risk_engine: {model: hmm, training: {kind: candles, path: nowhere.csv}}": "risk_engine.training.path",
    "risk_engine: {model: hmm, training: {kind: burn_in, length: 30d}}": (
        "a burn-in must end within clock.duration="
    ),
    "risk_engine: {model: hmm, training: {length: 1d}}": (
        "length must hold 100 steps of risk_engine.every=3600s, got length=86400s"
    ),
    "risk_engine: {model: hmm, training: {prices: black_thursday}}": (
        "a history needs a generator of prices for BTC, ETH, got black_thursday"
    ),
    "agents: {retail: {accounts: 2.5}}": (
        "mine.yaml:7  agents.retail.accounts: must be a whole number, got 2.5"
    ),
    "protocol: {preset: dydx_v3}": (
        "mine.yaml:7  protocol.preset: no such preset 'dydx_v3'; did you mean dydx_v4?"
    ),
    "protocol: {fees: {maker: -0.001}}": (
        "mine.yaml:7  protocol.fees: |maker| <= taker must hold, got maker=-0.001"
    ),
    "protocol: {mark: spot}": "protocol.mark: must be one of 'oracle', 'median' or 'twap', got 'spot'",
    "protocol: {markets: {BTC: {initial_margin: 0.01}}}": (
        "protocol.markets.BTC: maintenance_margin <= initial_margin must hold, "
        "got maintenance_margin=0.012, initial_margin=0.01"
    ),
    "protocol: {markets: {BTC: {open_interest_lower: 2e6, open_interest_upper: 1e6}}}": (
        "mine.yaml:7  protocol.markets.BTC: open_interest_lower < open_interest_upper must hold"
    ),
    "protocol: {markets: {BTC: {tick: 0.001234}}}": (
        "tick * lot must be a whole number of 1e-6 USD, got tick=0.0"
    ),
    "protocol: {markets: {BTC: 0.05}}": "mine.yaml:7  protocol.markets.BTC: must be a mapping, got 0.05",
    "protocol: {markets: {B/C: {}}}": (
        "protocol.markets.B/C.lot: must be given: smallest change of a position"
    ),
    "protocol: {markets: {SOL: {}}}": "mine.yaml:7  protocol.markets.SOL.initial_margin: must be given",
    "protocol: {markets: {BTC: none, ETH: none}}": "protocol.markets: at least one market is needed",
    "protocol: {liquidation: {min_notional: 2e5}}": (
        "min_notional <= max_notional must hold, got min_notional=2"
    ),
    "protocol: {liquidation: {round: 7s}}": "clock.block=30s must be a multiple of round, got round=7s",
    "protocol: {liquidation: {kind: closes}}": (
        "mine.yaml:7  protocol.liquidation: kind must be slices or tranches or transfers on a venue of kind "
        "order_book, got kind=closes"
    ),
    "protocol: {venue: {kind: amm}}": (
        "mine.yaml:7  protocol.liquidation: kind must be transfers on a venue of kind amm, got kind=slices"
    ),
    "protocol: {last_resort: pool}": (
        "mine.yaml:7  protocol.last_resort: last_resort pool needs a venue of kind amm or impact_pool or "
        "skew_pool, got order_book"
    ),
    "protocol: {last_resort: index}": "last_resort index needs a venue of kind amm, got order_book",
    "protocol: {adl: {pool_trigger: 0.9, pool_target: 0.8}}": (
        "mine.yaml:7  protocol.adl: pool_trigger needs a venue of kind impact_pool, got pool_trigger=0.9"
    ),
    "protocol: {adl: {pool_target: 0.8}}": (
        "mine.yaml:7  protocol.adl: pool_target <= pool_trigger must hold, got pool_target=0.8, "
        "pool_trigger=0.0"
    ),
    "protocol: {preset: gmx_v2, adl: {rule: ranked}}": (
        "mine.yaml:7  protocol.adl: rule must be none on a venue of kind impact_pool, where the pool is on "
        "the other side, got rule=ranked"
    ),
    "protocol: {reward: {minimum: 2}}": (
        "mine.yaml:7  protocol.reward: minimum <= maximum must hold, got minimum=2.0, maximum=0.0"
    ),
    "protocol: {markets: {BTC: {price_floor: 2, price_ceiling: 2}}}": (
        "mine.yaml:7  protocol.markets.BTC: price_floor < price_ceiling must hold, got price_floor=2.0, "
        "price_ceiling=2.0"
    ),
    "protocol: {markets: {BTC: {collateral: {initial_weight: 0.6, maintenance_weight: 0.5}}}}": (
        "mine.yaml:7  protocol.markets.BTC.collateral: initial_weight <= maintenance_weight must hold, "
        "got initial_weight=0.6, maintenance_weight=0.5"
    ),
    "protocol: {markets: {BTC: {collateral: {cap: {ratio: 2}}}}}": (
        "mine.yaml:7  protocol.markets.BTC.collateral.cap: a ratio needs a base, got ratio=2.0"
    ),
    "protocol: {markets: {BTC: {collateral: {cap: {base: ETH}}}}}": (
        "mine.yaml:7  protocol.markets.BTC.collateral.cap: ratio > 0 must hold, got ratio=0.0"
    ),
    "protocol: {markets: {BTC: {collateral: {cap: {base: ETC, ratio: 2}}}}}": (
        "mine.yaml:7  protocol.markets.BTC.collateral.cap: base must be another market; did you mean ETH?, "
        "got base='ETC'"
    ),
    "protocol: {markets: {BTC: {collateral: {cap: {base: BTC, ratio: 2}}}}}": (
        "mine.yaml:7  protocol.markets.BTC.collateral.cap: base must be another market"
    ),
    "protocol: {markets: {ETH: {collateral: {cap: {base: BTC, ratio: 2}}}, "
    "BTC: {collateral: {cap: {base: ETH, ratio: 2}}}}}": (
        "mine.yaml:7  protocol.markets.ETH.collateral.cap: base must have no ceiling itself, that of BTC is "
        "over ETH, got base='BTC'"
    ),
    "protocol: {markets: {BTC: {amm: {base_spread: 0.03}}}}": (
        "mine.yaml:7  protocol.markets.BTC.amm: base_spread <= max_spread must hold, got base_spread=0.03"
    ),
    f"protocol: {{markets: {{BTC: {{tiers: [{TIER.format(2e6)}, {TIER.format(2e6)}]}}}}}}": (
        "mine.yaml:7  protocol.markets.BTC.tiers.1: tiers must ascend, got above=2e+06 after above=2e+06"
    ),
    "protocol: {markets: {BTC: {tiers: [{above: 9, initial_margin: 0.03, maintenance_margin: 0.029}]}}}": (
        "mine.yaml:7  protocol.markets.BTC.tiers.0: a tier must not raise maintenance_margin by more than "
        "initial_margin, from 0.012 and 0.02, got maintenance_margin=0.029, initial_margin=0.03"
    ),
    "protocol: {preset: gmx_v2, backstop: {purse: 0.5}}": (
        "mine.yaml:7  protocol.backstop: purse must be 1 but on a venue of kind order_book, got purse=0.5"
    ),
    "protocol: {markets: {BTC: {maintenance_margin: 1e-7}}}": (
        "mine.yaml:7  protocol: 0 < maintenance <= initial <= 1 must hold, got maintenance=0.0"
    ),
    "agents: {actors: {retail: {cash: 1}}}": (
        "mine.yaml:7  agents.actors.retail: an actor's name is made of letters, digits, _ and -, and is no "
        "role's or other party's, got 'retail'"
    ),
    "agents: {actors: {a b: {cash: 1}}}": "agents.actors.a b: an actor's name is made of letters",
    "agents: {actors: {whale: {}}}": "mine.yaml:7  agents.actors.whale.cash: must be given",
    acting("at: 2h, kind: withdraw"): (
        "mine.yaml:7  agents.actors.whale.acts.0: at must lie within clock.duration=7200s, got at=7200s"
    ),
    acting("at: 1h, kind: withdraw, until: 80m"): (
        "mine.yaml:7  agents.actors.whale.acts.0: until needs every, and must not come before at, "
        "got until=4800s, at=3600s, every=0s"
    ),
    acting("at: 1h, kind: withdraw, every: 5m, until: 50m"): "until needs every, and must not come before at",
    acting("at: 1h, kind: order, size: 1, market: BTCC"): (
        "mine.yaml:7  agents.actors.whale.acts.0.market: no such market 'BTCC'; did you mean BTC?"
    ),
    acting("at: 1h, kind: bring_asset, size: 1"): "acts.0.market: no such market ''; known: BTC, ETH",
    acting("at: 1h, kind: order, market: BTC"): (
        "acts.0: an order has a size or a leverage, got size=0.0, leverage=0.0"
    ),
    acting("at: 1h, kind: order, market: BTC, size: 1, leverage: 2"): "an order has a size or a leverage",
    acting("at: 1h, kind: order, market: BTC, size: 1, rests: true"): (
        "acts.0: an order that rests needs a limit, got rests=true, limit=0.0"
    ),
    acting("at: 1h, kind: bring_asset, market: BTC, size: -1"): "acts.0: size > 0 must hold of an asset",
    acting("at: 1h, kind: dance"): "kind: must be one of 'order', 'withdraw' or 'bring_asset', got 'dance'",
}


@pytest.mark.parametrize("addition", list(BROKEN))
def test_a_mistake_is_named_with_its_line(tmp_path: Path, addition: str) -> None:
    lines = complaints(saved(tmp_path, f"{GOOD}{addition}\n"))

    assert any(BROKEN[addition] in line for line in lines), lines


BROKEN_LINES = {
    (
        "duration: 2h",
        "duration: 7201s",
    ): "mine.yaml:3  clock: duration must be a multiple of block, got duration=7",
    ("duration: 2h", "duration: 7200"): "mine.yaml:3  clock.duration: a duration needs its unit, as in 60s",
    ("duration: 2h", "duration: 2 hours"): "mine.yaml:3  clock.duration: a duration is a number and a unit",
    ("duration: 2h", "duration: -2h"): "mine.yaml:3  clock.duration: a duration is a number and a unit",
    ("duration: 2h", "duration: 0s"): "mine.yaml:3  clock.duration: must be > 0",
    ("duration: 2h", "duration: 9000d"): "mine.yaml:3  clock.duration: must be <= 315360000",
    (
        "2h, block: 30s",
        "3000d, block: 1s",
    ): "mine.yaml:3  clock: duration / block must be at most 5,000,000 blocks",
    (
        "2024-05-01T12:00:00Z",
        "yesterday",
    ): "mine.yaml:3  clock.start: a time is written as in 2020-03-12T00:00:00Z",
    ("2024-05-01T12:00:00Z", "1066-10-14"): "mine.yaml:3  clock: start must lie between 1970 and 2200",
    (
        "2024-05-01T12:00:00Z",
        "12",
    ): "mine.yaml:3  clock.start: must be a time, as in 2020-03-12T00:00:00Z, got 12",
    ("name: mine", "name: a/b"): "mine.yaml:2  name: must match",
    ("extends: base", "extends: bse"): "mine.yaml:1  extends: no such scenario 'bse'; did you mean base?",
    ("extends: base", "extends: [base]"): "mine.yaml:1  extends: no such scenario ['base']",
    ("extends: base", "extends: mine.yaml"): "mine.yaml:1  extends: a scenario must not extend itself",
    ("extends: base", "protocol: {}"): "mine.yaml:1  world: must be given",
    ("at: 1h", "at: 2h"): "mine.yaml:5  shocks.0: at must lie within clock.duration=7200s, got at=7200s",
    ("kind: gas_spike, ", ""): "mine.yaml:5  shocks.0: kind must be given",
    ("gas_spike", "meteor"): "mine.yaml:5  shocks.0: kind must be one of 'price_jump', 'gas_spike'",
    ("duration: 10m", "durtion: 10m"): "mine.yaml:5  shocks.0.durtion: unknown key; did you mean duration?",
    ("size: -0.1", "size: -1"): "mine.yaml:6  shocks.1.size: must be > -1, got -1",
    ("size: -0.1", "size: 1, markets: [BTCC]"): "shocks.1.markets: no such market 'BTCC'; did you mean BTC?",
    ("size: -0.1", "size: 1, markets: BTC"): "mine.yaml:6  shocks.1.markets: must be a list, got 'BTC'",
    (
        "  - {at: 90m, kind: price_jump, size: -0.1}",
        "  - 5",
    ): "mine.yaml:6  shocks.1: must be a mapping, got 5",
    ("name: mine", "name: mine\nname: yours"): "mine.yaml:3  name: a key must stand once",
    ("name: mine", "name: [mine"): "not valid YAML",
    ("name: mine", "- mine"): "mine.yaml:2  not valid YAML",
}


@pytest.mark.parametrize("change", list(BROKEN_LINES))
def test_a_broken_line_is_named(tmp_path: Path, change: tuple[str, str]) -> None:
    lines = complaints(saved(tmp_path, GOOD.replace(*change)))

    assert any(BROKEN_LINES[change] in line for line in lines), lines


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clock.block", "--set clock.block  an override is written path=value, as in clock.block=30s"),
        ("=3", "--set =3  an override is written path=value"),
        ("clock..block=3s", "--set clock..block=3s  an override is written path=value"),
        ("clock.blok=3s", "--set clock.blok=3s  clock.blok: unknown key; did you mean block?"),
        ("clock.block=[", "--set clock.block=[  clock.block: not valid YAML"),
        ("clock.block=7s", "--set clock.block=7s  clock: duration must be a multiple of block"),
        ("clock.block.x=7s", "--set clock.block.x=7s  clock.block: must be a whole number, got {'x': '7s'}"),
        ("shocks.7.at=1h", "--set shocks.7.at=1h  shocks: must be a list"),
        ("shocks.1.size=-2", "--set shocks.1.size=-2  shocks.1.size: must be > -1, got -2"),
        ("extends=base", "--set extends=base  extends: unknown key"),
    ],
)
def test_an_override_is_blamed_by_its_text(tmp_path: Path, override: str, message: str) -> None:
    lines = complaints(saved(tmp_path, GOOD), (override,))

    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("size: -0.1", "size: -3").replace("at: 1h", "at: 5h") + (
        "protocol:\n"
        "  markets:\n"
        "    BTC: {initial_margin: 0.1, maintenance_margin: 0.2, lot: x}\n"
        "    SOL: {lot: 0.1, tick: 0.01, initial_margin: 0.1, maintenance_margin: 0.2}\n"
        "  fees: {taker: -1}\n"
        "world: {prices: {kind: replay, path: '{market}.csv'}}\n"
    )
    lines = complaints(saved(tmp_path, text), ("governance.rout=x",))

    expected = [
        "mine.yaml:6  shocks.1.size: must be > -1, got -3",
        "mine.yaml:5  shocks.0: at must lie within clock.duration=7200s, got at=18000s",
        "mine.yaml:9  protocol.markets.BTC.lot: must be a number, got 'x'",
        "mine.yaml:9  protocol.markets.BTC: maintenance_margin <= initial_margin must hold",
        "mine.yaml:10  protocol.markets.SOL: maintenance_margin <= initial_margin must hold",
        "mine.yaml:11  protocol.fees.taker: must be >= 0, got -1",
        "--set governance.rout=x  governance.rout: unknown key; did you mean route?",
        "BTC.csv  no such candle file",
        "ETH.csv  no such candle file",
        "mine.yaml:10  world.depth.within_1pct: market SOL needs a value",
    ]
    for part in expected:
        assert any(line.startswith(part) for line in lines), (part, lines)
    assert len(lines) == len(set(lines))


def test_a_broken_entry_does_not_shift_the_numbers_of_the_others(tmp_path: Path) -> None:
    text = GOOD.replace("gas_spike", "meteor").replace("at: 90m", "at: 9h")

    assert any(
        line.startswith("mine.yaml:6  shocks.1: at must lie within")
        for line in complaints(saved(tmp_path, text))
    )


def test_a_broken_setting_causes_no_complaints_of_its_stand_in(tmp_path: Path) -> None:
    lines = complaints(saved(tmp_path, GOOD.replace("duration: 2h", "duration: 0s")))

    assert lines == ["mine.yaml:3  clock.duration: must be > 0, got '0s'"]


def test_problems_in_an_extended_file_name_that_file(tmp_path: Path) -> None:
    saved(tmp_path, "extends: base\n\nworld:\n  share: 3\n", "lower.yaml")
    lines = complaints(saved(tmp_path, "extends: lower.yaml\nclock: {block: 7s}\n"))

    assert lines[0] == "lower.yaml:4  world.share: must be <= 1, got 3"
    assert lines[1].startswith("mine.yaml:2  clock: duration must be a multiple of block")


def test_a_broken_extended_file_does_not_hide_other_problems(tmp_path: Path) -> None:
    saved(tmp_path, "a: [\n", "lower.yaml")
    lines = complaints(saved(tmp_path, "extends: lower.yaml\nclock: {block: 7x}\n"))

    assert len(lines) == 2
    assert lines[0].startswith("lower.yaml:2  not valid YAML")
    assert lines[1].startswith("mine.yaml:2  clock.block: a duration is a number and a unit")


def test_a_longer_circle_is_found(tmp_path: Path) -> None:
    saved(tmp_path, "extends: mine.yaml\n", "lower.yaml")
    lines = complaints(saved(tmp_path, "extends: lower.yaml\n"))

    assert lines == [
        f"lower.yaml:1  extends: a scenario must not extend itself, got lower.yaml -> {'mine.yaml'}"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.yaml:1  world: must be given"),
        (b"- 1\n", "mine.yaml:1  the file must be a mapping of sections"),
        (b"\x80", "mine.yaml  not valid YAML"),
        (b"just words", "mine.yaml:1  the file must be a mapping of sections"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)

    assert any(line.startswith(message) for line in complaints(path))


def test_an_unknown_scenario_is_met_with_the_nearest_name(tmp_path: Path) -> None:
    assert complaints("black_tuesday") == [
        "black_tuesday  no such scenario file or bundled scenario; did you mean black_thursday?"
    ]
    assert "no such scenario file" in complaints(tmp_path)[0]


def test_problems_of_an_event_file_are_named_there(tmp_path: Path) -> None:
    event = saved(tmp_path, "name: e\npoints:\n  - {time: 2024-05-01, BTC: -1, ETH: 2}\n", "event.yaml")
    lines = complaints(saved(tmp_path, f"{GOOD}world: {{prices: {{event: {event}}}}}\n"))

    assert lines == [
        "event.yaml:1  source: must be given",
        "event.yaml:3  points.0.BTC: must be > 0, got -1",
    ]


def test_a_scenario_made_in_python_keeps_the_rules() -> None:
    data = resolved(load_scenario("calm"))
    data["shocks"] = [{"at": "48h", "kind": "gas_spike", "factor": 2.0, "duration": "1h"}]

    with pytest.raises(ValidationError, match="at must lie within"):
        Scenario.model_validate(data)


def test_the_schema_shows_units_sources_and_durations_as_written() -> None:
    schema = scenario_schema()
    clock = schema["$defs"]["ClockSettings"]["properties"]

    assert clock["block"]["default"] == "60s"
    assert clock["block"]["type"] == "string"
    assert schema["$defs"]["GasSettings"]["properties"]["base"]["unit"] == "gwei"
    assert "extends" in schema["properties"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        *(("event", name, "source") for name in names("event")),
        *(("preset", name, "sources") for name in names("preset")),
    ],
)
def test_bundled_data_states_its_sources(kind: str, name: str, key: str) -> None:
    data = yaml.safe_load(bundled(kind, name).read_text())

    assert data[key]
