"""Forecasts by a hidden Markov model of the market's regimes."""

from math import inf

import numpy as np
from scipy import special

from agents.engine.forecaster import Sample, squared_excess
from agents.engine.laws import Laws, emitted_returns, labelled_returns, market_laws
from agents.engine.settings import RiskEngineSettings
from agents.engine.targets import Outlooks
from agents.models.emissions import emissions
from agents.models.filtering import filter_states, filter_step
from agents.models.hmm import HMM
from agents.models.matching import match_states
from agents.models.observations import read_observations
from agents.models.online import OnlineHMM
from agents.models.parameters import Markov, Order
from agents.models.selection import choose_states
from protocol.book import Floats

MOST_STATES = 4
DAY = 86_400


class Regimes:
    """Forecasts by a hidden Markov model.

    Parameters
    ----------
    settings : RiskEngineSettings
    sample : Sample
    """

    def __init__(self, settings: RiskEngineSettings, sample: Sample) -> None:
        self.settings = settings
        values = sample.inputs.reshape(len(sample.inputs), -1)
        self.model = fitted(settings, values)
        self.parameters = self.model.parameters_
        self.online = OnlineHMM(self.model, values) if settings.refit.online else None
        self.probability = self.model.filter(values).probability[-1].copy()
        self.complete = np.ones((1, values.shape[1]), np.bool_)
        self.densities = emissions(self.parameters, self.complete)
        self.work = np.empty((2, len(self.probability)))
        self.states = tuple(f"regime_{k + 1}" for k in range(len(self.probability)))
        self.surprise, self.steps, self.sample = 0.0, 0, sample
        self.laws = self._laws()

    @property
    def state(self) -> Floats:
        """Probability of each regime, (K,)."""
        return self.probability

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Filter, and learn if the settings say so; the hidden regime is not looked at."""
        values, known = inputs.ravel(), self.parameters
        ahead = self.probability @ known.transition
        missing = np.isnan(values)
        self.surprise = surprise(known._replace(initial=ahead), values)
        if missing.any() and not missing.all():
            found = filter_states(read_observations(values[None, :]), known._replace(initial=ahead))
            self.probability = found.probability[0]
        else:
            filter_step(self.probability, values, known.transition, self.densities, self.work)
        if self.online is not None and not missing.any():
            self._learn(self.online, values)

    def moved_from(self, older: "Regimes") -> float:
        """How far the regime that moved most is from what an older fit took it for [nats]."""
        if len(older.probability) != len(self.probability):
            return inf
        return match_states(older.parameters, self.parameters).farthest

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        ahead = self.probability @ self.parameters.transition
        return [market.outlooks(ahead, self.settings.targets) for market in self.laws]

    def _learn(self, online: OnlineHMM, values: Floats) -> None:
        """Follow the online model; its laws are made anew once a day."""
        online.update(values[None, :])
        self.parameters, self.probability = online.parameters_, online.probability_.copy()
        self.densities = emissions(self.parameters, self.complete)
        self.steps += 1
        if self.steps % max(1, DAY // self.settings.every) == 0:
            self.laws = self._laws()

    def _laws(self) -> list[Laws]:
        """The laws of every market, by regime."""
        if self.settings.inputs == ("returns",):
            emitted = emitted_returns(self.parameters)
        else:
            label = self.model.smoothed_.argmax(axis=1)
            emitted = labelled_returns(self.sample.returns, label, len(self.probability))
        return market_laws(
            self.settings, emitted, self.parameters.transition, np.arange(len(self.probability))
        )


def fitted(settings: RiskEngineSettings, values: Floats) -> HMM:
    """A hidden Markov model of a sample, (T, D); states are ordered by level where it is of volatility."""
    order: Order = "level" if settings.inputs[0] == "volatility" else "volatility"

    def model(states: int) -> HMM:
        return HMM(states, settings.emissions, order=order)

    if settings.states != "auto":
        return model(settings.states).fit(values)
    choice = choose_states(values, model, tuple(range(1, MOST_STATES + 1)))
    return choice.candidates[choice.states].model


def surprise(ahead: Markov, values: Floats) -> float:
    """How far out an observation, (D,), is under a model's prediction: see `Forecaster`.

    Each series is taken to the normal deviate of its predictive law; the mean of their squares is compared
    with 1.
    """
    seen = ~np.isnan(values)
    if not seen.any():
        return np.nan
    scale = np.sqrt(np.einsum("kii->ki", ahead.scale))[:, seen]
    away = (values[seen] - ahead.mean[:, seen]) / scale
    degrees = np.broadcast_to(ahead.degrees[:, None], away.shape)
    below = np.where(np.isinf(degrees), special.ndtr(away), special.stdtr(np.minimum(degrees, 1e6), away))
    return squared_excess(ahead.initial @ below)
