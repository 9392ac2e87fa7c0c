r"""Who votes on a proposal, and when: drawn once, when its vote has opened.

A holder with power :math:`v_i` attends with the odds

.. math:: o_i = \frac{q}{1 - q} \left(\frac{100 v_i}{V}\right)^b e^{h_i + \sigma z}        (1)

where :math:`q` is the chance of one with a hundredth of all power V, :math:`b` the slope, :math:`h_i` his
habit and :math:`\sigma z` the proposal's salience, shared by all. The moment of his vote, as a part of the
voting period, has a beta law. Late in the period delegates who are absent are called; one who follows votes
if the quorum is still missing then.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agents.delegates.electorate import Electorate
from agents.delegates.settings import AttentionSettings, PeopleSettings
from agents.role import Stream
from protocol.book import Floats, Ints, Mask

REFERENCE = 0.01


class Chances(NamedTuple):
    """Uniform numbers and moments that decide on one proposal, each (k,) for all who have power.

    Attributes
    ----------
    attending, called, support, alert : float64
        Uniform numbers.
    moment, late : float64
        Of a vote, and of one after a call, as parts of the voting period and of what is left of it.
    """

    attending: Floats
    called: Floats
    support: Floats
    alert: Floats
    moment: Floats
    late: Floats


@dataclass(slots=True)
class Ballots:
    """Votes that people mean to cast on one proposal, by time; each array (k,).

    Attributes
    ----------
    voters : int64
    times : float64
        When each is cast [s], ascending.
    support, alert : float64
        Uniform numbers that decide what it says, and whether its voter sees what a payload does.
    called : bool
        Cast only while the quorum is missing.
    appeal, position : float
        Of the proposal.
    cast : int
        How many have had their time.
    """

    voters: Ints
    times: Floats
    support: Floats
    alert: Floats
    called: Mask
    appeal: float
    position: float
    cast: int = 0

    def due(self, time: float) -> slice:
        """Those whose time has come since this was last asked."""
        begin, self.cast = self.cast, int(np.searchsorted(self.times, time, side="right"))
        return slice(begin, max(begin, self.cast))


def attention(power: Floats, habit: Floats, salience: float, settings: AttentionSettings) -> Floats:
    """Probability that each holder votes, (k,), eq. 1.

    Parameters
    ----------
    power : (k,) float64
        Share of all power [1], above 0.
    habit : (k,) float64
        Log odds of his own.
    salience : float
        Log odds that the proposal adds.
    settings : AttentionSettings
    """
    odds = settings.level / (1 - settings.level) * (power / REFERENCE) ** settings.slope
    odds = odds * np.exp(habit + salience)
    return odds / (1.0 + odds)


def drawn_ballots(
    people: Electorate, settings: PeopleSettings, stream: Stream, number: int, times: tuple[float, float]
) -> Ballots:
    """What people will do about one proposal.

    Parameters
    ----------
    people : Electorate
    settings : PeopleSettings
    stream : callable
        Maker of generators; those asked for have the proposal's number in their name.
    number : int
        Of the proposal.
    times : tuple of float
        When its vote opens and closes [s].
    """
    rules, opinion = settings.attention, settings.opinion
    voters = np.flatnonzero(people.power > 0)
    salience, appeal, place = stream("delegates", "proposal", number).standard_normal(3)
    chances = _chances(rules, stream, number, len(voters))
    share = people.power[voters] / max(int(people.power.sum()), 1)
    likely = attention(share, people.habit[voters], rules.salience * salience, rules)
    attends = chances.attending < likely
    called = ~attends & people.known[voters] & (chances.called < rules.called * (rules.level > 0))
    moment = np.where(attends, chances.moment, rules.call + (1 - rules.call) * chances.late)
    kept = np.flatnonzero(attends | called)
    kept = kept[np.argsort(moment[kept], kind="stable")]
    opens, closes = times
    return Ballots(
        voters=voters[kept],
        times=opens + (closes - opens) * moment[kept],
        support=chances.support[kept],
        alert=chances.alert[kept],
        called=called[kept],
        appeal=opinion.appeal + opinion.appeal_spread * float(appeal),
        position=float(place),
    )


def _chances(settings: AttentionSettings, stream: Stream, number: int, count: int) -> Chances:
    """Draw everything that decides on one proposal."""
    uniform = stream("delegates", "ballots", number).random((5, count))
    first = settings.midpoint * settings.regularity
    second = (1 - settings.midpoint) * settings.regularity
    moment = stream("delegates", "moments", number).beta(first, second, count)
    return Chances(uniform[0], uniform[1], uniform[2], uniform[3], moment, uniform[4])
