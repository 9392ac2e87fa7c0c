"""Which state of a new fit is which of an old one, and how far each has moved."""

from typing import NamedTuple

import numpy as np
import scipy

from agents.models.parameters import Markov
from protocol.book import Floats, Ints


class Matching(NamedTuple):
    """States of a new model beside those of an old one.

    Attributes
    ----------
    order : (K,) int64
        For `Markov.permuted`: place `i` holds the new state that continues the old state `i`.
    divergence : (K,) float64
        Between the two [nats], by old state. A volatility that grew by half is 0.35 away for each series,
        one that doubled 1.1: a threshold between what refits usually show and that alarms.
    """

    order: Ints
    divergence: Floats

    @property
    def farthest(self) -> float:
        """Divergence of the state that moved most [nats]."""
        return float(self.divergence.max())


def match_states(old: Markov, new: Markov) -> Matching:
    """The matching of states with the least sum of divergences.

    Parameters
    ----------
    old, new : Markov
        With the same numbers of states and series.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    if old.mean.shape != new.mean.shape:
        rule = "models must have the same numbers of states and series to be matched"
        raise ValueError(f"{rule}, got {old.mean.shape} and {new.mean.shape}")
    apart = divergences(old, new)
    rows, order = scipy.optimize.linear_sum_assignment(apart)
    return Matching(order.astype(np.int64), apart[rows, order])


def divergences(old: Markov, new: Markov) -> Floats:
    """Symmetric divergences of Kullback and Leibler between states, (K, L), old by new [nats].

    With mean difference δ it is ½ (tr Σ₁⁻¹Σ₂ + tr Σ₂⁻¹Σ₁ + δ'(Σ₁⁻¹ + Σ₂⁻¹)δ) − D between Gaussian states.
    Student-t states have no closed form and are compared as Gaussian ones with their mean and scale matrix.
    Their covariance would be the nearer relative, but swings with the degrees of freedom, which samples tell
    badly; a change of the tails alone is therefore not seen.
    """
    sharp, sharp_new = np.linalg.inv(old.scale), np.linalg.inv(new.scale)
    away = old.mean[:, None] - new.mean[None]
    spread = np.einsum("kij,lji->kl", sharp, new.scale) + np.einsum("lij,kji->kl", sharp_new, old.scale)
    shift = np.einsum("kli,klij,klj->kl", away, sharp[:, None] + sharp_new[None], away)
    total: Floats = (spread + shift) / 2 - old.series
    return np.maximum(total, 0)
