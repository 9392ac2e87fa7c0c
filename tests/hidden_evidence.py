"""How well models know worlds whose regimes are known: parameters, states, switches, the number of states."""

from typing import NamedTuple

import numpy as np
from hidden_chains import drawn

from agents.models.baum_welch import Effort
from agents.models.decoding import decode_states
from agents.models.filtering import filter_states
from agents.models.hmm import HMM, Kind
from agents.models.maximisation import UNPENALISED
from agents.models.observations import read_observations
from agents.models.parameters import Markov
from agents.models.selection import choose_states
from protocol.book import Floats, Ints

TRAINED, TESTED = 3000, 3000
RATIOS = (1.5, 2.0, 3.0, 4.0)
THRESHOLDS = (0.5, 0.8, 0.95)
CALM, WILD, SWITCHES = 100, 100, 200
QUICK, SHORT = Effort(starts=3), Effort(starts=2, iterations=100)
KINDS: tuple[Kind, ...] = ("gaussian", "student_t")


def world(ratio: float, degrees: float = np.inf) -> Markov:
    """A calm state of 50 steps and a wild one of 25."""
    transition = np.array([[0.98, 0.02], [0.04, 0.96]])
    scale = np.array([[[1.0]], [[ratio**2]]])
    return Markov(np.array([1.0, 0.0]), transition, np.zeros((2, 1)), scale, np.full(2, degrees))


def learnt(values: Floats, degrees: float) -> HMM:
    """A model of two states fitted with the emissions of the world."""
    return HMM(2, "gaussian" if np.isinf(degrees) else "student_t", effort=QUICK).fit(values)


def brier(model: Markov, values: Floats, states: Ints) -> float:
    """Mean squared error of the filtered probability of the wild state, after the training sample."""
    known = filter_states(read_observations(values), model).probability[TRAINED:, 1]
    return float(((known - states[TRAINED:]) ** 2).mean())


def rand_index(one: Ints, other: Ints) -> float:
    """Adjusted Rand index of two groupings: 1 equal, 0 as by chance (Hubert and Arabie 1985)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    rows, columns = pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / pairs(table.sum(keepdims=True))
    return (pairs(table) - expected) / ((rows + columns) / 2 - expected)


class Knowledge(NamedTuple):
    """Scores beside the best possible ones; means over seeds.

    Attributes
    ----------
    brier, best, base : float
        Brier scores of the fitted model, of the true one, and of the true share of wild times.
    holed, best_holed : float
        Of a model that was fitted to four values of five and filters such, and of the true one there.
    index, best_index : float
        Adjusted Rand index of the decoded path.
    """

    brier: float
    best: float
    base: float
    holed: float
    best_holed: float
    index: float
    best_index: float


def knowledge(ratio: float, degrees: float, seeds: int) -> Knowledge:
    """What models know of unseen times."""
    truth, found = world(ratio, degrees), []
    for seed in range(seeds):
        values, states = drawn(truth, TRAINED + TESTED, "knowledge", seed)
        model, later = learnt(values[:TRAINED], degrees).parameters_, states[TRAINED:]
        holed = values.copy()
        holed[np.sin(12345.0 * np.arange(len(values)) ** 2) < -0.809] = np.nan
        partial = learnt(holed[:TRAINED], degrees).parameters_
        paths = [decode_states(read_observations(values), each).states[TRAINED:] for each in (model, truth)]
        base = later.mean() * (1 - later.mean())
        scores = (brier(model, values, states), brier(truth, values, states), base)
        scores_holed = (brier(partial, holed, states), brier(truth, holed, states))
        found.append((*scores, *scores_holed, *(rand_index(path, later) for path in paths)))
    return Knowledge(*np.mean(found, axis=0))


class Detection(NamedTuple):
    """How a threshold on the filtered probability of the wild state finds switches, one row per threshold.

    Attributes
    ----------
    alarms : (n,) float64
        Upward crossings per 1,000 steps of a world that stays calm.
    delay : (n,) float64
        Median steps from a switch to the wild state until the threshold is crossed, the switch's own
        observation being step 1.
    missed : (n,) float64
        Share of switches not found within 100 steps.
    """

    alarms: Floats
    delay: Floats
    missed: Floats


def detection(ratio: float, degrees: float) -> Detection:
    """Alarms and delays of a model fitted to a world, in calm times and around planted switches."""
    truth = world(ratio, degrees)
    model = learnt(drawn(truth, 2 * TRAINED, "detection")[0], degrees).parameters_
    calm = drawn(truth._replace(transition=np.eye(2)), CALM * SWITCHES, "calm")[0]
    wild = ratio * drawn(truth._replace(transition=np.eye(2)), WILD * SWITCHES, "switch")[0]
    blocks = np.hstack([calm.reshape(SWITCHES, CALM), wild.reshape(SWITCHES, WILD)])
    quiet = filter_states(read_observations(calm), model).probability[:, 1]
    after = filter_states(read_observations(blocks.ravel()), model).probability[:, 1]
    after = after.reshape(blocks.shape)[:, CALM:]
    alarms = [1000 * np.mean((quiet[1:] > bar) & (quiet[:-1] <= bar)) for bar in THRESHOLDS]
    crossed = [after > bar for bar in THRESHOLDS]
    delay = [np.where(each.any(axis=1), each.argmax(axis=1) + 1, WILD) for each in crossed]
    missed = [1 - each.any(axis=1).mean() for each in crossed]
    return Detection(np.array(alarms), np.array([np.median(each) for each in delay]), np.array(missed))


def deviations(degrees: float, seeds: int) -> Floats:
    """Estimates less truth over standard errors: odds to leave, means and scales of each world, (n, 6)."""
    truth, found = world(3.0, degrees), []
    kind: Kind = "gaussian" if np.isinf(degrees) else "student_t"
    effort = Effort(starts=2, tolerance=1e-9, iterations=1000)
    for seed in range(seeds):
        values, _ = drawn(truth, TRAINED, "coverage", str(degrees), seed)
        model = HMM(2, kind, penalty=UNPENALISED, effort=effort).fit(values)
        rows = zip(model.parameters_, truth, model.standard_errors(values), strict=True)
        away = [(one - true) / error for one, true, error in rows if one is not model.parameters_.degrees]
        leave = away[1][~np.eye(2, dtype=bool)]
        found.append(np.concatenate([leave, away[2].ravel(), away[3].ravel()]))
    return np.array(found)


def chosen(ratio: float, kind: Kind, seeds: int) -> float:
    """Share of worlds with heavy tails, 4 degrees of freedom, in which two states are chosen over one."""
    truth = world(ratio, 4.0)
    samples = [drawn(truth, 1000, "choice", seed)[0] for seed in range(seeds)]
    choices = [choose_states(each, lambda k: HMM(k, kind, effort=SHORT), (1, 2)).states for each in samples]
    return float(np.mean(np.array(choices) == 2))
