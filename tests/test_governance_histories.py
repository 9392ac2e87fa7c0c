"""Random histories of governance break no law, and reach every state on both routes."""

import os

import histories
import pytest
from histories import explore, main
from history_laws import BrokenHistoryError

from protocol.governance.governor import Governor
from protocol.governance.proposals import Proposal

COUNT = int(os.environ.get("SEAWALL_HISTORIES", "1000"))
REACHED = {
    "governor ACTIVE": 1.0,
    "governor CANCELLED": 0.01,
    "governor DEFEATED": 1.0,
    "governor EXPIRED": 0.01,
    "governor QUEUED": 0.2,
    "governor executed": 0.1,
    "steward DEFEATED": 0.2,
    "steward EXPIRED": 0.1,
    "steward QUEUED": 0.5,
    "steward REJECTED": 0.5,
    "steward executed": 0.3,
    "cancelled": 0.1,
    "committed": 0.02,
    "cut": 0.1,
    "late quorum": 0.1,
    "not cancelled": 0.1,
    "put off": 0.05,
    "signed": 0.1,
    "vetoed by voters": 0.05,
    "vote refused": 2.0,
    "voted": 0.5,
    "withdrawn": 0.1,
}


def test_random_histories_break_no_law() -> None:
    seen = explore(COUNT)
    missed = {name: seen[name] for name, share in REACHED.items() if seen[name] < share * COUNT}

    assert seen["histories"] == COUNT
    assert missed == {}


def test_a_history_follows_from_its_number() -> None:
    assert explore(3, seed=7) == explore(3, seed=7) != explore(3, seed=8)


def test_a_broken_law_is_told_with_the_command_that_shows_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Governor.weight

    def generous(self: Governor, proposal: Proposal, voter: int, time: float) -> int:
        return honest(self, proposal, voter, time) + (proposal.number == 2)

    monkeypatch.setattr(Governor, "weight", generous)
    with pytest.raises(BrokenHistoryError, match=r"again: python tests/histories\.py") as told:
        explore(200)

    number = int(str(told.value).split()[-1])
    with pytest.raises(BrokenHistoryError) as again:
        main(["--histories", "1", "--seed", str(number)])
    assert str(again.value) == str(told.value)


def test_the_command_says_what_it_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert histories.main(["--histories", "5"]) == 0
    assert "histories 5" in capsys.readouterr().out
