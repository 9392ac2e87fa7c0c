"""What the accounts of a campaign send: two-sided quotes, orders sane and insane, and offers of keepers."""

import numpy as np
from campaign_world import Crowd

from protocol.arithmetic import MICRO
from protocol.book import Book, Ints
from protocol.liquidations.keepers import Offers
from protocol.orders import IMMEDIATE, POST_ONLY, REST, Orders, join, orders

COUNT = 12
LARGEST = 1e7
INSANE = 1_000.0
QUOTE_BLOCKS = 3


def quotes(rng: np.random.Generator, makers: Ints, equity: Ints, price: Ints, block: int) -> Orders:
    """A bid and an offer of every maker in every market, around the outside price, (m,)."""
    owner, market = np.repeat(makers, len(price)), np.tile(np.arange(len(price)), len(makers))
    gap = rng.uniform(0.0005, 0.02, len(owner))
    lots = np.maximum(equity[owner], 0) // (2 * price[market])
    bid, ask = np.floor(price[market] * (1 - gap)), np.ceil(price[market] * (1 + gap))
    expiry = block + QUOTE_BLOCKS
    return join(
        [
            orders(owner, market, lots, bid.astype(np.int64), kind=POST_ONLY, expiry=expiry),
            orders(owner, market, -lots, ask.astype(np.int64), kind=POST_ONLY, expiry=expiry),
        ]
    )


def wishes(rng: np.random.Generator, book: Book, equity: Ints, first: int, block: int) -> Orders:
    """Orders of anybody from `first` on: some close, some are far too large, some can never fill."""
    account = rng.integers(first, len(book.cash), COUNT)
    market = rng.integers(0, len(book.oracle), COUNT)
    price = book.oracle[market]
    size = wanted_lots(rng, equity[account], price, book.size[market, account])
    spread = rng.normal(0.0, 0.01, COUNT) * np.where(rng.random(COUNT) < 0.1, 100.0, 1.0)
    limit = np.maximum(price * np.exp(np.clip(spread, -7.0, 7.0)), 1.0)
    return Orders(
        account,
        market,
        size,
        np.where(rng.random(COUNT) < 0.5, 0, limit.astype(np.int64)),
        rng.choice([REST, IMMEDIATE, POST_ONLY], COUNT, p=[0.2, 0.7, 0.1]),
        rng.random(COUNT) < 0.15,
        block + rng.integers(0, 20, COUNT),
        rng.integers(0, 3, COUNT),
        np.zeros(COUNT, np.int64),
    )


def wanted_lots(rng: np.random.Generator, equity: Ints, price: Ints, held: Ints) -> Ints:
    """Sizes by leverage, one in twenty a thousand times that; one in three goes against what is held."""
    leverage = rng.exponential(8.0, COUNT) * np.where(rng.random(COUNT) < 0.05, INSANE, 1.0)
    size = rng.choice([-1, 1], COUNT) * np.minimum(np.maximum(equity, MICRO) / price * leverage, LARGEST)
    size = np.where(rng.random(COUNT) < 0.3, -held * rng.choice([0.5, 1.0, 2.0], COUNT), size)
    lots: Ints = size.astype(np.int64)
    return np.where(lots == 0, 1, lots)


def offers(rng: np.random.Generator, crowd: Crowd, gas_price: float) -> Offers:
    """What the keepers ask for; some tolerate less than the gas price of the block."""
    count = len(crowd.keepers)
    return Offers(
        account=crowd.keepers,
        tolerance=gas_price * rng.uniform(0.7, 2.0, count),
        slippage=np.full(count, 500),
        capital_cost=np.full(count, 500),
        ticket=rng.integers(0, 2**31, count),
    )
