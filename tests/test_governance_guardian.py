"""The guardian: what it may do, and until when."""

import numpy as np
import pytest

from protocol.governance.guardian import SCOPES, Guardian, GuardianRules, Pauses, Scope

RULES = GuardianRules(vetoes=True, scopes=("trading", "oracle"), longest=100.0, until=1_000.0)


def guardian(rules: GuardianRules = RULES) -> Guardian:
    """A guardian of a venue on which nothing rests."""
    return Guardian(rules, Pauses())


@pytest.mark.parametrize("scope", SCOPES)
def test_a_part_rests_until_its_time_and_no_other_part_does(scope: Scope) -> None:
    pauses = Pauses()
    before = [pauses.holds(each, 0.0) for each in SCOPES]
    pauses.begin(scope, 10.0)

    assert not any(before)
    assert [pauses.holds(scope, time) for time in (0.0, 9.9, 10.0)] == [True, True, False]
    assert not any(pauses.holds(each, 5.0) for each in SCOPES if each != scope)


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    pauses = Pauses()
    pauses.begin("trading", 10.0)
    pauses.begin("trading", 5.0)

    assert pauses.until["trading"] == 10.0


def test_what_goes_on_rests_no_longer() -> None:
    pauses = Pauses()
    pauses.begin("trading", 10.0)
    pauses.end("trading", 4.0)
    pauses.end("oracle", 4.0)

    assert [pauses.holds("trading", time) for time in (3.0, 4.0, 5.0)] == [True, False, False]
    assert pauses.until["oracle"] == -np.inf


def test_a_pause_is_as_long_as_was_asked_and_no_longer_than_allowed() -> None:
    one = guardian()

    assert one.pause("trading", 10.0, 50.0) == ""
    assert one.pauses.until["trading"] == 60.0
    assert one.pause("oracle", 10.0, 500.0) == ""
    assert one.pauses.until["oracle"] == 110.0


def test_a_pause_ends_with_the_power_that_called_it() -> None:
    one = guardian()
    one.pause("trading", 990.0, 100.0)

    assert one.pauses.until["trading"] == 1_000.0


def test_power_ends() -> None:
    one = guardian()

    assert one.refusal(999.0) == ""
    for refusal in (one.refusal(1_000.0), one.pause("trading", 1_000.0, 1.0), one.resume("trading", 1_000.0)):
        assert refusal == "the guardian's power ended at 1000 s, got 1000 s"
    assert not one.pauses.holds("trading", 1_000.0)


def test_a_guardian_does_nothing_that_is_not_its_own() -> None:
    one = guardian(RULES._replace(vetoes=False))

    assert one.refusal(0.0) == "this guardian has no veto"
    assert one.pause("withdrawals", 0.0, 1.0) == "this guardian may not pause withdrawals"
    assert one.resume("liquidations", 0.0) == "this guardian may not pause liquidations"
    assert one.pauses.until == dict.fromkeys(SCOPES, -np.inf)


def test_what_it_has_paused_it_may_let_go_on() -> None:
    one = guardian()
    one.pause("trading", 10.0, 50.0)

    assert one.resume("trading", 20.0) == ""
    assert not one.pauses.holds("trading", 20.0)
