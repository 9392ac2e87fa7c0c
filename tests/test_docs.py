"""The code in the documentation runs as printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "docs/tutorial.md",
    "docs/sweeps.md",
    "docs/world.md",
    "docs/regimes.md",
    "docs/calibration.md",
    "docs/engine.md",
    "docs/governance.md",
    "docs/governance-people.md",
    "docs/governance-attacks.md",
    "docs/cascades.md",
    "docs/tails.md",
    "docs/fairness.md",
    "README.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), scope)

    assert blocks
    if page == "docs/tutorial.md":
        printed = capsys.readouterr().out
        assert "fundamental paths are equal: True" in printed
        assert "--set" in printed
        assert "maintenance_margin <= initial_margin must hold" in printed


def test_the_sweep_of_the_page_on_sweeps_is_valid(tmp_path: Path) -> None:
    from sim.sweeps.study import load_study

    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "sweeps.md").read_text(), flags=re.DOTALL)
    assert text is not None
    file = tmp_path / "margin_and_fund.yaml"
    file.write_text(text[1].replace("../black_thursday.yaml", "black_thursday"))
    study = load_study(file)

    assert (len(study.points), len(study.seeds)) == (9, 64)


def test_the_scenario_in_the_readme_is_valid(tmp_path: Path) -> None:
    from sim.scenario import load_scenario

    text = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert text is not None
    file = tmp_path / "my_crash.yaml"
    file.write_text(text[1].replace("base.yaml", str(ROOT / "scenarios" / "base.yaml")))
    scenario = load_scenario(file)

    assert [type(shock).__name__ for shock in scenario.shocks] == [
        "PriceJump",
        "GasSpike",
        "LiquidityWithdrawal",
        "OracleStall",
    ]
