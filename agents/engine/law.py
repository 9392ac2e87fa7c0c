"""The control law: how far an engine may follow its own target.

What is governed is a tightness: a margin, a haircut, the reciprocal of a cap. More of it is safer for the
venue. A value passes the stages in their order, and what each has added to it is kept.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

from agents.settings import Duration, Settings, parameter

HOUR = 3600.0
LAW_STAGES = ("memory", "dial", "floor", "band", "rate", "box", "safety")


class BoxSettings(Settings):
    """Bounds that the engine never leaves, over what the scenario opens with."""

    minimum: float = parameter(0.25, "1", gt=0, le=1)
    maximum: float = parameter(5.0, "1", ge=1, le=1000)


class LawSettings(Settings):
    """Rules between a target and a proposal, in the order in which they apply."""

    stressed: float = parameter(
        0.0, "1", ge=0, le=1, description="weight of the wildest regime's target; EMIR's option (b): 0.25"
    )
    buffer: float = parameter(
        0.0,
        "1",
        ge=0,
        le=4,
        description="added to calm targets, used up in wild times; EMIR's option (a): 0.25",
    )
    dial: float = parameter(
        1.0, "1", ge=-1, le=1, description="weight of the present target against that through the cycle"
    )
    floor: float = parameter(
        0.0,
        "1",
        ge=0,
        le=4,
        description="least value, over the target through the cycle; EMIR's option (c): 1",
    )
    band_up: float = parameter(0.02, "1", ge=0, le=4, description="rises up to this share are not made")
    band_down: float = parameter(0.1, "1", ge=0, lt=1, description="nor falls up to this one")
    dwell: Duration = parameter(3600, "s", ge=0, description="least time before a change of direction")
    rise: float = parameter(0.5, "1/h", gt=0, le=1e6, description="fastest rise, of the value")
    fall: float = parameter(0.05, "1/h", gt=0, le=1e6, description="fastest fall, of the value")
    step: Literal["relative", "absolute"] = parameter(
        "relative", "", description="absolute: rise and fall are of the tightness itself, not of its value"
    )
    pause: Duration = parameter(0, "s", ge=0, description="least time between changes")
    box: BoxSettings = BoxSettings()


class Aim(NamedTuple):
    """What a law is asked to follow.

    Attributes
    ----------
    now : float
        The target at present.
    cycle : float
        Through the cycle.
    stressed : float
        In the wildest regime.
    """

    now: float
    cycle: float
    stressed: float


class Governed(NamedTuple):
    """A governed value.

    Attributes
    ----------
    value, opening : float
        At present, and at the start.
    changed : float
        When it last changed [s].
    direction : int
        Of that change; 0 before the first.
    """

    value: float
    opening: float
    changed: float = float("-inf")
    direction: int = 0

    def moved(self, value: float, time: float) -> "Governed":
        """The same after a change."""
        direction = (value > self.value) - (value < self.value)
        return self._replace(value=value, changed=time, direction=direction) if direction else self


class Verdict(NamedTuple):
    """What the law allows.

    Attributes
    ----------
    value : float
        The aim and all stages together.
    stages : tuple of float
        What each of `LAW_STAGES` has added.
    reason : str
        Why the value is not the aim's.
    """

    value: float
    stages: tuple[float, ...]
    reason: str


def decide(
    law: LawSettings, held: Governed, aim: Aim, clock: tuple[float, float], alarm: str = ""
) -> Verdict:
    """Pass a target through the law.

    Parameters
    ----------
    law : LawSettings
    held : Governed
        The value as it stands, or as it will once all that was decided is in force.
    aim : Aim
        Positive and finite, unless there is an alarm.
    clock : (float, float)
        Now, and the time between two decisions [s].
    alarm : str, optional
        Why the engine must not trust its target: the value stays, and all of it counts as `safety`.
    """
    if alarm:
        return Verdict(held.value, (*(0.0,) * (len(LAW_STAGES) - 1), held.value), alarm)
    now, every = clock
    remembered = _remember(law, aim)
    dialled = (1 - law.dial) * aim.cycle + law.dial * remembered
    floored = max(dialled, law.floor * aim.cycle)
    banded, held_back = _hold(law, held, floored, now)
    limited = _limit(law, held, banded, max(every, law.pause))
    boxed = min(max(limited, law.box.minimum * held.opening), law.box.maximum * held.opening)
    course = (aim.now, remembered, dialled, floored, banded, limited, boxed)
    stages = tuple(after - before for before, after in pairwise(course))
    return Verdict(boxed, (*stages, 0.0), held_back or _name(stages))


def _remember(law: LawSettings, aim: Aim) -> float:
    """The target with a weight of stressed times, and with a buffer that wild times use up."""
    blended = (1 - law.stressed) * aim.now + law.stressed * aim.stressed
    return max(blended, (1 + law.buffer) * min(blended, aim.cycle))


def _hold(law: LawSettings, held: Governed, wanted: float, now: float) -> tuple[float, str]:
    """The wanted value, or the held one where the change is too small or comes too early; and why."""
    change = wanted / held.value - 1
    direction = (change > 0) - (change < 0)
    if -law.band_down <= change <= law.band_up:
        return held.value, "within the dead band" if direction else ""
    since = now - held.changed
    if since < law.pause:
        return held.value, "too soon after the last change"
    if direction == -held.direction and since < law.dwell:
        return held.value, "too soon to turn"
    return wanted, ""


def _limit(law: LawSettings, held: Governed, wanted: float, seconds: float) -> float:
    """What the rate limits leave of a change, where one is possible every so many seconds."""
    unit = held.value if law.step == "relative" else 1.0
    hours = seconds / HOUR
    highest, lowest = held.value + unit * law.rise * hours, held.value - unit * law.fall * hours
    return min(max(wanted, lowest), highest)


def _name(stages: tuple[float, ...]) -> str:
    """The last of the stages that bind."""
    box, rate, floor = stages[5], stages[4], stages[2]
    if box:
        return "at the bound of the box"
    if rate:
        return "at the rate limit"
    return "at the floor" if floor else ""
