"""GARCH(1,1) with Student-t shocks by maximum likelihood."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from analysis.fitting.estimates import Estimate, Fit, block_errors, last_closes
from analysis.fitting.samples import Samples
from analysis.return_statistics import YEAR
from sim.prices.settings import Garch

Floats = NDArray[np.float64]

LARGEST = 0.999
METHOD = "maximum likelihood (arch)"


def fit_garch(samples: Samples) -> Fit:
    """GARCH(1,1)-t of each market; common degrees of freedom; correlation of the t copula.

    The recursion's step is the sample's bar. Returns beside gaps are left out. The long-run volatility is
    the sample's, as the likelihood of nearly integrated variance says little of it; persistence above 0.999
    is cut back to that, so that there is a long run.
    """
    sample = samples.longest
    returns = sample.returns[np.isfinite(sample.returns).all(axis=1)]
    fits = [_single(returns[:, column]) for column in range(len(samples.markets))]
    names = ("alpha", "beta")
    estimates = [
        Estimate(f"{name}.{market}", values[i], errors[i], "1", METHOD)
        for market, (values, errors, _) in zip(samples.markets, fits, strict=True)
        for i, name in enumerate(names)
    ]
    weight = np.array([errors[2] ** -2 for _, errors, _ in fits])
    degrees = float(weight @ [values[2] for values, _, _ in fits] / weight.sum())
    estimates.append(Estimate("degrees", degrees, float(weight.sum() ** -0.5), "1", METHOD))
    volatility, more = _dependence(
        returns, np.column_stack([shocks for _, _, shocks in fits]), sample.seconds
    )
    estimates += [
        Estimate(f"volatility.{market}", value, error, "1 per sqrt(year)", "of the sample; block bootstrap")
        for market, value, error in zip(samples.markets, *volatility, strict=True)
    ]
    estimates.append(Estimate("correlation", *more, "1", "Kendall's tau of the shocks; block bootstrap"))
    return Fit(_settings(samples, estimates), tuple(estimates), _notes(samples, fits))


def _single(returns: Floats) -> tuple[Floats, Floats, Floats]:
    """Alpha, beta and degrees of one market, (3,), their standard errors, (3,), and its shocks, (n,)."""
    from arch.univariate import GARCH, StudentsT, ZeroMean

    scale = 100 / max(float(returns.std()) * 100, 1e-12)
    model = ZeroMean(scale * returns, volatility=GARCH(1, 0, 1), distribution=StudentsT())
    found = model.fit(disp="off", show_warning=False)
    chosen = ["alpha[1]", "beta[1]", "nu"]
    return (
        found.params[chosen].to_numpy(np.float64),
        found.std_err[chosen].to_numpy(np.float64),
        np.asarray(found.std_resid, np.float64),
    )


def _dependence(
    returns: Floats, shocks: Floats, seconds: int
) -> tuple[tuple[Floats, Floats], tuple[float, float]]:
    """Volatilities with errors, (m,) each, and the mean correlation of the shocks with its error."""
    bars = max(1, 5 * 86_400 // seconds)

    def volatility(rows: NDArray[np.int64]) -> Floats:
        found: Floats = returns[rows].std(axis=0) * np.sqrt(YEAR / seconds)
        return found

    def correlation(rows: NDArray[np.int64]) -> Floats:
        pairs = [(i, j) for i in range(shocks.shape[1]) for j in range(i)]
        taus = [kendalltau(shocks[rows, i], shocks[rows, j]).statistic for i, j in pairs]
        return np.array([np.sin(np.pi / 2 * np.mean(taus)) if taus else 0.0])

    every = np.arange(len(returns))
    errors = block_errors(volatility, len(returns), bars)
    some = every[:: max(1, len(every) // 5000)]
    error = block_errors(lambda rows: correlation(some[rows]), len(some)) * np.sqrt(len(some) / len(every))
    return (volatility(every), errors), (float(correlation(every)[0]), float(error[0]))


def _settings(samples: Samples, estimates: list[Estimate]) -> Garch:
    value = {estimate.name: estimate.value for estimate in estimates}
    tables: dict[str, dict[str, float]] = {
        "alpha": {},
        "beta": {},
        "volatility": {},
        "start": last_closes(samples),
    }
    for market in samples.markets:
        alpha = min(value[f"alpha.{market}"], LARGEST)
        tables["alpha"][market] = round(alpha, 4)
        tables["beta"][market] = round(min(value[f"beta.{market}"], LARGEST - round(alpha, 4)), 4)
        tables["volatility"][market] = round(value[f"volatility.{market}"], 4)
    return Garch.model_validate(
        {
            "kind": "garch",
            "step": f"{samples.longest.seconds}s",
            "degrees": round(max(value["degrees"], 2.05), 3),
            "correlation": round(value["correlation"], 4),
            **tables,
        }
    )


def _notes(samples: Samples, fits: list[tuple[Floats, Floats, Floats]]) -> tuple[str, ...]:
    return tuple(
        f"{market}: alpha + beta = {values[0] + values[1]:.4f} is cut back to {LARGEST}"
        for market, (values, _, _) in zip(samples.markets, fits, strict=True)
        if values[0] + values[1] > LARGEST
    )
