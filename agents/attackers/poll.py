"""How many votes carry a proposal, as its proposer can reckon it."""

from protocol.arithmetic import PPM
from protocol.governance.governor import Governor, GovernorRules
from protocol.governance.proposals import Proposal, Support


def counted_before(rules: GovernorRules) -> bool:
    """Whether power is counted from before the proposal is made."""
    return rules.weighing == "creation" or (rules.weighing == "opening" and rules.delay == 0)


def needed(governor: Governor, proposal: Proposal | None, against: int) -> int:
    """Votes in favour that are still missing [micro-tokens].

    Parameters
    ----------
    governor : Governor
    proposal : Proposal, optional
        None: one that is not made yet.
    against : int
        Votes expected against it in all; where more are cast already, those count [micro-tokens].
    """
    rules, supply = governor.rules, governor.tokens.supply
    tally = proposal.tally if proposal else [0, 0, 0, 0]
    if rules.emergency_share:
        return max(0, -(-rules.emergency_share * supply // PPM) - tally[Support.FOR])
    against = max(against, tally[Support.AGAINST] + tally[Support.VETO])
    quorum = max(rules.quorum, supply * rules.quorum_share // PPM)
    if rules.counts_abstentions:
        quorum -= tally[Support.ABSTAIN]
    if rules.counts_against:
        quorum -= tally[Support.AGAINST] + tally[Support.VETO]
    lead = max(against * rules.majority // (PPM - rules.majority), against + rules.differential) + 1
    return max(0, max(quorum, lead) - tally[Support.FOR])
