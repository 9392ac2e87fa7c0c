"""The ratchet: how far one key gets by steps within its bounds, and what keeps it back."""

from itertools import pairwise
from math import log
from typing import Any

import pytest
from plotting import DAY, HOUR, Stage, plotter

from agents.attackers.ratchet import RatchetSettings
from protocol.governance.limits import Bound
from protocol.governance.proposals import State
from protocol.governance.steward import StewardRules

THIRD = Bound(300_000, 300_000, relative=True)
BOUNDS = {"initial": THIRD, "maintenance": THIRD}
RULES = StewardRules(bounds=BOUNDS, spacing=6 * HOUR, only_bounded=True)


def played(rules: StewardRules, until: float = 3 * DAY, **changes: Any) -> Stage:
    """A stage on which an insider was at work for some days; margins open at 2 and 1.2 per cent."""
    chosen = {"market": "BTC", "budget": 1.0, "initial_margin": 0.004, "maintenance_margin": 0.002} | changes
    stage = Stage(keys=rules)
    stage.play(plotter(RatchetSettings.model_validate({"kind": "ratchet", **chosen})), until)
    return stage


def drift(stage: Stage) -> float:
    """Log of the maintenance margin over its opening value."""
    return log(stage.parameters.maintenance[0] / 12_000)


def test_steps_within_the_bounds_lead_where_no_single_proposal_could() -> None:
    stage = played(RULES)
    values = [
        each.payload.settings[1].value for each in stage.process.proposals if len(each.payload.settings) > 1
    ]

    assert values == [8_400, 5_880, 4_116, 2_882, 2_018]
    assert stage.parameters.maintenance[0] == 2_000
    assert stage.parameters.initial[0] == 4_000
    assert {each.state for each in stage.process.proposals} == {State.EXECUTED}


def test_each_step_waits_for_the_spacing() -> None:
    made = [each.created for each in played(RULES).process.proposals]

    assert all(6 * HOUR < later - earlier <= 8 * HOUR for earlier, later in pairwise(made))


@pytest.mark.parametrize(
    ("guard", "most"),
    [
        ({"window": 30 * DAY, "drift": BOUNDS}, 0.36),
        ({"spacing": 3 * DAY}, 0.36),
        ({"keys": 2, "approvals": 2}, 0.0),
    ],
)
def test_a_window_a_longer_spacing_or_a_second_signature_keep_it_back(
    guard: dict[str, Any], most: float
) -> None:
    assert abs(drift(played(RULES._replace(**guard)))) <= most
    assert abs(drift(played(RULES))) > 1.7


def test_it_asks_for_nothing_where_nothing_is_left_to_move() -> None:
    stage = played(RULES, initial_margin=0.02, maintenance_margin=0.012)

    assert not stage.process.proposals
