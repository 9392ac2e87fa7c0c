"""From settings and a sample to a trained model."""

from collections.abc import Sequence

from agents.engine.forecaster import Forecaster, Sample
from agents.engine.hindsight import Hindsight
from agents.engine.moving import Moving
from agents.engine.regimes import Regimes
from agents.engine.settings import RiskEngineSettings


def open_forecaster(settings: RiskEngineSettings, sample: Sample, names: Sequence[str]) -> Forecaster:
    """The model that the settings name, trained.

    Raises
    ------
    ValueError
        If the sample is too short, or lacks regimes for `hindsight`.
    """
    match settings.model:
        case "hmm":
            return Regimes(settings, sample)
        case "hindsight":
            return Hindsight(settings, sample)
    return Moving(settings, sample, names)
