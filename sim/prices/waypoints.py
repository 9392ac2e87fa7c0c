"""Price levels at given moments: those of an event file, or those of the scenario itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path as File
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from agents.settings import Settings, entries, parameter
from sim.bundled import bundled, names
from sim.configuration import ClockSettings, Moment
from sim.layers import read_layer
from sim.prices.settings import Positive, Waypoints
from sim.problems import Problem, ScenarioError, shown, suggestion
from sim.validation import type_problems

Floats = NDArray[np.float64]


class EventPoint(Settings):
    """A moment of an event and the price of each market then."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Positive] = Field(init=False)

    time: Moment = parameter(..., "UTC")


class Event(Settings):
    """Published price levels of something that happened."""

    name: str
    description: str = ""
    source: str
    points: Annotated[tuple[EventPoint, ...], BeforeValidator(entries)] = parameter(..., "USD per base unit")


@dataclass(frozen=True)
class Skeleton:
    """Levels of one market.

    Attributes
    ----------
    seconds : (k,) ndarray
        Time since the start [s], rising; may begin before it.
    prices : (k,) ndarray
        Price at each time [USD per base unit].
    """

    seconds: Floats
    prices: Floats


def event_file(name: str) -> File | None:
    """File of an event given by path or bundled name."""
    return File(name) if File(name).is_file() else bundled("event", name)


def load_event(name: str) -> Event:
    """A bundled event by name, or the event file at a path."""
    file = event_file(name)
    if file is None:
        rule = f"no such event file or bundled event {shown(name)}{suggestion(name, names('event'))}"
        raise ScenarioError([Problem("", "world.prices.event", rule, about=(("world", "prices", "event"),))])
    layer, problems = read_layer(file)
    try:
        event = Event.model_validate(layer.data)
    except ValidationError as error:
        raise ScenarioError([*problems, *type_problems(error, layer, Event)]) from error
    if problems:
        raise ScenarioError(problems)
    return event


def skeletons(settings: Waypoints, clock: ClockSettings, markets: tuple[str, ...]) -> dict[str, Skeleton]:
    """Levels of each market, by time since the start.

    Raises
    ------
    ScenarioError
        If a market has no level, levels do not rise in time, or they do not cover the run. After the
        last of the scenario's own points a price wanders freely; a historical event must cover all.
    """
    levels = _event_levels(settings.event, clock.start) if settings.event else _own_levels(settings)
    section = "event" if settings.event else "points"
    found, problems = {}, []
    for market in markets:
        pairs = [(seconds, prices[market]) for seconds, prices in levels if market in prices]
        seconds, prices = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        rule = _broken_rule(market, seconds, clock, historical=bool(settings.event))
        if rule:
            about = (("world", "prices", section), ("clock", "start"), ("clock", "duration"))
            problems.append(Problem("", f"world.prices.{section}", rule, about=about))
        found[market] = Skeleton(seconds, prices)
    if problems:
        raise ScenarioError(problems)
    return found


def _event_levels(name: str, start: datetime) -> list[tuple[float, dict[str, float]]]:
    points = load_event(name).points
    return [((point.time - start).total_seconds(), point.__pydantic_extra__) for point in points]


def _own_levels(settings: Waypoints) -> list[tuple[float, dict[str, float]]]:
    return [(float(point.at), point.__pydantic_extra__) for point in settings.points]


def _broken_rule(market: str, seconds: Floats, clock: ClockSettings, historical: bool) -> str:
    """Rule that the times of a market's levels break; empty when they are sound."""
    if not len(seconds):
        return f"market {market} needs at least one level"
    if (np.diff(seconds) <= 0).any():
        return f"times of the levels of {market} must rise"
    if seconds[0] > 0 or (historical and seconds[-1] < clock.duration):
        verb = "cover" if historical else "begin by the start of"
        span = f"{_moment(clock, 0)} to {_moment(clock, clock.duration)}"
        covered = f"{_moment(clock, seconds[0])} to {_moment(clock, seconds[-1])}"
        return f"levels of {market} must {verb} {span}, got {covered}"
    return ""


def _moment(clock: ClockSettings, seconds: float) -> str:
    return f"{clock.start + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
