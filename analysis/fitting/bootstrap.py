"""The mean length of the bootstrap's blocks, from the memory of the data."""

import numpy as np

from analysis.fitting.estimates import Estimate, Fit, last_closes
from analysis.fitting.samples import Samples
from sim.prices.settings import Bootstrap
from sim.problems import Problem, ScenarioError


def fit_bootstrap(samples: Samples) -> Fit:
    """Stationary bootstrap of the candles, with the length of blocks that suits absolute returns.

    References
    ----------
    .. [1] D. N. Politis and H. White, "Automatic block-length selection for the dependent bootstrap",
       Econometric Reviews 23 (2004); corrected by A. Patton, Politis and White, 28 (2009).
    """
    from arch.bootstrap import optimal_block_length

    if len(samples.by_length) > 1 or any(len(paths) > 1 for paths in samples.files.values()):
        rule = "a bootstrap draws from one candle file of each market"
        files = ", ".join(str(path) for paths in samples.files.values() for path in paths)
        raise ScenarioError([Problem("", "", rule, files)])
    sample = samples.longest
    returns = np.abs(sample.returns[np.isfinite(sample.returns).all(axis=1)])
    length = float(optimal_block_length(returns)["stationary"].mean()) * sample.seconds
    settings = Bootstrap.model_validate(
        {
            "kind": "bootstrap",
            "path": {market: str(paths[0].resolve()) for market, paths in samples.files.items()},
            "start": last_closes(samples),
            "mean_length": f"{max(sample.seconds, round(length))}s",
        }
    )
    method = "Politis and White's rule on absolute returns, mean of the markets (arch)"
    return Fit(settings, (Estimate("mean_length", length / 3600, float("nan"), "h", method),))
