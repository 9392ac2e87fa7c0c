"""Governance in its world: what a change does, when it comes, who may stop it, and what leaves no trace."""

from functools import cache

import mesa
import numpy as np
import pandas as pd
import pytest
from small import calm, crash, empty_venue, opened

from agents.guardian import GuardianSettings, Vital, Watch
from protocol.governance.payload import Payload, Payment, Setting
from protocol.governance.process import Order, Process
from protocol.governance.proposals import Draft, State
from protocol.governance.steward import Steward, StewardRules
from sim.configuration import Scenario
from sim.run import Result, run
from sim.streams import stream

ENGINE = (
    "risk_engine.model=hmm",
    "risk_engine.every=5m",
    "risk_engine.training.length=30d",
    "risk_engine.targets.top_up=1h",
)
FREE = "risk_engine.law={band_up: 0, band_down: 0, dwell: 0s, rise: 1000000, fall: 1000000}"
TIGHTER = "{at: 60m, title: tighter, set: {maintenance_margin: {BTC: 0.0125}}}"
QUICK_VOTE = (
    "governance.route=governor",
    "governance.governor={delay: 5m, period: 30m, extension: 0s, timelock: 10m, grace: 1h, quorum: 1}",
    "governance.people.attention.level=0.9",
)
OPENING = empty_venue("dydx_v4").parameters
BOUNDED = (
    "governance.steward={spacing: 20m, only_bounded: true,"
    " bounds: {maintenance_margin: {relative: 0.05}, initial_margin: {relative: 0.05}}}"
)


@cache
def governed(*overrides: str, seed: int = 3) -> Result:
    """Two quiet hours under some governance."""
    return run(calm("agents.retail.accounts=300", *overrides), seed)


def agenda(*items: str) -> str:
    """An override with these items."""
    return f"governance.agenda=[{', '.join(items)}]"


def upto(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """Rows of the first blocks."""
    return table[table["block"] <= block].reset_index(drop=True)


@pytest.mark.parametrize("route", ["direct", "steward", "hub", "governor", "frozen"])
def test_governance_that_does_nothing_leaves_the_world_as_it_is(route: str) -> None:
    idle, other = governed(), governed(f"governance.route={route}")

    assert other.transcript == idle.transcript
    assert "proposals" not in other.tables


@pytest.mark.parametrize("preset", ["compound", "aave_steward", "autonomous"])
def test_a_form_of_governance_in_which_nobody_proposes_leaves_the_world_as_it_is(preset: str) -> None:
    assert governed(f"governance.preset={preset}").transcript == governed().transcript


def test_a_change_leaves_everything_before_it_as_it_was_and_something_after_it_not() -> None:
    idle, changed = governed(), governed(agenda(TIGHTER))
    block = int(changed.tables["parameters"]["block"].max())

    assert block == 61
    for name in ("blocks", "markets", "liquidations"):
        common = [column for column in idle.tables[name] if column in changed.tables[name]]
        before = [upto(each.tables[name], block - 1)[common] for each in (idle, changed)]
        pd.testing.assert_frame_equal(*before)
    margins = changed.tables["markets"].query("market == 'BTC'").set_index("block")["maintenance_margin"]
    assert margins[60] == 0.012
    assert (margins.loc[61:] == 0.0125).all()


def test_a_vote_passes_through_all_of_its_states_in_their_time() -> None:
    result = governed(*QUICK_VOTE, agenda(TIGHTER.replace("60m", "10m")))
    events = result.tables["governance"]
    minutes = (events["time"] - pd.Timestamp("2024-01-01", tz="UTC")).dt.total_seconds() / 60
    states = dict(zip(events["event"], minutes, strict=True))

    assert list(events["event"]) == ["pending", "active", "queued", "executed"]
    assert states == {"pending": 10, "active": 15, "queued": 46, "executed": 56}
    proposal, votes = result.tables["proposals"].iloc[0], result.tables["votes"]
    assert proposal["votes_for"] == pytest.approx(votes.query("support == 'for'")["weight"].sum())
    assert not votes.duplicated("voter").any()
    assert votes["time"].between(proposal["opens"], proposal["closes"]).all()
    assert result.summary["turnout"] == pytest.approx(proposal["turnout"])
    assert 0.3 < proposal["turnout"] <= 1


def test_a_vote_without_a_quorum_changes_nothing() -> None:
    quorum = "governance.governor.quorum_share=1"
    result = governed(*QUICK_VOTE, quorum, agenda(TIGHTER.replace("60m", "10m")))

    assert result.tables["proposals"]["state"].tolist() == ["defeated"]
    assert result.tables["proposals"]["reason"].tolist() == ["no quorum"]
    assert (result.tables["parameters"]["block"] == 0).all()


def test_steps_of_a_steward_are_bounded_and_spaced_and_their_sender_knows_it() -> None:
    result = governed(*ENGINE, FREE, "governance.route=steward", BOUNDED)
    changes = result.tables["parameters"].query("block > 0")

    assert len(changes) > 4
    assert ((changes["new"] / changes["old"] - 1).abs() <= 0.05 + 1e-9).all()
    for _, rows in changes.groupby(["market", "parameter"]):
        assert (rows["time"].diff().dropna() >= pd.Timedelta("20m")).all()
    assert result.summary["clamp_binding_share"] > 0.5
    assert not (result.tables["proposals"]["reason"].str.contains("may go to")).any()


def test_an_engine_that_acts_through_a_steward_without_bounds_is_as_one_that_acts_directly() -> None:
    free = "governance.steward={spacing: 0s}"
    direct, steward = governed(*ENGINE, FREE), governed(*ENGINE, FREE, "governance.route=steward", free)

    for name in ("markets", "liquidations"):
        pd.testing.assert_frame_equal(direct.tables[name], steward.tables[name])


def test_a_frozen_venue_logs_what_the_engine_wants_and_keeps_its_rules() -> None:
    result = governed(*ENGINE, FREE, "governance.route=frozen")

    assert len(result.tables["decisions"])
    assert "proposals" not in result.tables
    assert (result.tables["parameters"]["block"] == 0).all()


def test_updates_expire_on_a_hub_that_they_reach_too_late() -> None:
    hub = "governance.hub={spacing: 40m, expiry: 9m, ordered: true}"
    result = governed(*ENGINE, FREE, "risk_engine.every=30m", "governance.route=hub", hub)
    proposals = result.tables["proposals"]

    assert {"executed", "expired"} <= set(proposals["state"])
    done = proposals.query("state == 'executed'")
    assert (done["ended"] - done["published"] <= pd.Timedelta("9m")).all()
    assert result.summary["proposals_expired_share"] == (proposals["state"] == "expired").mean()


def test_a_council_waits_for_its_second_signature() -> None:
    council = "governance.steward={keys: 2, approvals: 2, reaction: 10m, spacing: 0s}"
    result = governed("governance.route=steward", council, agenda(TIGHTER.replace("60m", "5m")))
    proposal = result.tables["proposals"].iloc[0]
    never = council.replace("keys: 2", "keys: 3").replace("approvals: 2", "approvals: 3")

    assert proposal["state"] == "executed"
    assert proposal["ended"] - proposal["published"] > pd.Timedelta("2m")
    slow = governed("governance.route=steward", never.replace("10m", "30d"), agenda(TIGHTER))
    assert "proposals" not in slow.tables  # it is still on somebody's desk


def test_what_would_liquidate_is_reverted_until_it_does_not_or_expires() -> None:
    fatal = "{at: 30m, set: {initial_margin: {BTC: 0.5}, maintenance_margin: {BTC: 0.4}}}"
    grace = "governance.steward={spacing: 0s, grace: 20m}"
    route = ("governance.route=steward", grace)
    free = governed(*route, agenda(fatal))
    reverted = governed(*route, "governance.scope=revert", agenda(fatal))

    assert free.summary["engine_caused_usd"] > 0
    assert reverted.tables["proposals"]["state"].tolist() == ["expired"]
    assert "below maintenance" in reverted.tables["proposals"]["reason"].iloc[0]
    assert reverted.summary["engine_caused_usd"] == 0
    markets = reverted.tables["markets"]
    pd.testing.assert_frame_equal(markets, governed().tables["markets"])


def test_a_ramp_never_passes_the_initial_margin() -> None:
    items = (
        "{at: 5m, set: {initial_margin: {BTC: 0.2}, maintenance_margin: {BTC: 0.1}}}",
        "{at: 10m, set: {initial_margin: {BTC: 0.04}}}",
    )
    result = governed("governance.scope=ramp", "governance.grace=60m", agenda(*items))
    margins = result.tables["markets"].query("market == 'BTC'")

    assert (margins["maintenance_margin"] <= margins["initial_margin"]).all()
    assert margins["maintenance_margin"].is_monotonic_increasing
    assert margins["maintenance_margin"].iloc[-1] == 0.04


@pytest.mark.parametrize(("rule", "state"), [("kept", "executed"), ("refused", "rejected")])
def test_a_stale_proposal_is_a_matter_of_the_rule(rule: str, state: str) -> None:
    items = (TIGHTER, "{at: 70m, route: steward, set: {maintenance_margin: {BTC: 0.015}}}")
    late = "governance.review=20m"
    result = governed(late, f"governance.stale={rule}", agenda(*items))
    states = result.tables["proposals"].set_index("number")["state"]

    assert states[1] == "executed"
    assert states[0] == state


def test_limits_hold_on_every_route() -> None:
    limits = "governance.limits={maintenance_margin: {least: 0.01, most: 0.0122}}"
    result = governed(limits, agenda(TIGHTER))

    assert result.tables["proposals"]["state"].tolist() == ["rejected"]
    assert "maintenance <= 12200 must hold, got 12500" in result.tables["proposals"]["reason"].iloc[0]


def test_a_guardian_on_the_agenda_vetoes_by_title() -> None:
    guarded = "governance.guardian={vetoes: true}"
    items = (TIGHTER, "{at: 65m, cancels: tighter}")
    result = governed(guarded, "governance.review=30m", agenda(*items))

    assert result.tables["proposals"]["state"].tolist() == ["cancelled"]
    assert result.summary["guardian_acts"] == 1


def test_the_guardian_pauses_when_the_fund_falls_and_not_before() -> None:
    guard = "governance.guardian={pauses: [withdrawals], reaction: 5m, spread: 0, fund_loss: 0.05, gap: 1}"
    with opened(crash(guard), blocks=120) as model:
        acts = model.governance.acts
        funds = model.recorder.blocks["insurance_fund"]
    first = int(acts[0].time // 60)

    assert acts[0].act == "pause"
    fell = np.flatnonzero(funds / np.maximum.accumulate(funds) <= 0.95)[0] + 1
    assert first == fell + 5


def _watch(settings: GuardianSettings) -> Watch:
    return Watch(mesa.Model(), lambda *name: stream(5, *name), settings, OPENING)


def test_a_hostile_proposal_is_noticed_after_a_while_and_a_harmless_one_never() -> None:
    parameters = OPENING
    process = Process({"direct": Steward(StewardRules(review=1e9))}, Order())
    for payments in ((), (Payment(0, 9, 5),)):
        process.submit("direct", 0, Draft(Payload(payments=payments)), parameters, 0.0)
    watch = _watch(GuardianSettings(vetoes=True, reaction="1h", spread=0.0, overlooks=0.0))

    assert watch.vetoed(process, 3599.0) == []
    assert [veto.number for veto in watch.vetoed(process, 3600.0)] == [1]
    blind = _watch(GuardianSettings(vetoes=True, reaction="1h", spread=0.0, overlooks=1.0))
    assert blind.vetoed(process, 1e6) == []
    assert process.proposals[1].state == State.QUEUED


def test_a_margin_far_below_the_opening_is_hostile_however_small_the_step() -> None:
    settings = GuardianSettings(vetoes=True, reaction=0, overlooks=0.0, loosening=0.3)
    margin = int(OPENING.maintenance[0])
    now = OPENING._replace(maintenance=np.full_like(OPENING.maintenance, round(0.75 * margin)))
    process = Process({"direct": Steward(StewardRules(review=1e9))}, Order())
    for share in (0.71, 0.69, 1.5):
        wanted = Setting("maintenance", 0, round(share * margin))
        process.submit("direct", 0, Draft(Payload((wanted,))), now, 0.0)

    assert [veto.number for veto in _watch(settings).vetoed(process, 1.0)] == [1]
    careless = settings.model_copy(update={"loosening": 0.0})
    assert _watch(careless).vetoed(process, 1.0) == []


def test_an_oracle_far_from_the_market_is_trouble() -> None:
    watch = _watch(GuardianSettings(pauses=("trading",), reaction=0, gap=0.1))

    assert watch.pauses(Vital(60.0, 1e6, (1.0, 0.95))) == []
    assert [each.scope for each in watch.pauses(Vital(120.0, 1e6, (1.0, 0.88)))] == ["trading"]


def test_the_scenario_says_who_decides(tmp_path) -> None:
    scenario: Scenario = calm("governance.preset=aave_steward")

    assert scenario.governance.route == "steward"
    assert scenario.governance.steward.approvals == 2
