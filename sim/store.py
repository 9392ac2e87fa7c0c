"""What a run leaves on disk: a manifest, a summary, and tables."""

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from sim.provenance import provenance, resolved
from sim.run import Result
from sim.stored_tables import StoredTables

PACKAGES = ("numpy", "numba", "pandas", "pyarrow", "mesa", "pydantic", "altair")


def write_run(result: Result, folder: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write a run's folder; every file is written whole or not at all.

    Parameters
    ----------
    folder : Path
        Created if missing; must be empty.
    notes : mapping, optional
        What else the manifest is to say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"a run folder must be empty, got {folder}")
    if isinstance(result.tables, StoredTables):
        result.tables.move(folder)
    else:
        _write_tables(result.tables, folder)
    write_json(folder / "summary.json", dict(result.summary))
    write_json(folder / "manifest.json", manifest(result) | dict(notes or {}))


def _write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    for name, table in tables.items():
        partial = folder / f".{name}.parquet"
        table.to_parquet(partial, index=False, compression="zstd")
        partial.rename(folder / f"{name}.parquet")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically."""
    partial = path.with_name(f".{path.name}")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    partial.rename(path)


def manifest(result: Result) -> dict[str, Any]:
    """What is needed to know, and to repeat, a run; nothing that differs between equal runs."""
    scenario = result.scenario
    return {
        "seawall": package_version("seawall"),
        "name": scenario.name,
        "source": scenario._origins.scenario or scenario.name,
        "description": scenario.description,
        "seed": result.seed,
        "start": scenario.clock.start.isoformat(),
        "block_seconds": scenario.clock.block,
        "blocks": scenario.clock.blocks,
        "markets": list(scenario.markets),
        "accounts": result.accounts,
        "reading": scenario.world.reading,
        "transcript_hash": result.transcript,
        "git_revision": git_revision(),
        "packages": {"python": platform.python_version()}
        | {name: package_version(name) for name in PACKAGES},
        "scenario": resolved(scenario),
        "parameters": provenance(scenario),
    }


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_revision() -> str | None:
    """Revision of the sources, with `+changes` if they differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+changes"]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return described.stdout.strip() or None
