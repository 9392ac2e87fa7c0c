"""Variances of the competitors against arch and by hand, and the tails of their sums."""

from collections.abc import Callable

import numpy as np
import pytest
from arch.univariate import GARCH, StudentsT, ZeroMean
from scipy import integrate, stats

from agents.models.volatility import Ewma, Fixed, GarchT, Recursion, Volatility, fitted_shape, moved
from protocol.book import Floats
from sim.streams import stream

pytestmark = pytest.mark.kernel
MAKERS: list[Callable[[], Volatility]] = [Fixed, lambda: Ewma(50.0), GarchT]


def clustered(count: int, *name: str | int) -> Floats:
    """Returns of a GARCH(1,1) with Student-t shocks, about 1 % each."""
    shocks = stream(1, "volatility", *name).standard_t(6.0, count) * np.sqrt(4 / 6)
    variance, found = 1.0, np.empty(count)
    for t, shock in enumerate(shocks):
        found[t] = 0.01 * np.sqrt(variance) * shock
        variance = 0.03 + 0.09 * variance * shock**2 + 0.88 * variance
    return found


@pytest.fixture(scope="module")
def returns() -> Floats:
    return clustered(3000, "sample")


def test_the_variances_and_the_outlook_of_garch_are_those_of_arch(returns: Floats) -> None:
    unit = returns.std()
    theirs = ZeroMean(returns / unit, volatility=GARCH(1, 0, 1), distribution=StudentsT()).fit(disp="off")
    ours = GarchT().fit(returns)
    ahead = unit**2 * theirs.forecast(horizon=24).variance.to_numpy()[-1]

    np.testing.assert_allclose(np.sqrt(ours.variances_), unit * theirs.conditional_volatility, rtol=1e-8)
    for steps in (1, 2, 24):
        assert ours.variance(steps) == pytest.approx(ahead[:steps].sum(), rel=1e-8)


@pytest.mark.parametrize("make", MAKERS)
def test_observing_one_by_one_is_fitting_to_the_whole(
    returns: Floats, make: Callable[[], Volatility]
) -> None:
    whole, parts = make().fit(returns), make().fit(returns)
    parts.next_ = parts.recursion_.start
    for value in returns:
        parts.observe(value)

    assert parts.next_ == whole.next_


def test_a_missing_return_counts_as_expected() -> None:
    recursion = Recursion(0.5, 0.2, 0.7, 4.0)

    assert moved(recursion, 4.0, 3.0) == pytest.approx(0.5 + 0.2 * 9 + 0.7 * 4)
    assert moved(recursion, 4.0, np.nan) == pytest.approx(0.5 + 0.9 * 4)


def test_an_exponential_mean_by_hand() -> None:
    values = np.tile([0.01, -0.02, 0.03], 20)
    model = Ewma(10.0).fit(values)
    decay = 0.5**0.1
    ages = np.arange(60)[::-1]
    expected = (1 - decay) * (decay**ages * values**2).sum() + decay**60 * np.mean(values**2)

    assert model.decay == pytest.approx(decay)
    assert Ewma.of_decay(decay).half_life == pytest.approx(10)
    assert model.variance(1) == pytest.approx(expected)
    assert model.variance(24) == pytest.approx(24 * expected)
    assert model.variance(1.5) == pytest.approx(1.5 * expected)


@pytest.mark.parametrize("steps", [1, 24])
@pytest.mark.parametrize("make", MAKERS)
def test_losses_of_fresh_sums_are_covered(make: Callable[[], Volatility], steps: int) -> None:
    """Two per cent of sums that do not overlap, on either side; known to about 0.25 % as they cluster."""
    model = make().fit(clustered(20_000, "train"))
    fresh = clustered(60_000, "test")
    breaches = []
    for t in range(0, len(fresh) - steps, steps):
        breaches.append(abs(fresh[t : t + steps].sum()) > model.tail(0.99, steps).quantile)
        for value in fresh[t : t + steps]:
            model.observe(value)

    assert np.mean(breaches) == pytest.approx(0.02, abs=0.008)


def test_the_shape_is_that_of_scipy() -> None:
    sums = 0.7 * stream(1, "volatility", "shape").standard_t(4.0, 5000)
    degrees, _, scale = stats.t.fit(sums, floc=0)

    assert fitted_shape(sums) == pytest.approx((degrees, scale), rel=1e-3)


def test_the_shortfall_is_the_mean_of_the_quantiles_beyond(returns: Floats) -> None:
    model = GarchT().fit(returns)
    beyond, _ = integrate.quad(lambda level: model.tail(level, 5).quantile, 0.99, 1)

    assert model.tail(0.99, 5).shortfall == pytest.approx(beyond / 0.01, rel=1e-6)
    assert model.cumulative(model.tail(0.99, 5).quantile, 5) == pytest.approx(0.99)


@pytest.mark.parametrize("make", MAKERS)
def test_gaps_in_training_are_bridged(returns: Floats, make: Callable[[], Volatility]) -> None:
    values = returns.copy()
    values[100:130] = np.nan
    holed, complete = make().fit(values), make().fit(returns)

    assert np.isfinite(holed.variances_).all()
    assert holed.tail(0.99, 24).quantile == pytest.approx(complete.tail(0.99, 24).quantile, rel=0.1)


def test_what_is_no_sample_is_refused(returns: Floats) -> None:
    with pytest.raises(ValueError, match="at least 50 returns"):
        Fixed().fit(np.full(100, 0.01) * 0)
    with pytest.raises(ValueError, match="must be fitted"):
        GarchT().variance(1)
    with pytest.raises(ValueError, match=r"0\.5 < level < 1 must hold, got 1"):
        Fixed().fit(returns).tail(1.0, 1)
    with pytest.raises(ValueError, match="at least 50 complete windows, got 11"):
        Fixed().fit(returns).tail(0.99, 2990)
    with pytest.raises(ValueError, match="steps must be positive"):
        Fixed().fit(returns).variance(0)
    with pytest.raises(ValueError, match="half_life must be positive"):
        Ewma(0)
