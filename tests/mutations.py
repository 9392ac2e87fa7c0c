"""Scenario files with something wrong in them, as people and editors make them.

    python tests/mutations.py --files 10000 --workers 2

checks so many mutated files and, of those that are accepted, runs the first blocks. Every file must end with
0 or 2 and a message, never with a traceback or a warning; one that does not is printed with its number and
content. A file takes less than a tenth of a second: ten thousand are a quarter of an hour of a processor.
"""

import argparse
import copy
import multiprocessing
import sys
import traceback
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from typer.testing import CliRunner

import seawall
from sim.bundled import names
from sim.model import Model
from sim.scenario import load_scenario
from sim.streams import stream

BLOCKS = 12
LARGEST = {"accounts": 20_000, "blocks": 100_000}
CHUNK = 25
ODD = [
    None, True, False, 0, 1, -1, 2, 0.5, -0.5, 1e-12, 1e9, 1e18, 1e308, -1e308, float("nan"), float("inf"),
    10**30, "", " ", "x", "0", "1h", "1.5h", "-1h", "0s", "3 weeks", "nan", "BTC", "${HOME}", "é", "a" * 300,
    [], [1], ["x"], [[]], [None], {}, {"x": 1}, {"BTC": 1}, {"BTC": None}, {1: 2}, {"kind": "regimes"},
    "2024-01-01",
]  # fmt: skip
MODELS = ("static", "ewma", "garch", "hmm", "hindsight")
BUSY = {"every": "10m", "training": {"length": "24h"}, "targets": {"top_up": "10m"}}
ROUTES = ("direct", "steward", "hub", "governor", "frozen")
EAGER = {
    "agenda": [
        {"at": "1m", "title": "fee", "route": "hub", "set": {"taker_fee": 0.001}},
        {"at": "1m", "route": "governor", "set": {"liquidation_fee": 0.01}},
        {"at": "2m", "pause": ["trading", "oracle"], "length": "3m"},
        {"at": "3m", "cancels": "fee"},
    ],
    "guardian": {"vetoes": True, "pauses": ["trading", "oracle"], "reaction": "1m"},
    "people": {"holdings": {"holders": 9000}, "initiative": {"rate": 300.0}},
    "governor": {"delay": "0s", "period": "3m", "timelock": "1m"},
}
SIGNS = ["\t", ":", "{", "]", "- ", "#", "'", "&a", "*a", "\x00", "%", "|", "!!python/name:os"]
SMALL = {"agents": {"retail": {"accounts": 60}, "depositors": {"accounts": 5}}}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path to a value, containers included."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(each for key, child in children for each in places(child, (*path, key)))]


def at(node: Any, path: tuple[Any, ...]) -> Any:
    """The value at a path."""
    for key in path:
        node = node[key]
    return node


def mutate(content: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """One change of the content: a number moved, or a value replaced, dropped, doubled, or a key misspelt."""
    known = places(content)[1:]
    numbers = [path for path in known if type(at(content, path)) in (int, float)]
    if numbers and rng.random() < 0.6:
        path = numbers[int(rng.integers(len(numbers)))]
        factor = float(10.0 ** rng.uniform(-3, 3)) * (1 if rng.random() < 0.9 else -1)
        at(content, path[:-1])[path[-1]] = type(at(content, path))(at(content, path) * factor)
        return content
    path = known[int(rng.integers(len(known)))]
    parent, key, act = at(content, path[:-1]), path[-1], int(rng.integers(5))
    if act == 0:
        del parent[key]
    elif act == 1 and isinstance(parent, dict):
        parent[f"{key}s"] = parent.pop(key)
    elif act == 2 and isinstance(parent, dict):
        parent["surprise"] = ODD[int(rng.integers(len(ODD)))]
    elif act == 3:
        parent[key] = copy.deepcopy(at(content, known[int(rng.integers(len(known)))]))
    else:
        parent[key] = ODD[int(rng.integers(len(ODD)))]
    return content


def garble(text: str, rng: np.random.Generator) -> str:
    """A slip of the keyboard: characters lost, doubled, or a sign where none belongs."""
    position, length = int(rng.integers(len(text))), int(rng.integers(1, 4))
    sign = str(rng.choice(SIGNS))
    middle = ["", text[position : position + length] * 2, sign][int(rng.integers(3))]
    return text[:position] + middle + text[position + length :]


@cache
def bundled_content(name: str) -> dict[str, Any]:
    """Everything that a bundled scenario says or takes by default."""
    found: dict[str, Any] = seawall.resolved(load_scenario(name))
    return found


def mutant(number: int) -> str:
    """The text of a mutated file; it follows from its number."""
    rng = stream(number, "mutations")
    bundled = sorted(set(names("scenario")) - {"replay"})
    base = bundled[int(rng.integers(len(bundled)))]
    resolved = bundled_content(base)
    content: dict[str, Any] = {"extends": base, **copy.deepcopy(SMALL)}
    section = str(rng.choice(["protocol", "world", "agents", "shocks", "clock", "risk_engine", "governance"]))
    if section == "risk_engine":
        chosen = {"model": str(rng.choice(MODELS)), **copy.deepcopy(BUSY)}
        content[section] = _joined(copy.deepcopy(resolved[section]), chosen)
    elif section == "governance":
        chosen = {"route": str(rng.choice(ROUTES)), **copy.deepcopy(EAGER)}
        content[section] = _joined(copy.deepcopy(resolved[section]), chosen)
    elif rng.random() < 0.7:
        content[section] = _joined(copy.deepcopy(resolved.get(section)), SMALL.get(section))
    for _ in range(int(rng.integers(1, 3))):
        content = mutate(content, rng) if content else {}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    return garble(text, rng) if rng.random() < 0.15 and text else text


def _joined(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return below if above is None else above
    return below | {key: _joined(below.get(key), value) for key, value in above.items()}


def fate(text: str, folder: Path) -> str:
    """What becomes of a file: `refused`, `runs`, `too large to try`, or what went wrong."""
    file = folder / "mutant.yaml"
    file.write_text(text, encoding="utf-8")
    checked = CliRunner().invoke(seawall.app, ["check", str(file)])
    if checked.exit_code == 2 and checked.stderr.strip() and "Traceback" not in checked.stderr:
        return "refused"
    if checked.exit_code != 0:
        raised = checked.exception or RuntimeError("no exception")
        trail = "".join(traceback.format_exception(raised))
        return f"check ended with {checked.exit_code}: {checked.stderr}\n{trail}"
    return first_blocks(file)


def first_blocks(file: Path) -> str:
    """Run an accepted file for a moment."""
    try:
        scenario = load_scenario(file)
        accounts = sum(scenario.agents.counts().values())
        if accounts > LARGEST["accounts"] or scenario.clock.blocks > LARGEST["blocks"]:
            return "too large to try"
        model = Model(scenario, 1)
        for _ in range(min(BLOCKS, scenario.clock.blocks)):
            model.step()
        model.close()
    except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
        return f"accepted, and then:\n{traceback.format_exc()}"
    return "runs"


def trial(number: int) -> str:
    """What becomes of the file of a number."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        return fate(mutant(number), Path(folder))


def main(arguments: list[str]) -> int:
    """Try many files; prints those that went wrong, and counts."""
    parser = argparse.ArgumentParser(description="Mutated scenario files.")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args(arguments)
    seen: Counter[str] = Counter()
    numbers = range(chosen.first, chosen.first + chosen.files)
    with multiprocessing.get_context("spawn").Pool(chosen.workers) as pool:
        for number, outcome in zip(numbers, pool.imap(trial, numbers, CHUNK), strict=True):
            short = outcome if "\n" not in outcome else "wrong"
            seen[short] += 1
            if short == "wrong":
                sys.stdout.write(f"--- file {number}\n{mutant(number)}\n{outcome}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{dict(seen)}\n")
    return 1 if seen["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
