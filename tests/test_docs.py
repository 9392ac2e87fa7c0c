"""The code in the documentation runs as printed."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import seawall

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
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
DOCS = sorted(file.name for file in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), scope)

    assert blocks


@pytest.mark.slow
def test_the_tutorial_does_and_says_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tutorial.md").read_text()
    said, quoted, scope = "", [], {}
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE):
        match kind:
            case "yaml":
                Path(block.splitlines()[0].removeprefix("# ")).write_text(block)
            case "text":
                quoted += block.splitlines()
            case "python":
                exec(compile(block, "tutorial", "exec"), scope)
            case _:
                said += "".join(spoken(line) for line in block.replace("\\\n", "").splitlines())
    said += "".join(each.read_text() for each in tmp_path.rglob("comparison.md"))
    said = said.replace("\N{NO-BREAK SPACE}", " ")

    assert len(quoted) > 5
    assert [line for line in quoted if line not in said] == []
    assert "fundamental paths are equal: True" in capsys.readouterr().out


def spoken(line: str) -> str:
    """What a command of a page says; in this process, and refused where its comment says so."""
    command, *options = shlex.split(line, comments=True)
    if command != "seawall":
        return ""
    alone = {"sweep": ["--serial"], "explain": ["--workers", "0"], "critical": ["--workers", "0"]}
    result = CliRunner().invoke(seawall.app, [*options, *alone.get(options[0], [])])
    assert result.exit_code == (2 if line.endswith("# refused") else 0), f"{line}\n{result.output}"
    return result.output


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


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *(f"docs/{name}" for name in DOCS)])
def test_what_a_page_points_to_is_there(page: str) -> None:
    place = (ROOT / page).parent
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text())
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (place / link).exists()] == []


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [name for name in DOCS if f"docs/{name}" not in readme] == []
