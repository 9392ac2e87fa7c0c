"""Trials: numbers of attacks over seeds by hand, and a small one that is run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.attacks.catalogue import AttackCase, SuccessRule
from analysis.attacks.page import lines, money, verdicts, write_attacks
from analysis.attacks.trials import Trials, guarded, least_guards, summarised, trials

CASE = AttackCase.model_validate(
    {
        "scenario": "governance_key_theft",
        "success": {"number": "executed"},
        "hole": ("clock.duration=4d",),
        "guards": {"four of five": ("governance.steward.approvals=4",)},
    }
)
SWEPT = AttackCase.model_validate(
    {"scenario": "calm", "swept": {"path": "governance.governor.quorum", "values": (1, 2, 3)}}
)


def rows(profits: list[float], arm: str = "hole", detection: float = np.nan) -> pd.DataFrame:
    """Runs of one attack and arm, that succeed where they profit."""
    frame = pd.DataFrame({"attack": "a", "arm": arm, "seed": range(len(profits)), "profit": profits})
    return frame.assign(
        success=frame["profit"] > 0,
        shift=1.0,
        cost=1.0,
        loss=2.0,
        detection=[detection, *[np.nan] * (len(profits) - 1)],
    )


def test_success_has_wilsons_interval_and_profit_students() -> None:
    found = summarised(rows([10.0, 20.0, 30.0, -20.0], detection=60.0), [("a", "hole")]).iloc[0]

    assert found["success"] == 0.75
    assert (found["success_low"], found["success_high"]) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert found["profit"] == 10.0
    assert found["profit_high"] - 10 == pytest.approx(
        3.1824 * np.std([10, 20, 30, -20], ddof=1) / 2, rel=1e-4
    )
    assert found["profit_most"] == 30.0
    assert (found["noticed"], found["detection"]) == (0.25, 60.0)


@pytest.mark.parametrize(
    ("paying", "least"),
    [((), "quorum 1"), ((1,), "quorum 2"), ((1, 2), "quorum 3"), ((2,), "quorum 3"), ((3,), "")],
)
def test_the_least_guard_is_the_one_from_which_on_it_never_pays(paying: tuple[int, ...], least: str) -> None:
    parts = [rows([5.0 if value in paying else -5.0] * 3, f"quorum {value}") for value in (1, 2, 3)]

    assert least_guards({"a": SWEPT}, pd.concat(parts)) == {"a": least}


def test_an_attack_on_a_margin_does_not_pay_where_the_margin_stays() -> None:
    case = SWEPT.model_copy(update={"success": SuccessRule(number="shift", above=1.25)})
    parts = [rows([5.0, 5.0], f"quorum {value}").assign(shift=shift) for value, shift in ((1, 1.5), (2, 1.1))]

    assert least_guards({"a": case}, pd.concat(parts)) == {"a": "quorum 2"}


@pytest.mark.parametrize(
    ("usd", "told"),
    [(19_945_857.0, "19.9 M"), (-51_663.0, "−51.7 k"), (0.2, "0"), (999_600.0, "1.00 M"), (np.nan, "")],
)
def test_money_has_three_figures(usd: float, told: str) -> None:
    assert money(usd) == told


@pytest.fixture(scope="module")
def stolen() -> Trials:
    return trials({"theft": CASE}, (1, 2), workers=0)


def test_the_same_seeds_meet_the_hole_and_its_guard(stolen: Trials) -> None:
    assert stolen.rows[["arm", "seed"]].to_numpy().tolist() == [
        ["hole", 1], ["hole", 2], ["four of five", 1], ["four of five", 2]
    ]  # fmt: skip
    assert guarded(stolen.summary, "theft")["success"] == 1.0
    assert guarded(stolen.summary, "theft", "four of five")["success"] == 0.0
    assert guarded(stolen.summary, "theft")["loss"] > 19e6
    assert not stolen.failures


def test_files_hold_what_was_found(stolen: Trials, tmp_path: Path) -> None:
    write_attacks(stolen, tmp_path / "new")
    told = json.loads((tmp_path / "new" / "attacks.json").read_text())
    text = (tmp_path / "new" / "attacks.md").read_text()

    assert len(pd.read_parquet(tmp_path / "new" / "attacks.parquet")) == 4
    assert told["summary"][0]["success"] == 1.0
    assert told["summary"][1]["detection"] is None
    assert "| theft | four of five | 0 % (0–66) |" in text
    assert len(lines(stolen.summary)) == 2


def test_a_run_that_fails_is_a_line_and_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, scenario: object, seed: int) -> dict[str, float]:
        raise RuntimeError(f"seed {seed}")

    monkeypatch.setattr("analysis.attacks.trials.reduce_attack", broken)
    found = trials({"theft": CASE}, (1,), workers=0)

    assert found.failures == (
        "theft|hole:1  RuntimeError: seed 1",
        "theft|four of five:1  RuntimeError: seed 1",
    )
    assert found.rows.empty
    assert verdicts(found) == []
