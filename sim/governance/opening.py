"""From a scenario to the governance of its run."""

from functools import partial
from typing import TYPE_CHECKING

from agents.guardian import Watch
from sim.governance.governing import Governance
from sim.streams import stream

if TYPE_CHECKING:
    from sim.model import Model


def open_governance(model: "Model") -> Governance:
    """The governance of a model's scenario; draws from streams of its own."""
    settings = model.scenario.governance
    draws = partial(stream, model.seed_value)
    watch = Watch(model, draws, settings.guardian)
    return Governance(model.exchange, settings, draws, watch, model.scenario.markets)
