"""Who pushed whom: small worlds whose causes are known by hand."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from analysis.cascades import Anatomy, Impact, anatomy_of
from analysis.critical_accounts import influence, suspects
from analysis.waves import reproduction

START = pd.Timestamp("2024-01-01T00:00:00Z")
LASTING = Impact(permanent=1.0, half_life=600.0)


class Crash:
    """A crash told by hand: who falls when, at which mark, and what is sold of it."""

    def __init__(self, names: tuple[str, ...] = ("BTC",), blocks: int = 5) -> None:
        self.names, self.blocks = names, blocks
        self.failures: list[dict[str, object]] = []
        self.liquidations: list[dict[str, object]] = []
        self.forced = {name: np.zeros(blocks) for name in names}

    def falls(
        self, account: int, block: int, number: int, equity: float, *positions: tuple[str, float, float]
    ) -> None:
        """An account with these positions (market, size, mark) falls; maintenance is 5 % of notional."""
        needed = 0.05 * sum(abs(size * mark) for _, size, mark in positions)
        for market, size, mark in positions:
            row = {"block": block, "round": number, "account": account, "market": market, "size": size}
            more = {"mark": mark, "oracle": mark, "equity": equity, "maintenance": needed, "role": "retail"}
            self.failures.append(row | more | {"time": self.time(block)})

    def sells(self, account: int, block: int, number: int, market: str, size: float, mark: float) -> None:
        """So much of an account is sold, at its mark; negative is bought back."""
        row = {"block": block, "round": number, "account": account, "market": market, "filled": -size}
        self.liquidations.append(row | {"notional_usd": abs(size) * mark, "mark": mark})

    @staticmethod
    def time(block: int) -> pd.Timestamp:
        return START + pd.Timedelta(minutes=block)

    def anatomy(self) -> Anatomy:
        markets = pd.DataFrame(
            {"block": block + 1, "market": name, "forced_impact": impact}
            for name in self.names
            for block, impact in enumerate(self.forced[name])
        )
        liquidations = pd.DataFrame(
            self.liquidations,
            columns=["block", "round", "account", "market", "filled", "notional_usd", "mark"],
        )
        tables = {"failures": pd.DataFrame(self.failures), "liquidations": liquidations, "markets": markets}
        return anatomy_of(tables, self.names, 60, LASTING)


def chain() -> Anatomy:
    """In one block 1 falls by itself, its sale fells 2, that one's fells 3; the mark goes 100, 96, 90."""
    crash = Crash()
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.falls(2, 1, 1, 200.0, ("BTC", 50.0, 96.0))
    crash.sells(2, 1, 1, "BTC", 50.0, 96.0)
    crash.falls(3, 1, 2, 80.0, ("BTC", 20.0, 90.0))
    crash.sells(3, 1, 2, "BTC", 20.0, 90.0)
    return crash.anatomy()


def star() -> Anatomy:
    """1 falls by itself; what its hedge does to the outside price fells 2, 3 and 4 two blocks later."""
    crash = Crash()
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.forced["BTC"][2:] = -0.05
    for account in (2, 3, 4):
        crash.falls(account, 3, 0, 40.0, ("BTC", 10.0, 95.0))
        crash.sells(account, 3, 0, "BTC", 10.0, 95.0)
    return crash.anatomy()


def test_a_chain_has_one_account_in_each_generation() -> None:
    found = chain()

    assert found.failures["cause"].tolist() == [-1, 0, 1]
    assert found.failures["generation"].tolist() == [0.0, 1.0, 2.0]
    assert found.volume[:3].tolist() == [10_000.0, 4_800.0, 1_800.0]
    np.testing.assert_allclose(reproduction(found.volume)[:2], [0.48, 0.375])
    assert found.endogenous_share == pytest.approx(6_600 / 16_600)


def test_who_would_have_fallen_by_the_first_push_too_is_shared_by_both() -> None:
    crash = Crash()
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.falls(2, 1, 1, 200.0, ("BTC", 50.0, 96.0))
    crash.sells(2, 1, 1, "BTC", 50.0, 96.0)
    crash.falls(3, 1, 2, -50.0, ("BTC", 20.0, 90.0))  # 20 · (96 − 90) does not lift it to 96, all of it does
    found = crash.anatomy()
    shares = found.falls[found.falls["failure"] == 2].set_index("move")["share"]
    first, second = 1 - np.exp(np.log(0.96)), 1 - 90 / 96

    assert shares.to_dict() == pytest.approx({0: first / (first + second), 1: second / (first + second)})
    assert found.failures["generation"].iloc[2] == pytest.approx(1 + shares[1])


def test_a_star_has_one_centre() -> None:
    found = star()

    assert found.failures["cause"].tolist() == [-1, 0, 0, 0]
    assert reproduction(found.volume)[0] == pytest.approx(3 * 950 / 10_000)
    assert set(found.falls["channel"]) == {"outside"}


def test_the_graph_goes_from_liquidation_to_price_to_liquidation() -> None:
    graph = star().graph()
    moves = [node for node in graph if node[0] == "move"]

    assert nx.is_directed_acyclic_graph(graph)
    assert nx.descendants(graph, ("failure", 0)) == {*moves, *(("failure", i) for i in (1, 2, 3))}
    assert graph.in_degree(("failure", 1)) == 1
    assert graph.nodes[("failure", 0)]["account"] == 1


def test_a_fall_that_the_world_alone_would_have_made_has_no_cause() -> None:
    crash = Crash()
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.forced["BTC"][2:] = -0.05
    crash.falls(2, 3, 0, -200.0, ("BTC", 10.0, 95.0))  # 150 would not have been enough
    crash.falls(3, 3, 0, 10.0, ("BTC", -10.0, 95.0))  # a short, whom the fall helps
    found = crash.anatomy()

    assert found.failures["endogenous"].tolist() == [False, False, False]
    assert found.endogenous_share == 0.0
    assert len(found.falls) == 0


def test_without_impact_every_account_is_of_the_generation_of_the_world() -> None:
    crash = Crash()
    for account, block in ((1, 1), (2, 2), (3, 3)):
        crash.falls(account, block, 0, 40.0, ("BTC", 10.0, 100.0 - block))
        crash.sells(account, block, 0, "BTC", 10.0, 100.0 - block)
    found = crash.anatomy()

    assert reproduction(found.volume)[0] == 0.0
    assert found.generations[:, 0].tolist() == [1.0, 1.0, 1.0]


def test_a_cause_reaches_another_market_through_an_account_that_holds_both() -> None:
    crash = Crash(("BTC", "ETH"))
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.forced["BTC"][2:] = -0.05
    crash.falls(2, 3, 0, 50.0, ("BTC", 10.0, 95.0), ("ETH", 10.0, 50.0))
    crash.sells(2, 3, 0, "ETH", 10.0, 50.0)
    crash.forced["ETH"][4:] = -0.04
    crash.falls(3, 5, 0, 20.0, ("ETH", 10.0, 48.0))
    found = crash.anatomy()

    assert found.failures["cause"].tolist() == [-1, 0, 1]
    third = found.falls[found.falls["failure"] == 2]
    assert found.moves.loc[third["move"], "market"].tolist() == ["ETH"]


def test_a_fresh_push_counts_for_more_than_one_that_has_faded() -> None:
    crash = Crash(blocks=40)
    crash.falls(1, 1, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(1, 1, 0, "BTC", 100.0, 100.0)
    crash.falls(2, 30, 0, 400.0, ("BTC", 100.0, 100.0))
    crash.sells(2, 30, 0, "BTC", 100.0, 100.0)
    crash.forced["BTC"][30:] = -0.05
    crash.falls(3, 32, 0, 5.0, ("BTC", 10.0, 95.0))  # without the second push it would still fall
    found = anatomy_fading(crash)
    shares = found.falls.set_index("move")["share"]

    age = 31 * 60.0
    old, new = 0.3 + 0.7 * 0.5 ** (age / 600), 0.3 + 0.7 * 0.5 ** (120 / 600)
    lost = [-np.expm1(-0.05 * each / (old + new)) for each in (old, new)]
    assert shares[0] == pytest.approx(lost[0] / sum(lost))
    assert found.failures["cause"].tolist()[-1] == 1


def anatomy_fading(crash: Crash) -> Anatomy:
    """With an impact of which three tenths stay."""
    markets = pd.DataFrame(
        {"block": block + 1, "market": "BTC", "forced_impact": impact}
        for block, impact in enumerate(crash.forced["BTC"])
    )
    tables = {"failures": pd.DataFrame(crash.failures), "liquidations": pd.DataFrame(crash.liquidations)}
    return anatomy_of(tables | {"markets": markets}, ("BTC",), 60, Impact(0.3, 600.0))


def test_influence_is_the_volume_that_went_through_an_account() -> None:
    found = chain()

    assert influence(found).tolist() == [16_600.0, 6_600.0, 1_800.0]
    assert suspects(found, 2)["account"].tolist() == [1, 2]


def test_the_centre_of_a_star_answers_for_all_of_it() -> None:
    found = star()

    assert influence(found)[0] == pytest.approx(found.volume.sum())
