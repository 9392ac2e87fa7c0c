"""The comparison with real electorates: statistics by hand, planted faults, and the command."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import seawall
from agents.delegates.settings import PeopleSettings
from analysis.turnout.history import History, electing
from analysis.turnout.measures import history_statistics, voters_for_half
from analysis.turnout.page import MEANINGS
from analysis.turnout.turnout import turnout
from analysis.turnout.venues import Venue, venues
from protocol.arithmetic import MICRO
from protocol.governance.proposals import State

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
VOTES = DATA / "uniswap_onchain_votes_2020_2022.csv.gz"
TESTS_AND_FAILURES = {"1.4", "2.17", "2.18"}


def compound(proposals: int = 40, **changed: dict[str, float]) -> Venue:
    """Compound with fewer proposals, and with settings laid over its people's."""
    venue = venues()["compound"]
    people = venue.people.model_dump()
    for section, values in changed.items():
        people[section] |= values
    settings = PeopleSettings.model_validate(people)
    return venue.model_copy(update={"proposals": proposals, "people": settings})


@cache
def inside(section: str = "", **values: float) -> dict[str, bool]:
    """Which facts lie inside among 20 small electorates; in a small history a maximum is lower."""
    found = turnout(compound(**({section: values} if section else {})), 20).scores
    return dict(zip(found["statistic"], found["inside"], strict=True))


def test_voters_for_half_by_hand() -> None:
    assert voters_for_half(np.array([1.0, 6.0, 3.0])) == 1
    assert voters_for_half(np.array([2.0, 4.0, 3.0, 3.0])) == 2
    assert voters_for_half(np.ones(7)) == 4


def test_every_proposal_comes_to_its_end() -> None:
    history = History(compound(), 1).run()
    ends = {each.state for each in history.process.proposals}

    assert len(history.process.proposals) == 40
    assert history.process.open == []
    assert ends <= {State.EXECUTED, State.DEFEATED, State.CANCELLED}


def test_statistics_of_a_history_agree_with_its_ballots() -> None:
    history = History(compound(), 2).run()
    found = history_statistics(history)
    frame = pd.DataFrame(history.governor.ballots)
    sums = frame.groupby("number")["weight"].sum()

    assert found["turnout_mean"] == pytest.approx(sums.mean() / history.power.sum())
    assert found["turnout_max"] == pytest.approx(sums.max() / history.power.sum())
    assert found["voters_median"] == frame.groupby("number").size().median()
    assert found["executed"] + found["defeated"] + found["cancelled"] == pytest.approx(1.0)
    assert found["life"] == pytest.approx(7.0, abs=0.05)


def test_the_number_of_a_defeat_is_that_of_its_quorum() -> None:
    history = History(compound(), 2).run()
    defeated = [each for each in history.process.proposals if each.state == State.DEFEATED]

    assert defeated
    assert all(each.tally[1] < 400_000 * MICRO for each in defeated if each.reason == "no quorum")


def test_unnoticed_proposals_have_no_votes() -> None:
    history = History(venues()["uniswap"], 1).run()
    voted = {ballot.number for ballot in history.governor.ballots}

    assert history.unnoticed
    assert not history.unnoticed & voted
    assert all(history.process.proposals[each].state == State.DEFEATED for each in history.unnoticed)


def test_the_same_seed_has_the_same_history() -> None:
    first, again, other = (history_statistics(History(compound(10), seed).run()) for seed in (3, 3, 4))

    assert first == again
    assert first != other


def test_mesa_forgets_electorates() -> None:
    import mesa

    with electing(PeopleSettings(), 1) as people:
        model = people.model

    assert model not in mesa.Agent._ids


@pytest.mark.slow
def test_real_facts_lie_among_small_electorates() -> None:
    found = inside()

    wanted = {"turnout_mean", "half_mean", "half_median", "top10", "voters_median", "approval", "vote_delay"}
    assert {name for name in wanted if not found[name]} == set()


@pytest.mark.slow
def test_twice_the_attention_drives_turnout_out_of_range() -> None:
    found = inside("attention", level=0.29, called=0.2)

    assert not found["turnout_mean"]
    assert not found["voters_median"]


@pytest.mark.slow
def test_equal_balances_break_concentration() -> None:
    found = inside("holdings", spread=0.0, concentration=0.0, independents=0)

    assert not found["top10"]
    assert not found["top50"]


@pytest.mark.slow
def test_early_votes_are_noticed() -> None:
    found = inside("attention", midpoint=0.3)

    assert not found["vote_delay"]


@pytest.mark.slow
def test_the_command_prints_the_table_and_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.turnout.venues.venues", lambda: {"compound": compound(10)})
    arguments = ["turnout", "compound", "--electorates", "20", "--out", str(tmp_path / "found")]
    done = CliRunner().invoke(seawall.app, [*arguments, "--at-least", "1"])

    assert done.exit_code == 1
    assert "of 14 facts lie in the central 95 % of 20 electorates: fitted" in done.stdout
    scores = pd.read_csv(tmp_path / "found" / "scores.csv")
    assert scores["family"].value_counts().to_dict() == {"fitted": 9, "predicted": 4, "input": 1}
    assert len(pd.read_parquet(tmp_path / "found" / "electorates.parquet")) == 20


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    done = CliRunner().invoke(seawall.app, ["turnout", "aave"])
    (tmp_path / "old").write_text("")
    full = CliRunner().invoke(seawall.app, ["turnout", "compound", "--out", str(tmp_path)])

    assert done.exit_code == full.exit_code == 2
    assert "VENUE must be one of compound, uniswap, got aave" in done.stderr
    assert "nothing is overwritten" in full.stderr


def test_every_fact_has_words_and_is_measured() -> None:
    measured = history_statistics(History(compound(3), 1).run())

    assert set(measured) == set(MEANINGS)
    for venue in venues().values():
        assert set(venue.facts) <= set(measured)


def test_defaults_are_compounds() -> None:
    assert venues()["compound"].people == PeopleSettings()


def test_votes_on_uniswap_are_as_concentrated_as_in_the_recorded_ones() -> None:
    if not VOTES.exists():
        pytest.skip("the recorded votes of Uniswap are not here")
    frame = pd.read_csv(VOTES, dtype={"PROPOSAL": str})
    recorded = frame[~frame["PROPOSAL"].isin(TESTS_AND_FAILURES)].groupby("PROPOSAL")["VOTES"]
    history = History(venues()["uniswap"], 1).run()
    simulated = pd.DataFrame(history.governor.ballots).groupby("number")["weight"]

    medians = [(each.apply(_half).median(), each.apply(_top_ten).median()) for each in (recorded, simulated)]
    assert medians[0][0] == 4
    assert medians[1][0] == pytest.approx(4, abs=1)
    assert medians[0][1] == pytest.approx(0.85, abs=0.01)
    assert medians[1][1] == pytest.approx(medians[0][1], abs=0.1)


def test_a_venue_whose_strongest_delegate_may_not_propose_is_refused() -> None:
    with pytest.raises(ValueError, match="power >= threshold=25000000000 must hold"):
        History(compound(holdings={"delegated": 0.0, "independents": 0, "delegates": 1}), 1).run()


def _top_ten(votes: "pd.Series[float]") -> float:
    return float(votes.nlargest(10).sum() / votes.sum())


def _half(votes: "pd.Series[float]") -> int:
    return voters_for_half(votes.to_numpy(float))
