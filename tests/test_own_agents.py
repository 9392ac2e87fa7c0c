"""Agents of the user's own: found, imported, made and run; each slip is told with its file and line."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from agents.blame import PluginError
from seawall import app
from sim.configuration import Scenario
from sim.problems import ScenarioError
from sim.provenance import resolved
from sim.run import Result, run
from sim.scenario import load_scenario
from sim.sweeps.study import load_study
from sim.sweeps.tasks import Task, canonical, execute, scenario_digest

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("clock.duration=3m", "agents.retail.accounts=50", "agents.depositors.accounts=5")
HEAD = """\
import numpy as np
from agents.custom import Trader
from agents.role import Actions, Hedges, transfers
"""
BUYER = """
class Buyer(Trader):
    def act(self, view):
        return self.order(view, "BTC", 0.01)
"""


def scenario(
    folder: Path, source: str = HEAD + BUYER, agent: str = "buyer:Buyer", more: str = ""
) -> Scenario:
    """A quiet scenario in a folder with a module beside it."""
    (folder / "buyer.py").write_text(source)
    own = f"agents: {{own: {{mine: {{agent: '{agent}', accounts: 2, cash: 5000, wallet: 7{more}}}}}}}"
    (folder / "mine.yaml").write_text(f"extends: calm.yaml\n{own}\n")
    return load_scenario(folder / "mine.yaml", QUICK)


def acting(folder: Path, body: str) -> Result:
    """A run with an agent whose method has this body."""
    return run(scenario(folder, f"{HEAD}\n\nclass Buyer(Trader):\n    def act(self, view):\n{body}\n"), 3)


def refused(folder: Path, body: str) -> str:
    """What the run of an agent with this method says."""
    with pytest.raises(PluginError) as caught:
        acting(folder, body)
    return str(caught.value)


def line_of(folder: Path, body: str) -> int:
    return (folder / "buyer.py").read_text().splitlines().index(body) + 1


def mine(result: Result) -> pd.Series:
    agents = result.tables["agents"].set_index("role")
    return agents.loc["mine"]


def test_an_own_agent_trades_and_its_profit_is_reported(tmp_path: Path) -> None:
    result = run(scenario(tmp_path), 3)

    assert mine(result)["accounts"] == 2
    assert mine(result)["equity_start"] == 10_000
    assert mine(result)["pnl"] < 0
    assert result.summary["pnl_mine_usd"] == pytest.approx(mine(result)["pnl"])
    assert "attack_profit_mine_usd" not in result.summary


def test_an_own_agent_needs_no_base_class_and_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    idle = "class Buyer:\n    def __init__(self, *given): pass\n    def act(self, view):\n"
    idle += "        from agents.role import Actions\n        return Actions()\n"
    result = run(scenario(tmp_path, idle), 3)
    without = run(load_scenario("calm", QUICK), 3)

    pd.testing.assert_frame_equal(result.tables["markets"], without.tables["markets"])
    assert mine(result)["pnl"] == 0


def test_every_run_imports_the_module_anew(tmp_path: Path) -> None:
    counting = f"{HEAD}\nseen = []\n{BUYER}".replace("return", "seen.append(1)\n        return").replace(
        "0.01)", "0.01 * len(seen))"
    )
    made = scenario(tmp_path, counting)

    assert run(made, 3).transcript == run(made, 3).transcript


def test_the_same_name_in_another_folder_is_another_module(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    first = run(scenario(folders[0]), 3)
    second = run(scenario(folders[1], HEAD + BUYER.replace("0.01", "-0.01")), 3)

    assert first.transcript != second.transcript
    assert run(load_scenario(folders[0] / "mine.yaml", QUICK), 3).transcript == first.transcript
    assert str(tmp_path) not in "".join(sys.path)
    assert not list(tmp_path.rglob("*.pyc"))


def test_chance_comes_from_the_stream_of_the_name(tmp_path: Path) -> None:
    body = '        size = self.stream("size", view.block).normal() / 100\n'
    body += '        return self.order(view, "BTC", size)'

    assert acting(tmp_path, body).transcript == acting(tmp_path, body).transcript


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("        return view.nothing", "AttributeError"),
        ("        return self.order(view, 'DOGE', 1.0)", "a market must be one of BTC, ETH, got 'DOGE'"),
        ("        return self.order(view, 'BTC', float('nan'))", "a size must be a finite number, got nan"),
        ("        return self.order(view, 'BTC', 1.0, limit=-1)", "limit >= 0 must hold, got -1"),
        ("        view.book.cash[:] = 0", "read-only"),
        ("        view.risk[:] = 0", "read-only"),
    ],
)
def test_an_error_inside_the_method_names_the_line(tmp_path: Path, line: str, told: str) -> None:
    message = refused(tmp_path, line)

    assert message.startswith(
        f"{tmp_path / 'buyer.py'}:{line_of(tmp_path, line)}  agent mine, block 1, seed 3: "
    )
    assert told in message


MONEY = "transfers(self.accounts, np.full(2, 8_000_000), 0)"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("None", "Actions or Orders are expected, got NoneType"),
        ("self.order(view, 'BTC', 1.0)._replace(account=np.array([9, 9]))", "must be among its own accounts"),
        (
            "self.order(view, 'BTC', 1.0)._replace(market=np.array([7, 7]))",
            "orders.market must be a number from",
        ),
        (
            "self.order(view, 'BTC', 1.0)._replace(kind=np.array([7, 7]))",
            "the venue must know an order's kind",
        ),
        (
            "self.order(view, 'BTC', 1.0)._replace(size=np.array([0.5, 1]))",
            "must be an array of whole numbers",
        ),
        ("self.order(view, 'BTC', 1.0)._replace(size=[1, 2])", "must be an array of whole numbers"),
        ("self.order(view, 'BTC', 1.0)._replace(size=np.array([1]))", "must have one length"),
        ("self.order(view, 'BTC', 1.0)._replace(size=np.array([-2**63, 1]))", "less than 2^53 lots"),
        (f"Actions(transfers={MONEY})", "what is deposited must lie in the wallet"),
        (f"Actions(transfers={MONEY}._replace(amount=np.array([-1, -1])))", "an amount must be positive"),
        (f"Actions(transfers={MONEY}._replace(kind=np.array([9, 9])))", "one of the five kinds"),
        ("Actions(transfers=transfers(self.accounts, np.array([1, 1]), 2, 400))", "of the vault or a pool"),
        (
            "Actions(hedges=Hedges(self.accounts, 0 * self.accounts, np.array([np.nan, 1])))",
            "a finite number",
        ),
        ("Actions(leaving=np.array([1]))", "leaving must be among its own accounts"),
    ],
)
def test_what_cannot_be_returned_is_told_with_the_method(tmp_path: Path, value: str, told: str) -> None:
    message = refused(tmp_path, f"        return {value}")
    line = line_of(tmp_path, "    def act(self, view):")

    assert message.startswith(f"{tmp_path / 'buyer.py'}:{line}  agent mine, block 1, seed 3: ")
    assert told in message


def test_deposits_within_the_wallet_are_made(tmp_path: Path) -> None:
    result = acting(tmp_path, f"        return Actions(transfers={MONEY.replace('8_', '2_')})")

    assert mine(result)["net_deposits"] == pytest.approx(2 * 3 * 2)


@pytest.mark.parametrize(
    ("source", "agent", "told"),
    [
        (HEAD + BUYER, "seller:Buyer", "No module named 'seller'"),
        (HEAD + BUYER, "buyer:Bayer", "has no class Bayer; did you mean Buyer?"),
        (HEAD + BUYER, "buyer", "a class is written module:Class"),
        (
            "import numpy as np\nclas Buyer:\n",
            "buyer:Buyer",
            r"buyer.py:2  the module must import, got SyntaxError",
        ),
        ("x = 1\ny = 1 / 0\n", "buyer:Buyer", r"buyer.py:2  the module must import, got ZeroDivisionError"),
        ("class Buyer:\n    pass\n", "buyer:Buyer", "the class must be made of accounts, stream, settings"),
        (
            "class Buyer:\n    def __init__(self, *given):\n        self.x = given[2]['width']\n",
            "buyer:Buyer",
            r"buyer.py:3  the class must be made of accounts, stream, settings: KeyError: 'width'",
        ),
        ("class Buyer:\n    def __init__(self, *given): pass\n", "buyer:Buyer", "must have a method act"),
        (HEAD + BUYER, "json:Buyer", "has no class Buyer"),
        (HEAD + BUYER, "sim:Buyer", "the name sim is taken"),
    ],
)
def test_what_a_check_can_find_is_found(tmp_path: Path, source: str, agent: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(tmp_path, source, agent)
    message = str(caught.value)

    assert re.search(rf"mine\.yaml:2  agents\.own\.mine\.agent: .*{re.escape(told)}", message)


def test_a_module_that_is_named_like_one_of_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(HEAD + BUYER)

    with pytest.raises(ScenarioError, match="the name json is taken"):
        scenario(tmp_path, agent="json:Buyer")


def test_settings_reach_the_class_and_must_be_plain(tmp_path: Path) -> None:
    size = HEAD + BUYER.replace("0.01", 'self.settings["size"]')
    small, large = (run(scenario(tmp_path, size, more=f", settings: {{size: {x}}}"), 3) for x in (0.01, 0.02))

    assert small.transcript != large.transcript
    with pytest.raises(ScenarioError, match="must be finite"):
        scenario(tmp_path, size, more=", settings: {size: .nan}")


def test_the_command_ends_with_2_for_a_bad_module_and_with_1_for_a_failing_run(tmp_path: Path) -> None:
    scenario(tmp_path)
    call = [str(tmp_path / "mine.yaml"), *(f"--set={each}" for each in QUICK)]
    checked = CliRunner().invoke(app, ["check", *call])
    (tmp_path / "buyer.py").write_text(HEAD + BUYER.replace("0.01", "1 / 0"))
    failed = CliRunner().invoke(app, ["run", *call, "--quiet", "--out", str(tmp_path / "out")])
    (tmp_path / "buyer.py").write_text("clas Buyer:")
    refused = CliRunner().invoke(app, ["run", *call, "--out", str(tmp_path / "out")])

    assert checked.exit_code == 0
    assert (failed.exit_code, refused.exit_code) == (1, 2)
    assert f"the run failed: {tmp_path / 'buyer.py'}:7  agent mine, block 1, seed 1: ZeroDivisionError" in (
        failed.output
    )
    assert "SyntaxError" in refused.output


def test_a_digest_changes_with_the_text_of_the_module_and_of_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text("SIZE = 0.01\n")
    source = "from sizes import SIZE\n" + HEAD + BUYER.replace("0.01", "SIZE")
    digests = [scenario_digest(scenario(tmp_path, source))]
    (tmp_path / "sizes.py").write_text("SIZE = 0.02\n")
    digests.append(scenario_digest(scenario(tmp_path, source)))
    digests.append(scenario_digest(scenario(tmp_path, source + "\n# a note")))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "sizes.py").write_text("SIZE = 0.02\n")
    moved = scenario_digest(scenario(tmp_path / "elsewhere", source))

    assert len(set(digests)) == 3
    assert moved == digests[1]


def test_a_sweep_runs_own_agents_and_tells_of_their_failure(tmp_path: Path) -> None:
    good = execute(Task("k", canonical(resolved(scenario(tmp_path))), 3))
    (tmp_path / "buyer.py").write_text(HEAD + BUYER.replace("0.01", "1 / 0"))
    bad = execute(Task("k", canonical(resolved(load_scenario(tmp_path / "mine.yaml", QUICK))), 3))

    assert good.status == "done"
    assert bad.status == "failed"
    assert "buyer.py:7  agent mine, block 1, seed 3: ZeroDivisionError" in bad.error


def test_a_layer_without_the_agent_leaves_its_folder_alone(tmp_path: Path) -> None:
    scenario(tmp_path)
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "more.yaml").write_text("extends: ../mine.yaml\nagents: {own: {mine: {accounts: 3}}}\n")
    own = load_scenario(upper / "more.yaml", QUICK).agents.own["mine"]

    assert own.accounts == 3
    assert Path(own.folder).resolve() == tmp_path


def test_a_sweep_finds_an_agent_beside_its_file(tmp_path: Path) -> None:
    (tmp_path / "buyer.py").write_text(HEAD + BUYER)
    axis = "{without: {}, with: {agents: {own: {mine: {agent: 'buyer:Buyer'}}}}}"
    (tmp_path / "study.yaml").write_text(f"scenario: calm\naxes: {{buyers: {axis}}}\nseeds: 2\n")
    study = load_study(tmp_path / "study.yaml", QUICK)

    assert [list(Scenario.model_validate_json(point.scenario).agents.own) for point in study.points] == [
        [],
        ["mine"],
    ]


def test_the_example_of_the_page_is_short_and_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "agents.md").read_text()
    code, text = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("python", "yaml"))
    (tmp_path / "reversion.py").write_text(code)
    (tmp_path / "mine.yaml").write_text(text)
    result = run(load_scenario(tmp_path / "mine.yaml", [*QUICK, "clock.duration=30m"]), 3)
    role = result.tables["agents"].set_index("role").loc["reversion"]

    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    assert role["accounts"] == 10
    assert role["pnl"] != 0
