"""A sweep in words: its plan, its points, its failures."""

import io

import pandas as pd
import pytest
from rich.console import Console

from analysis.sweep_tables import failure_lines, plan_lines, points_table, short_names
from analysis.terminal import told
from sim.sweeps.plan import Plan
from sim.sweeps.results import SweepResults
from sim.sweeps.sweep import SweepProgress

MANIFEST = {
    "name": "funds",
    "axes": ["protocol.insurance_fund"],
    "seeds": [1, 2],
    "metrics": {"liquidated_usd": {"label": "Liquidated", "unit": "USD"}},
}


def results(statuses: list[str], errors: list[str]) -> SweepResults:
    funds = [0, 0, 1_000_000, 1_000_000]
    runs = pd.DataFrame(
        {
            "point": [0, 0, 1, 1],
            "protocol.insurance_fund": funds,
            "seed": [1, 2, 1, 2],
            "status": statuses,
            "error": errors,
            "liquidated_usd": [1e6, 3e6, 5e6, float("nan")],
        }
    )
    points = pd.DataFrame({"point": [0, 1], "protocol.insurance_fund": [0, 1_000_000]})
    return SweepResults("runs/funds", MANIFEST, points, runs)


def printed(found: SweepResults) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(points_table(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return " ".join(text.split())


def test_a_plan_says_what_would_run_where_and_for_how_long() -> None:
    lines = list(plan_lines(Plan(9, 64, 576, 120, 4.0, 2, 1_400_000)))

    assert "runs      576, of which 120 are stored already" in lines
    assert "workers   2 workers on Ray" in lines
    assert "time      about 15\N{NO-BREAK SPACE}m\N{NO-BREAK SPACE}20\N{NO-BREAK SPACE}s" in lines
    assert "disk      about 1.4 MB" in lines


def test_a_plan_without_workers_stays_in_this_process() -> None:
    lines = list(plan_lines(Plan(1, 4, 4, 0, 0.05, 0, 900)))

    assert "workers   in this process" in lines
    assert "disk      about 900 bytes" in lines


def test_the_table_holds_the_means_of_what_is_done_at_each_point() -> None:
    text = printed(results(["done", "done", "done", "failed"], ["", "", "", "boom"]))

    assert "insurance_fund runs Liquidated" in text
    assert "0 2 $2.00M" in text
    assert "1000000 1 $5.00M" in text


def test_failures_are_counted_by_error_with_a_run_to_look_at() -> None:
    lines = list(
        failure_lines(results(["done", "failed", "failed", "lost"], ["", "boom\nmore", "boom\nmore", "gone"]))
    )

    assert lines[0] == "3 of 4 runs failed; they are run again next time"
    assert lines[1] == "  2 failed: boom (point 0, seed 2)"
    assert lines[2] == "  1 lost: gone (point 1, seed 2)"


def test_nothing_is_said_when_nothing_failed() -> None:
    assert list(failure_lines(results(["done"] * 4, [""] * 4))) == []


@pytest.mark.parametrize(
    ("paths", "short"),
    [
        (["protocol.insurance_fund", "policy"], ["insurance_fund", "policy"]),
        (["m.BTC.initial_margin", "m.ETH.initial_margin"], ["BTC.initial_margin", "ETH.initial_margin"]),
        (["a.x", "b.x", "a.y"], ["a.x", "b.x", "y"]),
        ([], []),
    ],
)
def test_names_are_as_short_as_they_can_be_told_apart(paths: list[str], short: list[str]) -> None:
    assert short_names(paths) == short


def test_progress_names_runs_failures_rate_time_left_and_workers() -> None:
    text = told(SweepProgress(310, 2, 576, 1.9, 139.0, 2, "running")).replace("\N{NO-BREAK SPACE}", " ")

    assert text == "312 of 576 runs, 2 failed, 1.9/s, 2 m 19 s left, 2 workers"


def test_progress_before_the_first_run_knows_no_rate() -> None:
    assert told(SweepProgress(0, 0, 1, 0.0, float("nan"), 0, "starting Ray")) == "0 of 1 run"
