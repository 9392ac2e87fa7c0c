"""What may come: regime models, moving variances and a law that never changes, behind one interface."""

from collections.abc import Sequence
from copy import copy
from math import inf
from typing import NamedTuple, Protocol

import numpy as np
from scipy import special

from agents.engine.features import YEAR_SECONDS
from agents.engine.settings import RiskEngineSettings, TargetSettings
from agents.engine.targets import Outlook, Outlooks
from agents.models.emissions import emissions
from agents.models.filtering import filter_states, filter_step
from agents.models.hmm import HMM
from agents.models.loss_law import LossLaw, StateReturns, loss_law, tail
from agents.models.matching import match_states
from agents.models.observations import read_observations
from agents.models.online import OnlineHMM
from agents.models.parameters import Markov, Order, stationary_law
from agents.models.selection import choose_states
from agents.models.volatility import Ewma, Fixed, GarchT, Volatility
from protocol.book import Floats, Ints

LEAST_STAY = 20
MOST_STATES = 4
DAY = 86_400
RAREST = 1e-12
CALM, WILD = 0.05, 0.95


class Sample(NamedTuple):
    """What an engine learns from, step by step.

    Attributes
    ----------
    inputs : (T, m, F) float64
        Of every market; NaN where missing.
    returns : (T, m) float64
        Log return of each step.
    label : (T,) int64 or None
        The hidden regime at each step's end; only `hindsight` may have it.
    """

    inputs: Floats
    returns: Floats
    label: Ints | None = None

    def extended(self, later: "Sample", most: int) -> "Sample":
        """The last `most` steps of this one and a later one; labels are lost."""
        inputs = np.concatenate([self.inputs, later.inputs])[-most:]
        return Sample(inputs, np.concatenate([self.returns, later.returns])[-most:])


class Forecaster(Protocol):
    """What a model tells an engine.

    Attributes
    ----------
    states : tuple of str
        What `state` holds.
    state : (s,) float64
        Probabilities of regimes, or a volatility of each market [1/√year].
    surprise : float
        How much farther out the last observation was than predicted, in standard deviations of that: mean 0
        and variance 1 under the right model, whatever the regime; NaN where nothing was observed.
    """

    states: tuple[str, ...]
    surprise: float

    @property
    def state(self) -> Floats:
        """Probabilities or volatilities."""
        ...

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Take in a step: inputs, (m, F), returns, (m,), and the hidden regime for who may know it."""
        ...

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        ...


NOTHING = Outlook(0.0, 0.0, 0.0)


class Laws(NamedTuple):
    """The laws of one market's return over the liquidation horizon and over the time to top up.

    Attributes
    ----------
    liquidation, top_up : LossLaw
    calm, cycle, stressed : Outlook
        In the calmest regime, through the cycle, and in the wildest.
    """

    liquidation: LossLaw
    top_up: LossLaw
    calm: Outlook = NOTHING
    cycle: Outlook = NOTHING
    stressed: Outlook = NOTHING

    def outlook(self, probability: Floats, targets: TargetSettings) -> Outlook:
        """Losses, given probabilities of the regime in the next step, (K,)."""
        late = tail(self.liquidation, probability, targets.level)
        slow = tail(self.top_up, probability, targets.top_up_level)
        fall = tail(self.liquidation, probability, targets.level, "long").quantile
        return Outlook(late.shortfall, slow.quantile, fall)

    def outlooks(self, probability: Floats, targets: TargetSettings) -> Outlooks:
        """The same beside what does not depend on the present."""
        return Outlooks(self.outlook(probability, targets), self.calm, self.cycle, self.stressed)


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


class Hindsight:
    """Knows the regime of every step, and has learned what each is like from labelled ones.

    Parameters
    ----------
    settings : RiskEngineSettings
    sample : Sample
        With labels.
    """

    def __init__(self, settings: RiskEngineSettings, sample: Sample) -> None:
        if sample.label is None:
            raise ValueError("hindsight needs a sample with regimes, got one without")
        self.settings, self.surprise = settings, 0.0
        count = int(sample.label.max()) + 1
        emitted = labelled_returns(sample.returns, sample.label, count)
        wildness = np.sum([np.log(market.scale) for market in emitted], axis=0)
        order = np.argsort(wildness)
        self.chain = counted_transitions(sample.label, count)
        self.laws = market_laws(settings, emitted, self.chain, order)
        self.states = tuple(f"regime_{k + 1}" for k in range(count))
        self.probability = np.eye(count)[int(sample.label[-1])]

    @property
    def state(self) -> Floats:
        """Probability of each regime, (K,)."""
        return self.probability

    def observe(self, inputs: Floats, returns: Floats, regime: int) -> None:
        """Look at the regime, and at nothing else."""
        self.probability = np.eye(len(self.probability))[regime]

    def outlooks(self) -> list[Outlooks]:
        """What is expected of each market from here on."""
        ahead = self.probability @ self.chain
        return [market.outlooks(ahead, self.settings.targets) for market in self.laws]


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


def squared_excess(share: Floats) -> float:
    """Mean of squared normal deviates at probabilities, (d,), less 1, in its standard deviations."""
    deviate = special.ndtri(np.clip(share, RAREST, 1 - RAREST))
    return float((deviate**2 - 1).mean() * np.sqrt(len(share) / 2))


def fitted(settings: RiskEngineSettings, values: Floats) -> HMM:
    """A hidden Markov model of a sample, (T, D); states are ordered by level where it is of volatility."""
    order: Order = "level" if settings.inputs[0] == "volatility" else "volatility"

    def model(states: int) -> HMM:
        return HMM(states, settings.emissions, order=order)

    if settings.states != "auto":
        return model(settings.states).fit(values)
    choice = choose_states(values, model, tuple(range(1, MOST_STATES + 1)))
    return choice.candidates[choice.states].model


def emitted_returns(parameters: Markov) -> list[StateReturns]:
    """The law of each market's return in each state, where the states emit returns.

    Learnt drifts are noise at these horizons, and left out.
    """
    still = np.zeros(parameters.states)
    return [
        StateReturns(still, np.sqrt(parameters.scale[:, i, i]), parameters.degrees)
        for i in range(parameters.series)
    ]


def labelled_returns(returns: Floats, label: Ints, states: int) -> list[StateReturns]:
    """The law of each market's return in each state, from steps that are known to belong to it.

    Drifts are left out. A state with fewer than 20 steps takes the law of all.
    """
    found = []
    for column in returns.T:
        seen = ~np.isnan(column)
        rows = []
        for state in range(states):
            inside = column[seen & (label == state)]
            rows.append(one_law(inside if len(inside) >= LEAST_STAY else column[seen]))
        found.append(StateReturns(*(np.array(each) for each in zip(*rows, strict=True))))
    return found


def one_law(returns: Floats) -> tuple[float, float, float]:
    """Mean 0, scale and degrees of freedom of a sample's Student-t law."""
    if not np.ptp(returns) > 0:
        return 0.0, 1e-9, inf
    law = HMM(1).fit(returns).parameters_
    return 0.0, float(np.sqrt(law.scale[0, 0, 0])), float(law.degrees[0])


def counted_transitions(label: Ints, states: int) -> Floats:
    """Shares of moves between known states, (K, K); half a move is added to each that could have been."""
    counts = np.full((states, states), 0.5 / states)
    np.add.at(counts, (label[:-1], label[1:]), 1.0)
    shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares


def market_laws(
    settings: RiskEngineSettings, emitted: list[StateReturns], chain: Floats, order: Ints
) -> list[Laws]:
    """The laws of every market.

    Parameters
    ----------
    emitted : list of StateReturns
        By market.
    chain : (K, K) ndarray
        Transitions over a step.
    order : (K,) ndarray of int64
        Regimes from the calmest to the wildest.
    """
    targets, pure = settings.targets, np.eye(len(chain))
    spans = (targets.horizon / settings.every, targets.top_up / settings.every)
    moves = chain if settings.regimes == "chain" else pure
    always = (pure[order[0]], stationary_law(chain), pure[order[-1]])
    found = []
    for returns in emitted:
        liquidation, top_up = (loss_law(returns, moves, span) for span in spans)
        laws = Laws(liquidation, top_up)
        found.append(Laws(liquidation, top_up, *(laws.outlook(each, targets) for each in always)))
    return found


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
