"""The report of a run: one HTML page that needs no network, and the figures as images."""

import contextlib
import inspect
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert
import yaml

from agents.settings import parse_duration
from analysis.engine_figures import engine_words
from analysis.figures import ALL_FIGURES, VEGA_LITE, draw, write_images
from analysis.governance_words import governance_words
from analysis.narrative import READINGS, headline, move
from analysis.style import Figure
from analysis.summary import VENUE, lines_of
from analysis.tables import Run, load_run
from analysis.wording import count, duration, noun, percent, usd

TEMPLATE = "report.html.j2"


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
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = run.folder / "report.html"
    text = environment.get_template(TEMPLATE).render(_contents(run, figures))
    page.write_text(text, encoding="utf-8", newline="\n")
    return page


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
        "headline": headline(run),
        "cards": _cards(run),
        "figures": [_figure(name, figure) for name, figure in figures.items()],
        "governance": governance_words(run) if "proposals" in run.more else None,
        "engine": engine_words(run) if "decisions" in run.more else None,
        "horizon": duration(run.seconds),
        "columns": [*run.names, VENUE],
        "sections": sections,
        "reading": reading,
        "reading_text": READINGS[reading],
        "shocks": _shocks(manifest["scenario"].get("shocks") or [], pd.Timestamp(manifest["start"])),
        "scenario": yaml.safe_dump(manifest["scenario"], sort_keys=False, allow_unicode=True, width=100),
        "provenance": _provenance(manifest["parameters"]),
        "parameters": manifest["parameters"],
        "command": _command(manifest),
        "reproduction": _reproduction(manifest),
        "bundle": _bundle(),
    }


def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of which no string ends the script element."""
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]  # stub lacks a default
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _figure(name: str, figure: Figure) -> dict[str, Any]:
    spec = figure.to_dict()
    title = spec.pop("title")
    subtitle = " ".join(title.get("subtitle", []))
    about = (inspect.getdoc(ALL_FIGURES[name]) or "").splitlines()[0]
    text = json.dumps(spec, separators=(",", ":"), sort_keys=True)
    caption = f"{about} {subtitle[:1].upper()}{subtitle[1:]}."
    return {
        "name": name,
        "title": " ".join(title["text"]),
        "caption": caption if subtitle else about,
        "spec": text.replace("<", "\\u003c"),
    }


def _facts(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    start = pd.Timestamp(manifest["start"])
    return [
        ("from", f"{start:%-d %b %Y %H:%M} UTC"),
        ("for", duration(run.seconds)),
        ("in blocks of", duration(run.block_seconds)),
        ("markets", ", ".join(run.names)),
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


def _provenance(parameters: Sequence[Mapping[str, Any]]) -> str:
    kinds = Counter(
        row["source"] if row["source"] in ("assumed", "scenario") else "sourced" for row in parameters
    )
    text = f"Of {count(len(parameters), 'parameter')}, {kinds['sourced']} come from a named source"
    return f"{text}, {kinds['scenario']} were chosen by the scenario and {kinds['assumed']} are assumed."


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
