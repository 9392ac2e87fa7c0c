"""What one history looks like, each number by one definition."""

import numpy as np

from analysis.turnout.history import History
from protocol.book import Floats
from protocol.governance.proposals import Proposal, State, Support

DAY = 86_400


def history_statistics(history: History) -> dict[str, float]:
    """Every statistic of a history by name; NaN where there is nothing to count.

    Turnout is a share of delegated tokens; it, the voters for half of the votes and the number of voters are
    taken over proposals on which somebody voted. Approval counts a proposal without votes as 0, as its source
    does. Delays are in days, from when the vote opened.
    """
    proposals = history.process.proposals
    weights = _weights(history)
    power = np.sort(history.power.astype(float))[::-1]
    turnout = [each.sum() / power.sum() for each in weights.values()]
    half = [voters_for_half(each) for each in weights.values()]
    return {
        "turnout_mean": _mean(turnout),
        "turnout_max": max(turnout, default=np.nan),
        "half_mean": _mean(half),
        "half_median": _median(half),
        "top10": float(power[:10].sum() / power.sum()),
        "top50": float(power[:50].sum() / power.sum()),
        "voters_median": _median([len(each) for each in weights.values()]),
        "approval": _mean([_approval(each) for each in proposals]),
        **_outcomes(proposals),
        **_delays(history),
    }


def voters_for_half(weights: Floats) -> int:
    """Fewest voters who have half of the votes together."""
    shares = np.cumsum(np.sort(weights)[::-1]) / weights.sum()
    return int(np.searchsorted(shares, 0.5)) + 1


def _weights(history: History) -> dict[int, Floats]:
    """Weights of the votes on each proposal that had any."""
    found: dict[int, list[int]] = {}
    for ballot in history.governor.ballots:
        found.setdefault(ballot.number, []).append(ballot.weight)
    return {number: np.array(each, dtype=np.float64) for number, each in found.items()}


def _outcomes(proposals: list[Proposal]) -> dict[str, float]:
    """Shares of proposals by how they ended, and of defeats for lack of a quorum."""
    defeats = [each for each in proposals if each.state == State.DEFEATED]
    ends = {"executed": State.EXECUTED, "defeated": State.DEFEATED, "cancelled": State.CANCELLED}
    shares = {name: _mean([each.state == state for each in proposals]) for name, state in ends.items()}
    return shares | {"quorumless": _mean([each.reason == "no quorum" for each in defeats])}


def _delays(history: History) -> dict[str, float]:
    """Mean times of votes and of quorums after the opening, and from proposal to execution [d]."""
    proposals = history.process.proposals
    votes = [each.time - proposals[each.number].opens for each in history.governor.ballots]
    quorums = [each.quorum_reached - each.opens for each in proposals if np.isfinite(each.quorum_reached)]
    ends = [event for event in history.process.events if event.state == State.EXECUTED]
    lives = [event.time - proposals[event.number].created for event in ends]
    means = {"vote_delay": votes, "quorum_delay": quorums, "life": lives}
    return {name: _mean(times) / DAY for name, times in means.items()}


def _approval(proposal: Proposal) -> float:
    total = sum(proposal.tally)
    return proposal.tally[Support.FOR] / total if total else 0.0


def _mean(values: list[float] | list[int] | list[bool]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _median(values: list[float] | list[int]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
