"""The commands by name: a command's module is imported when the command is asked for.

The help that lists them all reads the table alone.
"""

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# name: module of this package with the function NAME_command, first line of that function's docstring
COMMANDS = {
    "run": ("run", "Run a scenario once and write tables, figures and a report."),
    "check": ("catalogue", "Say what a scenario would run, or everything that is wrong with it."),
    "scenarios": ("catalogue", "List the bundled scenarios."),
    "presets": (
        "catalogue",
        "List venues and forms of governance, or explain one: every number with its source.",
    ),
    "metrics": (
        "catalogue",
        "Define every metric: its key, unit, meaning and source, in the order in which runs print them.",
    ),
    "report": (
        "run",
        "Write the report of a finished run again, or of a sweep: one HTML page that opens offline.",
    ),
    "explain": (
        "explain",
        "Tell cascades apart, say who pushed whom, and run the same world without one cause after the other.",
    ),
    "critical": (
        "critical",
        "Find the smallest sudden fall of prices whose bad debt exceeds a share of open interest.",
    ),
    "branch": ("branch", "Run the same world again, with another policy from a moment on, and compare."),
    "sweep": ("sweep", "Run a scenario at many points and seeds, and store a row for each run."),
    "compare": (
        "compare",
        "Compare policies over the same seeds, with intervals, and write a page fit for a forum.",
    ),
    "fit": (
        "fit",
        "Calibrate a generator of prices to candles of several markets, and say how well it fits.",
    ),
    "margins": ("margins", "Compare margin policies on prices that they cannot move."),
    "speed": (
        "speed",
        "Say what speed is worth: losses avoided by delay and largest change, "
        "and the cost of a day of delay.",
    ),
    "tails": (
        "tails",
        "Show the tail of each point of a sweep: VaR, ES, LaR, need of the fund, insolvency, extreme values.",
    ),
    "attacks": ("attacks", "Run attacks with their hole open and under each guard, on the same seeds."),
    "validate": ("validate", "Ask whether a scenario's market looks like real ones."),
    "backtest": (
        "backtest",
        "Send one population through real events, and say how far it is from what happened.",
    ),
    "turnout": ("turnout", "Ask whether token holders vote like real ones."),
    "schema": ("catalogue", "Print the JSON schema of scenario files, for editors."),
}


class Commands(TyperGroup):
    """The group of all commands, which imports only the one that is run."""

    def __init__(self, **settings: Any) -> None:
        names = {name: TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()}
        super().__init__(**{**settings, "commands": names})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The whole command, with its arguments and options; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"commands.{COMMANDS[cmd_name][0]}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name)(getattr(module, f"{cmd_name}_command"))
        return get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names, each with its whole line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
