"""The report of a run: one HTML page that needs no network, and the figures as images."""

import contextlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from agents.settings import parse_duration
from analysis.cascade_words import cascade_words
from analysis.caveats import caveats
from analysis.engine_figures import engine_words
from analysis.figures import ALL_FIGURES, THEMES, draw, write_images
from analysis.governance_words import governance_words
from analysis.margin_words import margin_words
from analysis.narrative import READINGS, headline, move, verdict
from analysis.page import described, plate, write_page
from analysis.passages import Passage
from analysis.provenance_words import kind_of, provenance_sentence
from analysis.style import Figure, milliseconds
from analysis.summary import VENUE, lines_of
from analysis.tables import Run, load_run
from analysis.wording import count, duration, noun, percent, usd

TEMPLATE = "report.html.j2"
WORDS: dict[str, tuple[str, Callable[[Run], Passage | None]]] = {
    "cascade": ("failures", cascade_words),
    "market": ("", margin_words),
    "engine": ("decisions", engine_words),
    "governance": ("proposals", governance_words),
}


def write_report(folder: str | Path) -> Path:
    """Write `report.html` and `figures/` into a run's folder.

    Parameters
    ----------
    folder : str or Path
        As written by `seawall run`.

    Returns
    -------
    Path
        Of the page. The same run gives the same bytes.
    """
    run = load_run(folder)
    figures = draw(run)
    write_images(figures, run.folder / "figures")
    return write_page(TEMPLATE, _contents(run, figures), run.folder / "report.html")


def _contents(run: Run, figures: Mapping[str, Figure]) -> dict[str, Any]:
    manifest = run.manifest
    reading = str(manifest["reading"])
    sections = [
        (section, list(lines)) for section, lines in groupby(lines_of(run), key=lambda line: line.section)
    ]
    return {
        "name": manifest["name"],
        "description": manifest["description"],
        "seed": manifest["seed"],
        "version": manifest["seawall"],
        "facts": _facts(run),
        "verdict": verdict(run),
        "headline": headline(run),
        "cards": _cards(run),
        "population": _population(run),
        "themes": _themes(run, figures),
        "span": milliseconds(run.blocks["time"].iloc[[0, -1]]).tolist(),
        "caveats": caveats(run),
        "horizon": duration(run.seconds),
        "columns": [*run.names, VENUE],
        "sections": sections,
        "reading": reading,
        "reading_text": READINGS[reading],
        "shocks": _shocks(manifest["scenario"].get("shocks") or [], pd.Timestamp(manifest["start"])),
        "scenario": yaml.safe_dump(manifest["scenario"], sort_keys=False, allow_unicode=True, width=100),
        "provenance": provenance_sentence(manifest["parameters"]),
        "parameters": [(kind_of(row["source"]), row) for row in manifest["parameters"]],
        "command": _command(manifest),
        "reproduction": _reproduction(manifest),
    }


def _themes(run: Run, figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Sections of figures in the order of reading, each with its words; what no theme names comes last."""
    named = {name for _, names in THEMES.values() for name in names}
    themes = THEMES | {"more": ("More", tuple(name for name in figures if name not in named))}
    found = []
    for anchor, (title, names) in themes.items():
        plates = [
            plate(name, figures[name], described(ALL_FIGURES[name])) for name in names if name in figures
        ]
        words = _words(run, anchor)
        if plates or words:
            found.append({"anchor": anchor, "title": title, "plates": plates, "words": words})
    return found


def _words(run: Run, theme: str) -> Passage | None:
    """What is said of a theme beside its figures; None where there is nothing to tell."""
    if theme not in WORDS:
        return None
    table, tell = WORDS[theme]
    return tell(run) if not table or len(run.more.get(table, ())) else None


def _population(run: Run) -> list[dict[str, str]]:
    """Roles with their accounts and what they hold at the start."""
    return [
        {"role": noun(role), "accounts": count(accounts), "equity": usd(equity)}
        for role, accounts, equity in zip(
            run.agents["role"], run.agents["accounts"], run.agents["equity_start"], strict=True
        )
        if accounts or equity
    ]


def _facts(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    start = pd.Timestamp(manifest["start"])
    preset = manifest["scenario"].get("protocol", {}).get("preset")
    return [
        ("from", f"{start:%-d %b %Y %H:%M} UTC"),
        ("for", duration(run.seconds)),
        ("in blocks of", duration(run.block_seconds)),
        ("markets", ", ".join(run.names)),
        *([("venue", str(preset))] if preset else []),
        ("accounts", count(manifest["accounts"])),
        ("reading", str(manifest["reading"])),
        ("seed", str(manifest["seed"])),
    ]


def _card(what: str, number: str, detail: str) -> dict[str, str]:
    return {"what": what, "number": number, "detail": detail}


def _cards(run: Run) -> list[dict[str, str]]:
    name = run.names[0]
    rows = run.market(name)
    start, end = run.value("insurance_fund_start_usd"), run.value("insurance_fund_end_usd")
    covered = run.value("bad_debt_gross_usd") - run.value("bad_debt_after_fund_usd")
    backlog = run.value("backlog_longest_seconds")
    return [
        _card(
            f"{name} on the venue",
            percent(move(rows["mid"]), 1),
            f"{percent(move(rows['outside']), 1)} outside",
        ),
        _card(
            "Liquidated", usd(run.value("liquidated_usd")), count(run.value("liquidated_accounts"), "account")
        ),
        _card("Bad debt, gross", usd(run.value("bad_debt_gross_usd")), f"{usd(covered)} paid by the fund"),
        _card("Insurance fund", usd(end), f"{usd(start)} at the start"),
        _card(
            "Auto-deleveraged",
            usd(run.value("deleveraged_usd")),
            count(run.value("deleveraged_counterparties"), "counterparty", "counterparties"),
        ),
        _card(
            "Longest backlog",
            duration(backlog) if backlog else "none",
            f"{count(run.value('liquidatable_max'), 'account')} at most",
        ),
    ]


def _shocks(shocks: Sequence[Mapping[str, Any]], start: pd.Timestamp) -> list[dict[str, str]]:
    rows = []
    for shock in shocks:
        seconds = parse_duration(shock["at"])
        time = start + pd.Timedelta(seconds=float(str(seconds)))
        settings = [
            f"{noun(key)} {_plain(value)}" for key, value in shock.items() if key not in ("at", "kind")
        ]
        rows.append(
            {
                "after": duration(float(str(seconds))),
                "time": f"{time:%-d %b %Y %H:%M}",
                "kind": noun(str(shock["kind"])),
                "settings": ", ".join(settings),
            }
        )
    return rows


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    with contextlib.suppress(ValueError):
        if isinstance(value, str):
            return duration(float(str(parse_duration(value))))
    return str(value)


def _command(manifest: Mapping[str, Any]) -> str:
    words = ["seawall", "run", str(manifest.get("source", manifest["name"])), "--seed", str(manifest["seed"])]
    for row in manifest["parameters"]:
        if row["origin"] == "--set":
            words += ["--set", f"{row['path']}={json.dumps(row['value'])}"]
    return shlex.join(words)


def _reproduction(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    packages = [(name, version) for name, version in manifest["packages"].items() if version]
    return [
        ("transcript hash", str(manifest["transcript_hash"])),
        ("seed", str(manifest["seed"])),
        ("seawall", str(manifest["seawall"])),
        ("git revision", str(manifest["git_revision"] or "not a git checkout")),
        *packages,
    ]
