"""Forecasts by a variance that moves with its returns, or by one that never does."""

from collections.abc import Sequence
from copy import copy

import numpy as np

from agents.engine.features import YEAR_SECONDS
from agents.engine.forecaster import Sample, squared_excess
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import Outlook, Outlooks
from agents.models.volatility import Ewma, Fixed, GarchT, Volatility
from protocol.book import Floats

CALM, WILD = 0.05, 0.95


class Moving:
    """Forecasts by a variance of each market that moves with its returns, or by one that never does.

    The calmest and the wildest regime are the training sample's 5 % and 95 % quantile of variance; its mean
    is that through the cycle.

    Parameters
    ----------
    settings : RiskEngineSettings
    sample : Sample
    names : sequence of str
        Of the markets.
    """

    def __init__(self, settings: RiskEngineSettings, sample: Sample, names: Sequence[str]) -> None:
        self.settings, self.surprise = settings, 0.0
        self.models = [open_volatility(settings).fit(column) for column in sample.returns.T]
        self.states = tuple(f"volatility_{name}" for name in names)
        self.span = settings.targets.horizon / settings.every, settings.targets.top_up / settings.every
        self.always = [self._always(model) for model in self.models]

    @property
    def state(self) -> Floats:
        """Volatility expected of the next step, (m,) [1/√year]."""
        variance = np.array([model.next_ for model in self.models])
        found: Floats = np.sqrt(variance / self.settings.every * YEAR_SECONDS)
        return found

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Move the variances."""
        pairs = zip(self.models, returns.tolist(), strict=True)
        below = np.array([model.cumulative(each, 1) for model, each in pairs if not np.isnan(each)])
        self.surprise = squared_excess(below) if len(below) else np.nan
        for model, each in zip(self.models, returns.tolist(), strict=True):
            model.observe(each)

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        pairs = zip(self.models, self.always, strict=True)
        return [Outlooks(self._outlook(model, model.next_), *always) for model, always in pairs]

    def _always(self, model: Volatility) -> list[Outlook]:
        """Outlooks in calm times, through the cycle, and in wild times."""
        past = model.variances_
        at = (np.quantile(past, CALM), past.mean(), np.quantile(past, WILD))
        return [self._outlook(model, float(variance)) for variance in at]

    def _outlook(self, model: Volatility, variance: float) -> Outlook:
        there, targets = copy(model), self.settings.targets
        there.next_ = variance
        late = there.tail(targets.level, self.span[0])
        return Outlook(late.shortfall, there.tail(targets.top_up_level, self.span[1]).quantile, late.quantile)


def open_volatility(settings: RiskEngineSettings) -> Volatility:
    """The model that the settings name."""
    if settings.model == "garch":
        return GarchT()
    return Ewma(settings.half_life / settings.every) if settings.model == "ewma" else Fixed()
