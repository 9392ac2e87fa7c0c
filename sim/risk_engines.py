"""From a scenario's settings to a risk engine that knows its venue and has learned from its past."""

from typing import TYPE_CHECKING

import numpy as np

from agents.engine.decisions import Facts
from agents.risk_engine import RiskEngine
from sim.training import training_sample

if TYPE_CHECKING:
    from sim.model import Model


def open_risk_engine(model: "Model") -> RiskEngine | None:
    """The scenario's risk engine; None where it has none."""
    scenario = model.scenario
    if scenario.risk_engine.model == "none":
        return None
    protocol = scenario.protocol
    bonus = np.array([market.collateral.discount for market in protocol.markets.values()])
    facts = Facts(model.exchange.parameters, protocol.oracle.deviation, bonus)
    sample = training_sample(scenario, model.seed_value)
    return RiskEngine(model, scenario.risk_engine, facts, sample, scenario.markets)
