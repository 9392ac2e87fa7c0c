"""The code's revision: it moves with everything a run imports, and with nothing else."""

import ast
import sys
from pathlib import Path

import pytest

from sim.sweeps import revision as module
from sim.sweeps.revision import Revision, code_revision

OWN = {"agents", "protocol", "scenarios", "sim"}
READERS = {"pydantic", "pydantic_core", "yaml"}  # what they made of a scenario is part of a task's key
FILERS = {"pyarrow"}  # what it is given comes back as it was
FILES = {
    "sim/__init__.py": "",
    "sim/run.py": "import numpy\nfrom sim.model import Model\n",
    "sim/model.py": "def build():\n    from protocol import margin\n    import protocol.deep.book as book\n",
    "sim/report.py": "import sim.run\n",
    "protocol/__init__.py": "from protocol.errors import Broken\n",
    "protocol/margin.py": "import sim.run\n",
    "protocol/errors.py": "",
    "protocol/deep/__init__.py": "",
    "protocol/deep/book.py": "",
    "protocol/unused.py": "",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def now() -> Revision:
    """Revision of the files as they are, past the cache."""
    return code_revision.__wrapped__()


def test_all_that_a_run_imports_counts_wherever_it_is_imported(root: Path) -> None:
    assert set(now().sources) == set(FILES) - {"sim/report.py", "protocol/unused.py"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_edit_moves_the_revision_if_a_run_imports_the_file(root: Path, name: str) -> None:
    before = now()
    with (root / name).open("a") as file:
        file.write("x = 1\n")
    counts = name not in ("sim/report.py", "protocol/unused.py")

    assert (now().revision != before.revision) == counts
    assert before.differences(now()) == ([f"{name} changed"] if counts else [])


def test_modules_that_come_and_go_are_named(root: Path) -> None:
    before = now()
    (root / "sim" / "model.py").write_text("import protocol.unused\n")
    (root / "protocol" / "__init__.py").write_text("")

    assert before.differences(now()) == [
        "protocol/__init__.py changed",
        "protocol/deep/__init__.py removed",
        "protocol/deep/book.py removed",
        "protocol/errors.py removed",
        "protocol/margin.py removed",
        "protocol/unused.py added",
        "sim/model.py changed",
    ]


def test_a_library_of_another_version_moves_the_revision(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = now()
    known = before.packages["numpy"]
    monkeypatch.setattr(module, "package_version", lambda name: "9.9" if name == "numpy" else None)

    assert now().revision != before.revision
    assert f"numpy {known} -> 9.9" in before.differences(now())


def test_the_code_of_this_project_counts_its_protocol_and_not_its_reports() -> None:
    sources = set(code_revision().sources)

    assert {"sim/run.py", "sim/model.py", "protocol/margin.py", "agents/retail.py"} <= sources
    assert not any(name.startswith(("analysis/", "commands/", "tests/", "seawall")) for name in sources)
    assert set(code_revision().packages) == {"python", *module.LIBRARIES}
    assert len(code_revision().revision) == 16


def test_every_library_that_a_run_computes_with_is_among_those_that_count() -> None:
    found = {name for source in code_revision().sources for name in _imported(module.ROOT / source)}

    assert found - set(sys.stdlib_module_names) - OWN - READERS - FILERS == set(module.LIBRARIES)


def _imported(file: Path) -> set[str]:
    """First parts of what a file imports."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}
