"""A ceiling on the price of an asset that grows slowly over another one, as a staked token over its coin.

The ratio between the two is known for one moment and may have grown at a largest rate since. Whoever reports
a higher price is not believed. A ceiling whose ratio was held back while its moment was not lies below the
market, and liquidates those who have the asset as collateral.

References
----------
.. [1] Aave, PriceCapAdapterBase: the ratio of a snapshot, its time, and a largest yearly growth.
.. [2] Aave forum, post-mortem of 10 March 2026.
"""

import numpy as np

from protocol.arithmetic import PPM
from protocol.book import Floats, Ints
from protocol.parameters import RiskParameters
from protocol.prices.oracle import LARGEST_PRICE

YEAR = 365 * 86_400.0


def ceilings(parameters: RiskParameters, reported: Ints, lot: Floats | float, time: float) -> Ints:
    """Highest price of each market's asset, (m,) [micro-USD per lot]; LARGEST_PRICE where there is none.

    Parameters
    ----------
    parameters : RiskParameters
        `cap_base`, `cap_ratio`, `cap_time` and `cap_growth`.
    reported : (m,) int64
        What feeds report [micro-USD per lot].
    lot : (m,) float64 or float
        Size of each market's lot [base unit]; ratios are between whole units.
    time : float
        Now [s]; before `cap_time` nothing has grown yet.
    """
    base, capped = np.maximum(parameters.cap_base, 0), parameters.cap_base >= 0
    price = reported / lot
    years = np.maximum(time - parameters.cap_time, 0.0) / YEAR
    ratio = parameters.cap_ratio / PPM * (1.0 + parameters.cap_growth / PPM * years)
    highest = np.clip(np.floor(price[base] * ratio * lot), 1.0, float(LARGEST_PRICE)).astype(np.int64)
    return np.where(capped, highest, LARGEST_PRICE)
