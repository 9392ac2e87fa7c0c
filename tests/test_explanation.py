"""Explaining and branching a finished run, as a user does it; what fails is told."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_folder import write_run_folder
from small import crash
from typer.testing import CliRunner

from analysis.attribution import WORLD
from analysis.cause_words import cause_rows
from analysis.critical_accounts import without_each
from analysis.explanation import Explanation, explain, explanation_tables, sentences, write_explanation
from analysis.report import write_report
from seawall import app
from sim.problems import ScenarioError
from sim.run import run
from sim.store import write_run
from sim.streams import stream

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "crash"
    write_run(run(crash("agents.retail.accounts=300", "clock.duration=90m"), 7), place)
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> Explanation:
    return explain(folder, seeds=1, accounts=2, workers=0)


def test_the_shares_of_causes_add_up_to_what_was_lost(found: Explanation) -> None:
    shares = found.attribution.shares
    losses = shares[shares["outcome"] == "bad_debt_gross_usd"]

    assert losses["value"].sum() == pytest.approx(found.run.summary["bad_debt_gross_usd"])
    assert set(losses["cause"]) == {"impact", "fund", WORLD}


def test_cascades_hold_every_failure_once(found: Explanation) -> None:
    cascades, failures = found.cascades, found.anatomy.failures

    assert cascades["failures"].sum() == len(failures) > 50
    assert cascades["liquidated_usd"].sum() == pytest.approx(failures["liquidated_usd"].sum())
    assert (cascades["begin"].iloc[1:].to_numpy() > cascades["end"].iloc[:-1].to_numpy()).all()
    assert (cascades["endogenous"].dropna() > 0).any()


def test_each_world_tells_its_own_endogenous_share_and_the_sizes_of_its_cascades(found: Explanation) -> None:
    row = found.attribution.cascades.iloc[0]

    assert row["endogenous_share"] == pytest.approx(found.anatomy.endogenous_share)
    assert row["reproduction"] == pytest.approx(found.anatomy.volume[1] / found.anatomy.volume[0])
    np.testing.assert_allclose(found.attribution.sizes, found.cascades["liquidated_usd"])


def test_sizes_over_worlds_are_told_where_there_are_enough(found: Explanation) -> None:
    worlds = pd.DataFrame({"seed": [1, 2], "endogenous_share": [0.4, 0.6], "reproduction": [0.3, 0.5]})
    sizes = stream(1, "sizes").pareto(1.5, 400) + 1
    many = replace(found, attribution=replace(found.attribution, cascades=worlds, sizes=1e4 * sizes))
    few = replace(found, attribution=replace(found.attribution, cascades=worlds, sizes=sizes[:20]))

    assert "caused 50" in sentences(many)[1]
    assert "R0 is 0.40 [" in sentences(many)[1]
    assert "follow a power law of exponent 2." in sentences(many)[2]
    assert not any("power law" in line for line in sentences(few))


def test_what_an_absence_saves_is_the_difference_of_two_runs(found: Explanation) -> None:
    row = found.accounts.iloc[0]
    without = crash(
        "agents.retail.accounts=300", "clock.duration=90m", f"agents.absent=[{int(row['account'])}]"
    )

    assert row["without_liquidated_usd"] == run(without, 7).summary["liquidated_usd"]
    assert row["saves_liquidated_usd"] == pytest.approx(
        found.run.summary["liquidated_usd"] - row["without_liquidated_usd"]
    )


def test_an_account_that_was_liquidated_is_not_when_it_is_absent(found: Explanation) -> None:
    account = int(found.accounts["account"].iloc[0])
    scenario = crash("agents.retail.accounts=300", "clock.duration=90m", f"agents.absent=[{account}]")

    assert account in set(found.run.liquidations["account"])
    assert account not in set(run(scenario, 7).tables["liquidations"]["account"])


def test_only_a_trader_can_be_absent() -> None:
    with pytest.raises(ScenarioError, match=r"an account of a trader is one of \d+ to \d+"):
        crash("agents.absent=[0]")


def test_runs_that_fail_are_told_and_leave_gaps() -> None:
    upward = ", ".join(["{at: 5m, kind: price_jump, size: 10}"] * 14)
    scenario = crash("agents.retail.accounts=300", "clock.duration=10m", f"shocks=[{upward}]")
    table, failures = without_each(scenario, 7, [20, 21], workers=0)

    assert table["account"].tolist() == [20, 21]
    assert table.drop(columns="account").isna().to_numpy().all()
    assert len(failures) == 3


def test_what_was_found_is_told(found: Explanation) -> None:
    told = sentences(found)

    assert "fell below maintenance" in told[0]
    assert told[-1].startswith("Of $")
    assert [table.row_count > 0 for table in explanation_tables(found)] == [True, True, True]


def test_the_commands_explain_a_run_and_branch_from_it(folder: Path, tmp_path: Path) -> None:
    words = ["explain", str(folder), "--seeds", "1", "--accounts", "0", "--cause", "impact", "--workers", "0"]
    done = RUNNER.invoke(app, [*words, "--out", str(tmp_path / "why")])

    assert done.exit_code == 0, done.output
    assert "because liquidations move prices" in done.output
    assert {"cascades.csv", "attribution.csv", "falls.parquet"} <= {
        file.name for file in (tmp_path / "why").iterdir()
    }
    target = tmp_path / "branch"
    change = "protocol.markets.BTC.maintenance_margin=0.02"
    parted = RUNNER.invoke(app, ["branch", str(folder), "--at", "30m", "--set", change, "--out", str(target)])

    assert parted.exit_code == 0, parted.output
    assert "The same world up to " in parted.output
    assert {"branch.csv", "branch.png", "report.html"} <= {file.name for file in target.iterdir()}
    drawn = re.findall(r'class="mark-line.*?\bd="([^"]*)"', (target / "branch.svg").read_text())
    assert [path.count("L") > 10 for path in drawn] == [True] * 4
    table = pd.read_csv(target / "branch.csv").set_index("metric")
    np.testing.assert_allclose(table["difference"], table["branch"] - table["base"])


def test_the_report_tells_what_explain_has_found(found: Explanation, tmp_path: Path) -> None:
    folder = tmp_path / "crash"
    shutil.copytree(found.run.folder, folder)
    before = write_report(folder).read_text(encoding="utf-8")
    write_explanation(found, folder / "explained")
    page = write_report(folder).read_text(encoding="utf-8")
    label, value, _ = cause_rows(found.attribution.shares, found.run.names)[1]

    assert "What it is due to" not in before
    assert "What it is due to" in page
    assert label.strip() in page
    assert value in page
    (folder / "explained" / "attribution.csv").write_text("outcome,cause\nx,luck\n")
    with pytest.raises(ScenarioError, match="must be of this version"):
        write_report(folder)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["explain", "RUN", "--cause", "luck"], "a cause is one of impact, reaction, delay, fund"),
        (["explain", "nowhere"], "manifest.json is missing"),
        (["branch", "RUN", "--at", "soon"], "a duration is a number and a unit"),
        (["branch", "RUN", "--at", "9h"], "--at must lie within the run"),
        (["branch", "RUN", "--at", "30m", "--set", "agents.retail.accounts=5"], "a branch may change"),
        (["critical", "base", "--at", "99d"], "at must lie within clock.duration"),
        (["critical", "base", "--market", "DOGE"], "no such market"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(folder: Path, tmp_path: Path, words, rule: str) -> None:
    given = [str(folder) if word == "RUN" else word for word in words]
    done = RUNNER.invoke(app, [*given, "--out", str(tmp_path / "out")])

    assert done.exit_code == 2
    assert rule in done.output
    assert not (tmp_path / "out").exists()


def test_a_run_of_another_version_is_refused(tmp_path: Path) -> None:
    made_up = write_run_folder(tmp_path / "old")
    with pytest.raises(ScenarioError, match="must have been made by this version"):
        explain(made_up, workers=0)
