"""The reckoning of an attacker: as many votes as it finds missing carry a proposal, one fewer does not."""

import numpy as np
import pytest

from agents.attackers.poll import needed
from protocol.arithmetic import PPM
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.payload import Payload
from protocol.governance.proposals import Proposal, State, Support
from protocol.governance.tokens import Tokens
from sim.streams import stream


def governor(rules: GovernorRules) -> Governor:
    """Votes among ten holders of 100,000 tokens."""
    return Governor(rules, Tokens(np.full(10, 100_000), np.arange(10)))


def polled(tally: list[int]) -> Proposal:
    """A proposal while it is voted on."""
    return Proposal(
        0, "governor", 0, "", Payload(), 0.0, 0.0, (), State.ACTIVE, snapshot=1.0, opens=1.0, tally=tally
    )


@pytest.mark.parametrize("seed", range(200))
def test_what_is_missing_is_exactly_enough(seed: int) -> None:
    draws = stream(seed, "poll")
    rules = GovernorRules(
        quorum=int(draws.integers(0, 200_000)),
        quorum_share=int(draws.integers(0, PPM // 2)),
        counts_abstentions=bool(draws.integers(2)),
        counts_against=bool(draws.integers(2)),
        majority=int(draws.integers(PPM // 4, 3 * PPM // 4)),
        differential=int(draws.integers(0, 50_000)),
    )
    tally = draws.integers(0, 100_000, 4).tolist()
    voted = governor(rules)
    missing = needed(voted, polled(tally), 0)

    def failure(more: int) -> str:
        told = list(tally)
        told[Support.FOR] += more
        return voted.failure(polled(told))

    assert failure(missing) == ""
    assert missing == 0 or failure(missing - 1) != ""


def test_what_is_missing_for_an_emergency_is_a_share_of_supply() -> None:
    voted = governor(GovernorRules(emergency_share=666_667))

    assert needed(voted, None, 0) == 666_667
    assert needed(voted, polled([0, 600_000, 0, 0]), 0) == 66_667
