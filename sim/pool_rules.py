"""From a scenario's settings to the numbers of an oracle-priced pool with price impact."""

import numpy as np

from protocol.book import Ints
from protocol.venues.impact import PoolParameters
from sim.liquidation_settings import CloseSettings
from sim.venue_rules import integers, micro, ppm
from sim.venue_settings import ProtocolSettings


def pool_parameters(settings: ProtocolSettings) -> PoolParameters:
    """The numbers of each market's pool, as the venue starts with them."""
    markets = list(settings.markets.values())
    pools = [market.pool for market in markets]
    venue, liquidation, adl = settings.venue, settings.liquidation, settings.adl
    closes = liquidation if isinstance(liquidation, CloseSettings) else CloseSettings(kind="closes")

    def everywhere(value: int) -> Ints:
        return np.full(len(markets), value, np.int64)

    return PoolParameters(
        factor_negative=np.array([pool.negative_factor for pool in pools]),
        factor_positive=np.array([pool.positive_factor for pool in pools]),
        exponent_negative=np.array([pool.negative_exponent for pool in pools]),
        exponent_positive=np.array([pool.positive_exponent for pool in pools]),
        cap_negative=integers([ppm(pool.max_negative) for pool in pools]),
        cap_positive=integers([ppm(pool.max_positive) for pool in pools]),
        liquidation_impact=everywhere(ppm(closes.max_impact)),
        lendable_share=integers([ppm(pool.lendable_share) for pool in pools]),
        lendable_maximum=integers([micro(pool.lendable) for pool in pools]),
        underlying=np.arange(len(markets)),
        spread=integers([ppm(pool.spread) for pool in pools]),
        fee_worsens=everywhere(ppm(settings.fees.taker)),
        fee_improves=everywhere(ppm(settings.fees.maker)),
        liquidation_fee=everywhere(ppm(closes.fee)),
        receiver_share=everywhere(ppm(1 - venue.pool_fee_share)),
        long_share=integers([ppm(pool.long_share) for pool in pools]),
        interest_cap=integers([micro(pool.max_open_interest) for pool in pools]),
        reserve=integers([ppm(pool.reserve_factor) for pool in pools]),
        gain_cap=everywhere(ppm(venue.max_gains)),
        gain_deposits=everywhere(ppm(venue.max_gains_for_entry)),
        gain_exits=everywhere(ppm(venue.max_gains_for_exit)),
        gain_trigger=everywhere(ppm(adl.pool_trigger)),
        gain_target=everywhere(ppm(adl.pool_target)),
    )
