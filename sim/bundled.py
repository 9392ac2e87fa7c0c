"""The scenarios, presets, events, sweeps and forms of governance that come with the package, by name."""

from pathlib import Path

import scenarios

ROOT = Path(scenarios.__file__).parent
FOLDERS = {
    "scenario": ROOT,
    "preset": ROOT / "presets",
    "event": ROOT / "events",
    "sweep": ROOT / "sweeps",
    "governance": ROOT / "governance",
}


def names(kind: str) -> list[str]:
    """Bundled names of a kind: `scenario`, `preset`, `event`, `sweep` or `governance`."""
    return sorted(path.stem for path in FOLDERS[kind].glob("*.yaml"))


def bundled(kind: str, name: str) -> Path | None:
    """File of a bundled name, with or without `.yaml`; None when there is none."""
    stem = name.removesuffix(".yaml")
    return FOLDERS[kind] / f"{stem}.yaml" if stem in names(kind) else None


def display_name(path: Path) -> str:
    """Path as messages and manifests show it; bundled files look the same on every machine."""
    if path.is_relative_to(ROOT):
        return (Path("scenarios") / path.relative_to(ROOT)).as_posix()
    return path.as_posix()
