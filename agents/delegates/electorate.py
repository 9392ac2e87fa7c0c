"""An electorate: heavy-tailed balances, a graph of delegation, and what each person is like.

Log balances are normal and cut at a largest one. Some holders are delegates, known to all; holders drawn at
random follow one of them, the delegate of rank k with a chance in proportion to k^-c, until the wanted share
of supply is delegated. Some of the smaller half vote for themselves; the tokens of all others do not vote.
"""

from typing import NamedTuple

import numpy as np

from agents.delegates.settings import INTERESTS, HoldingSettings, PeopleSettings
from agents.role import Stream
from protocol.arithmetic import MICRO
from protocol.book import Floats, Ints, Mask
from protocol.governance.tokens import NOBODY, Tokens


class Electorate(NamedTuple):
    """Everybody who holds tokens, as arrays by holder.

    Attributes
    ----------
    balances : (h,) int64
        Tokens [micro-tokens].
    delegates : (h,) int64
        Holder that each one's tokens vote through, or NOBODY.
    power : (h,) int64
        Delegated to each at the start [micro-tokens].
    known : (h,) bool
        Delegates whom others may follow.
    interest : (h,) int64
        Position in `INTERESTS`.
    caution : (h,) float64
        Own taste, a standard normal deviate; above 0 for tighter rules.
    habit : (h,) float64
        Log odds of voting, over those of others with the same power [1].
    """

    balances: Ints
    delegates: Ints
    power: Ints
    known: Mask
    interest: Ints
    caution: Floats
    habit: Floats

    def tokens(self) -> Tokens:
        """The governance token, held and delegated as here."""
        return Tokens(self.balances, self.delegates)


def electorate(settings: PeopleSettings, stream: Stream) -> Electorate:
    """Draw an electorate; each of its properties from a stream of its own.

    Parameters
    ----------
    settings : PeopleSettings
    stream : callable
        `stream(*name)` makes the generator of one named decision.
    """
    holdings, count = settings.holdings, settings.holdings.holders
    logs = stream("electorate", "balances").standard_normal(count)
    held = balances(np.exp(holdings.spread * logs), holdings)
    order = stream("electorate", "order").permutation(count)
    luck = stream("electorate", "following").random(count)
    known = order[: holdings.delegates]
    delegates = delegation(held, order, luck, holdings)
    power = np.zeros(count, np.int64)
    np.add.at(power, delegates[delegates != NOBODY], held[delegates != NOBODY])
    shares = [settings.interests.get(name, 0.0) for name in INTERESTS]
    kinds = np.searchsorted(np.cumsum(shares), stream("electorate", "interests").random(count), side="right")
    return Electorate(
        balances=held,
        delegates=delegates,
        power=power,
        known=np.isin(np.arange(count), known),
        interest=np.minimum(kinds, len(INTERESTS) - 1).astype(np.int64),
        caution=stream("electorate", "caution").standard_normal(count),
        habit=settings.attention.habit * stream("electorate", "habit").standard_normal(count),
    )


def balances(weights: Floats, holdings: HoldingSettings) -> Ints:
    """The supply, shared out in proportion to weights as far as the largest balance allows.

    Parameters
    ----------
    weights : (h,) float64
        Positive.
    holdings : HoldingSettings

    Returns
    -------
    (h,) int64
        [micro-tokens]; the sum is the supply, to the last one.
    """
    shares = weights / weights.sum()
    full = np.zeros(len(shares), np.bool_)
    while (over := ~full & (shares > holdings.largest)).any():
        full |= over
        shares[full] = holdings.largest
        left = 1.0 - holdings.largest * full.sum()
        shares[~full] *= max(left, 0.0) / max(shares[~full].sum(), np.finfo(float).tiny)
    supply = round(holdings.supply * MICRO)
    held = np.floor(shares * supply).astype(np.int64)
    held[np.argmax(held)] += supply - held.sum()
    return held


def delegation(held: Ints, order: Ints, luck: Floats, holdings: HoldingSettings) -> Ints:
    """Whom each holder's tokens vote through.

    Parameters
    ----------
    held : (h,) int64
        Balances [micro-tokens].
    order : (h,) int64
        Holders at random: delegates by rank come first.
    luck : (h,) float64
        Uniform numbers that pick each follower's delegate.
    holdings : HoldingSettings

    Returns
    -------
    (h,) int64
        Holder, or NOBODY.
    """
    known, rest = order[: holdings.delegates], order[holdings.delegates :]
    poor = rest[held[rest] <= np.median(held)]
    alone = poor[: holdings.independents]
    found = np.full(len(held), NOBODY, np.int64)
    found[known], found[alone] = known, alone
    rest = rest[found[rest] == NOBODY]
    wanted = holdings.delegated * held.sum() - held[found != NOBODY].sum()
    followers = rest[np.cumsum(held[rest]) - held[rest] / 2 <= wanted]
    chances = np.arange(1.0, len(known) + 1) ** -holdings.concentration
    ladder = np.cumsum(chances / chances.sum())
    rank = np.minimum(np.searchsorted(ladder, luck[followers], side="right"), len(known) - 1)
    found[followers] = known[rank]
    return found
