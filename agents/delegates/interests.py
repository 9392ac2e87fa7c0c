r"""What people who live from different things think of a proposal, given the state of the protocol.

Let a setting move a parameter by :math:`x = \ln(new / old)`. Its tightness is :math:`t = \pm x`, positive
for what protects (higher margins, lower caps and weights), and :math:`f` is how much dearer a fee becomes,
relative to itself. With the need for protection :math:`n` and stress :math:`s` of `PublicFacts`, the scores
of a setting are

- traders: :math:`-t - f`, where a cap counts only by how much of it is used;
- vault depositors: :math:`n t`;
- token holders: :math:`f + (n - 2) t`: they live from open interest and give some up once need has doubled;
- risk council: :math:`|\ln(old / w)| - |\ln(new / w)|`, how much nearer it comes to what the council wants,
  :math:`w = opening \cdot s` for a margin, :math:`opening / s` for a cap; 0 for other parameters.

Scores of the settings of a proposal add up. A voter favours it with the log odds

.. math:: u_i = a + \lambda S_{g(i)} + \omega z_i p        (1)

with the proposal's appeal :math:`a`, the score :math:`S` of his interest :math:`g`, his caution :math:`z` and
the proposal's position :math:`p`: the sign of its tightness, or a normal deviate where it has none.
"""

import numpy as np

from agents.delegates.electorate import Electorate
from agents.delegates.facts import PublicFacts
from agents.delegates.settings import INTERESTS, OpinionSettings
from protocol.arithmetic import PPM
from protocol.book import Floats, Ints, first_trader
from protocol.governance.payload import Payload, Setting

CAP = "open_interest_cap"
PROTECTING = (
    "initial",
    "maintenance",
    "position_margin",
    "margin_floor",
    "root",
    "slope_initial",
    "slope_maintenance",
    "open_interest_slope",
)
LOOSENING = (
    CAP,
    "open_interest_lower",
    "open_interest_upper",
    "weight_initial",
    "weight_maintenance",
    "gain_weight",
)
DEAR = ("taker_fee", "maker_fee", "exit_fee", "liquidation_fee", "reward_rate")
BASIS_POINT = 100
LARGEST = 2.0
SWITCH = 2.0
NONE_AT_ZERO = (CAP, "open_interest_upper")


def log_change(setting: Setting, old: int) -> float:
    """Log of the new over the old value, within ±2; a cap of 0 is none, more than any."""
    new = setting.value
    if new == old:
        return 0.0
    if old > 0 and new > 0:
        return float(np.clip(np.log(new / old), -LARGEST, LARGEST))
    rises = (new > old) != (setting.parameter in NONE_AT_ZERO)
    return LARGEST if rises else -LARGEST


def tightness(setting: Setting, old: int) -> float:
    """How much more a setting protects [1], negative for less; 0 for a parameter that does not."""
    if setting.parameter in PROTECTING:
        return log_change(setting, old)
    return -log_change(setting, old) if setting.parameter in LOOSENING else 0.0


def dearness(setting: Setting, old: int) -> float:
    """Rise of a fee over itself, or over a basis point where that is more, within ±2 [1]."""
    if setting.parameter not in DEAR:
        return 0.0
    return float(np.clip((setting.value - old) / max(abs(old), BASIS_POINT), -LARGEST, LARGEST))


def scores(settings: tuple[Setting, ...], seen: tuple[int, ...], facts: PublicFacts) -> Floats:
    """What each interest thinks of some settings.

    Parameters
    ----------
    settings : tuple of Setting
    seen : tuple of int
        Values that they would replace.
    facts : PublicFacts

    Returns
    -------
    (4,) float64
        In the order of `INTERESTS` [1]; above 0 in favour.
    """
    total = np.zeros(len(INTERESTS))
    for setting, old in zip(settings, seen, strict=True):
        tight, dear, need = tightness(setting, old), dearness(setting, old), facts.need(setting.market)
        felt = tight * _usage(setting, facts)
        council = _nearness(setting, old, facts)
        total += (-felt - dear, need * tight, dear + (need - SWITCH) * tight, council)
    return total


def _usage(setting: Setting, facts: PublicFacts) -> float:
    """How much of a cap is used; 1 for what is no cap."""
    if setting.parameter != CAP or facts.usage is None:
        return 1.0
    return float(facts.usage[setting.market])


def _nearness(setting: Setting, old: int, facts: PublicFacts) -> float:
    """How much nearer a setting comes to what the risk council wants, in log units."""
    if setting.parameter not in ("initial", "maintenance", CAP):
        return 0.0
    opening = float(getattr(facts.opening, setting.parameter)[setting.market])
    stress = facts.stress(setting.market)
    wanted = opening / stress if setting.parameter == CAP else min(opening * stress, PPM)
    if min(wanted, old, setting.value) <= 0:
        return 0.0
    return float(abs(np.log(old / wanted)) - abs(np.log(setting.value / wanted)))


def position(settings: tuple[Setting, ...], seen: tuple[int, ...], drawn: float) -> float:
    """Where a proposal stands between loose and tight; `drawn` where it is about neither."""
    total = sum(tightness(setting, old) for setting, old in zip(settings, seen, strict=True))
    return float(np.sign(total)) if total else drawn


def favour(
    people: Electorate, voters: Ints, score: Floats, stand: tuple[float, float], settings: OpinionSettings
) -> Floats:
    """Probability that each voter favours a proposal, (k,), eq. 1.

    Parameters
    ----------
    people : Electorate
    voters : (k,) int64
    score : (4,) float64
        By interest.
    stand : tuple of float
        The proposal's appeal and position.
    settings : OpinionSettings
    """
    appeal, place = stand
    odds = appeal + settings.stakes * score[people.interest[voters]]
    odds += settings.ideology * place * people.caution[voters]
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0)))


def hostile(payload: Payload, markets: int) -> bool:
    """Whether a payload pays a trader out of any account, or makes tokens."""
    if not payload.payments:
        return any(each.amount > 0 for each in payload.mints)
    outsider = first_trader(markets)
    paid = any(each.target >= outsider and each.amount > 0 for each in payload.payments)
    return paid or any(each.amount > 0 for each in payload.mints)
