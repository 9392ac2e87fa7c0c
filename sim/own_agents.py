"""Traders of the user's own: from a scenario's settings to the Mesa agent that runs them."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import mesa
import numpy as np

from agents.blame import PluginError
from agents.custom import Decides, Guest, OwnSettings
from agents.role import Stream
from protocol.book import Ints
from sim.plugins import plugin
from sim.problems import Problem
from sim.streams import stream

if TYPE_CHECKING:
    from sim.configuration import Scenario


def guest(model: mesa.Model, accounts: Ints, streams: Stream, settings: OwnSettings) -> Guest:
    """The Mesa agent that runs a user's object.

    Raises
    ------
    PluginError
        When the module cannot be imported or the object cannot be made.
    """
    trader = made(settings, accounts, streams)
    return Guest(model, accounts, settings, trader, plugin(settings.agent, settings.folder).files())


def made(settings: OwnSettings, accounts: Ints, streams: Stream) -> Decides:
    """The user's object for these accounts."""
    given = {"accounts": accounts, "stream": streams, "settings": dict(settings.settings)}
    trader: Decides = plugin(settings.agent, settings.folder).make(given, "act(view)")
    return trader


def own_problems(scenario: "Scenario") -> Iterator[Problem]:
    """Why own traders cannot be made; each is made once for a try."""
    for name, settings in scenario.agents.own.items():
        accounts = np.arange(settings.accounts, dtype=np.int64)
        try:
            made(settings, accounts, partial(stream, 0, "own", name))
        except PluginError as error:
            path = ("agents", "own", name, "agent")
            yield Problem("", ".".join(path), str(error), about=(path,))
