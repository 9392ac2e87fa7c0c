"""Real events: when they were, where their prices lie, and what is known of them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from agents.settings import Settings, entries
from analysis.backtest.figures import FIGURES
from sim.configuration import Moment
from sim.layers import read_layer
from sim.problems import Problem, ScenarioError, shown, suggestion
from sim.validation import type_problems

FILE = Path(__file__).with_name("events.yaml")
HOUR = timedelta(hours=1)


def _known(value: object) -> object:
    if value not in FIGURES:
        raise ValueError(f"no such figure{suggestion(str(value), FIGURES)}")
    return value


class Wanted(Settings):
    """A figure that is compared.

    Attributes
    ----------
    figure : str
        One of `FIGURES`.
    start, end : datetime, optional
        Between which it is looked at; those of the event where they are not given.
    real : float, optional
        What really happened, in the figure's unit; none where nobody has told.
    source : str
        Of the real figure.
    """

    figure: Annotated[str, BeforeValidator(_known)]
    start: Moment | None = None
    end: Moment | None = None
    real: float | None = None
    source: str = ""

    @model_validator(mode="after")
    def _sourced(self) -> "Wanted":
        if self.real is not None and not self.source:
            raise ValueError("a real figure needs a source")
        return self


class Event(Settings):
    """Something that happened.

    Attributes
    ----------
    name, title : str
    start, end : datetime
        Of the run, whose first days let positions, leverage and funding become those of a live market.
    before, after : datetime
        Between which figures are looked at unless they say otherwise.
    market : str
        The one that real figures are about.
    candles : dict of str to str
        File of spot candles by market, relative to the folder of data.
    perpetual, open_interest : str
        Files of hourly candles of the perpetual, and of daily open interest (`date`, `oi_usd` at the end of
        the day); only the figure needs them, and does without.
    figures : tuple of Wanted
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{0,39}$")
    title: str
    start: Moment
    before: Moment
    after: Moment
    end: Moment
    market: str
    candles: dict[str, str]
    perpetual: str = ""
    open_interest: str = ""
    figures: Annotated[tuple[Wanted, ...], BeforeValidator(entries)] = Field(min_length=1)

    def span(self, wanted: Wanted) -> tuple[Moment, Moment]:
        """Moments between which a figure is looked at."""
        return wanted.start or self.before, wanted.end or self.after

    @model_validator(mode="after")
    def _ordered(self) -> "Event":
        if self.market not in self.candles:
            raise ValueError(f"candles of the market {shown(self.market)} must be given")
        for start, end in [(self.before, self.after), *map(self.span, self.figures)]:
            if any((moment - self.start) % HOUR for moment in (start, end)):
                raise ValueError("spans must begin and end whole hours after the start")
            if not self.start < start < end <= self.end:
                told = f"{start:%Y-%m-%dT%H:%M} to {end:%Y-%m-%dT%H:%M}"
                raise ValueError(f"spans must lie inside the run and begin an hour after it, got {told}")
        return self


class Events(Settings):
    """A file of events."""

    events: Annotated[tuple[Event, ...], BeforeValidator(entries)] = Field(min_length=1)


def read_events(file: Path = FILE) -> tuple[Event, ...]:
    """Events of a file.

    Raises
    ------
    ScenarioError
        Naming every broken rule with file and line.
    """
    layer, problems = read_layer(file)
    try:
        found = Events.model_validate(layer.data).events
    except ValidationError as error:
        raise ScenarioError([*problems, *type_problems(error, layer, Events)]) from error
    problems += _repeated(found, str(file))
    if problems:
        raise ScenarioError(problems)
    return found


def _repeated(found: tuple[Event, ...], place: str) -> Iterator[Problem]:
    names = [event.name for event in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(place, "events", "events must have different names", shown(name))
