"""Metrics of governance, each against a count by hand."""

import numpy as np
import pandas as pd
import pytest
from test_metrics import HALF_HOUR, _tables

from sim.metrics import summarise

START = pd.Timestamp("2024-01-01", tz="UTC")


def at(*hours: float) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([START + pd.Timedelta(hours=hour) for hour in hours])


def governed() -> dict[str, pd.DataFrame]:
    """Four blocks of half an hour in which five things were proposed."""
    tables = _tables()
    tables["proposals"] = pd.DataFrame(
        {
            "state": ["executed", "executed", "expired", "cancelled", "rejected"],
            "truncated": [1, 0, 2, 0, 0],
            "published": at(0, 1, 1, 1, 1),
            "ended": at(0.5, 2.5, 2, 2, 2),
            "turnout": [0.2, np.nan, 0.4, np.nan, np.nan],
        }
    )
    tables["governance"] = pd.DataFrame({"proposal": [0, -1, 1, -1]})
    tables["parameters"] = pd.DataFrame(
        {
            "block": [0, 1, 2, 3, 4],
            "time": at(0, 0.5, 1, 30, 30.5),
            "market": ["BTC"] * 5,
            "parameter": ["maintenance_margin"] * 5,
            "old": [np.nan, 0.02, 0.03, 0.025, 0.03],
            "new": [0.02, 0.03, 0.025, 0.03, 0.028],
        }
    )
    return tables


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("proposals", 5),
        ("proposals_executed_share", 0.4),
        ("proposals_expired_share", 0.2),
        ("proposals_cancelled_share", 0.2),
        ("proposals_rejected_share", 0.2),
        ("clamp_binding_share", 0.4),
        ("execution_delay_seconds", (1800 + 5400) / 2),
        ("whipsaws", 2),  # the third change also turned back, but a day and more after the second
        ("turnout", 0.3),
        ("guardian_acts", 2),
    ],
)
def test_a_metric_agrees_with_the_count_by_hand(metric: str, by_hand: float) -> None:
    assert summarise(governed(), ["BTC"], HALF_HOUR)[metric] == pytest.approx(by_hand)


def followed(margin: list[float]) -> dict[str, pd.DataFrame]:
    """Eight blocks: a wild regime begins with the fourth and the engine wants 4 % instead of 2 % at once."""
    tables = _tables()
    times = at(*np.arange(0.5, 4.5, 0.5))
    grid = {"block": np.arange(1, 9), "time": times}
    markets = tables["markets"].iloc[[0] * 8].reset_index(drop=True)
    tables["markets"] = markets.assign(**grid, maintenance_margin=margin)
    blocks = tables["blocks"].iloc[[0] * 8].reset_index(drop=True)
    tables["blocks"] = blocks.assign(**grid, regime=[0, 0, 0, 1, 1, 1, 1, 1])
    wanted = {"time": times, "market": "BTC", "parameter": "maintenance"}
    tables["decisions"] = pd.DataFrame(wanted | {"target": [0.02] * 3 + [0.04] * 5})
    return tables


@pytest.mark.parametrize(
    ("margin", "hours"),
    [
        ([0.02] * 3 + [0.04] * 5, 0.5),
        ([0.02] * 5 + [0.04] * 3, 1.5),
        ([0.02] * 4 + [0.028, 0.031, 0.04, 0.04], 1.5),
        ([0.02] * 8, 2.5),
    ],
    ids=["at_once", "an_hour_late", "step_by_step", "never"],
)
def test_the_margin_has_followed_a_regime_when_it_is_half_way(margin: list[float], hours: float) -> None:
    summary = summarise(followed(margin), ["BTC"], HALF_HOUR)

    assert summary["parameter_latency_seconds_BTC"] == pytest.approx(hours * 3600)


def test_the_distance_from_the_target_is_counted_on_both_sides() -> None:
    summary = summarise(followed([0.03] * 3 + [0.03] * 5), ["BTC"], HALF_HOUR)

    assert summary["under_margin_BTC"] == pytest.approx(0.01 * 5 / 8)
    assert summary["over_margin_BTC"] == pytest.approx(0.01 * 3 / 8)


def test_a_run_in_which_nobody_proposes_has_none_of_these_metrics() -> None:
    summary = summarise(_tables(), ["BTC"], HALF_HOUR)

    for metric in ("proposals", "whipsaws", "turnout", "guardian_acts", "parameter_latency_seconds_BTC"):
        assert summary[metric] is None
