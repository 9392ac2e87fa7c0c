"""Seawall's front door: the `seawall` command, and the same as functions."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from commands.index import Commands

if TYPE_CHECKING:
    from sim.problems import Problem

PUBLIC = {
    "load_scenario": "sim.scenario",
    "Scenario": "sim.configuration",
    "ScenarioError": "sim.problems",
    "run": "sim.run",
    "write_run": "sim.store",
    "margins": "analysis.margins.study",
    "write_margins": "analysis.margins.study",
    "tails": "analysis.tail_tables",
    "write_tails": "analysis.tail_tables",
    "frontier_table": "analysis.frontier",
    "procyclicality": "analysis.procyclicality",
    "load_catalogue": "analysis.attacks.catalogue",
    "trials": "analysis.attacks.trials",
    "write_attacks": "analysis.attacks.page",
    "validate": "analysis.validation.validation",
    "turnout": "analysis.turnout.turnout",
    "write_turnout": "analysis.turnout.page",
    "plan_backtest": "analysis.backtest.backtest",
    "backtest": "analysis.backtest.backtest",
    "write_backtest": "analysis.backtest.page",
    "write_report": "analysis.report",
    "figures": "analysis.notebook",
    "summary_frame": "analysis.summary",
    "sweep": "sim.sweeps.sweep",
    "plan": "sim.sweeps.sweep",
    "load": "analysis.tables",
    "fit_prices": "analysis.fitting.fit",
    "write_fit": "analysis.fitting.fit",
    "compare": "analysis.comparisons.comparison",
    "compare_sweeps": "analysis.comparisons.comparison",
    "write_comparison": "analysis.comparisons.page",
    "write_sweep_report": "analysis.comparisons.report",
    "resolved": "sim.provenance",
    "provenance": "sim.provenance",
    "governance_names": "sim.presets",
    "preset_names": "sim.presets",
    "preset_parameters": "sim.presets",
    "scenario_schema": "sim.schema",
}

__all__ = ["check", "main", *PUBLIC]


def __getattr__(name: str) -> Any:
    """Public names, imported when first asked for: the command's help must not wait for compilers."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'seawall' has no attribute {name!r}")
    return getattr(importlib.import_module(PUBLIC[name]), name)


def check(source: str | Path, overrides: tuple[str, ...] = ()) -> list["Problem"]:
    """What is wrong with a scenario, all at once; empty when it can be run."""
    from sim.scenario import ScenarioError, load_scenario

    try:
        load_scenario(source, overrides)
    except ScenarioError as error:
        return list(error.problems)
    return []


app = typer.Typer(
    name="seawall",
    cls=Commands,
    callback=lambda: None,  # a group even though no command is registered here
    help="Stress a derivatives venue and its risk rules in simulated markets.",
    epilog="Start with: seawall run black_thursday",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Entry point of the `seawall` command."""
    app()


if __name__ == "__main__":
    main()
