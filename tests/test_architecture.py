"""Rules of the code base that no linter knows."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("protocol", "agents", "sim", "analysis", "commands", "scenarios")
SOURCES = sorted([ROOT / "seawall.py", *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))])
KERNEL_FOLDERS = ("protocol", "agents")

GENERATORS = {"Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "RandomState", "SeedSequence", "SFC64"}
GENERATOR_TYPES = {"BitGenerator", "Generator"}

WHOSE = f"""
import importlib, importlib.metadata, json
owners = importlib.metadata.packages_distributions()
found = {{}}
for name in {PACKAGES}:
    module = importlib.import_module(name)
    found[name] = [module.__file__, owners.get(name, [])]
print(json.dumps(found))
"""


def last_line_of(program: str, folder: Path) -> object:
    """Value printed as JSON by a fresh interpreter that knows only what is installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"a child interpreter failed; is Seawall installed (make install)?\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imported_modules(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Dotted names in the import statements of a module; `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node, f"{module}.{alias.name}") for alias in names)


def chances(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that make a random generator, or draw from a global one; type annotations are none."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in GENERATORS:
                yield node
            case ast.Attribute(value=ast.Attribute(attr="random"), attr=name) if name not in GENERATOR_TYPES:
                yield node
    for node, name in imported_modules(tree):
        parts = name.split(".")
        legacy = parts[:2] == ["numpy", "random"] and parts[-1] not in GENERATOR_TYPES
        if parts[0] in {"random", "secrets"} or legacy:
            yield node


def test_the_installed_packages_are_those_of_this_repository(tmp_path: Path) -> None:
    found = last_line_of(WHOSE, tmp_path)

    assert isinstance(found, dict)
    for name, (file, owners) in found.items():
        others = " and ".join(sorted(set(owners) - {"seawall"})) or "another folder"
        assert Path(file).parent == ROOT / name, (
            f"`import {name}` finds {file}, not {ROOT / name}: {others} shadows it; "
            "uninstall that, or work in the environment of make install"
        )


def test_every_package_folder_is_declared_for_packaging() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    present = {".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES if path.parent != ROOT}

    assert set(declared) == present


def test_no_module_is_named_like_a_standard_library_module() -> None:
    clashes = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if {path.stem, path.parent.name} & sys.stdlib_module_names and path.stem != "__init__"
    ]

    assert clashes == []


def test_package_initialisers_hold_a_docstring_only() -> None:
    for path in (path for path in SOURCES if path.name == "__init__.py"):
        tree = ast.parse(path.read_text())

        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
        assert len(tree.body) == 1, f"{place(path, tree.body[1])} is code in a package initialiser"


def test_nothing_below_imports_the_front_door() -> None:
    importers = [
        place(path, node)
        for path in SOURCES
        for node, name in imported_modules(ast.parse(path.read_text()))
        if name.split(".")[0] == "seawall" and path.name != "seawall.py"
    ]

    assert importers == []


def test_kernels_are_compiled_in_one_place_only() -> None:
    strays = [
        place(path, node)
        for path in SOURCES
        if path not in (ROOT / "protocol" / "kernels.py", ROOT / "protocol" / "prefetch.py")
        for node, name in imported_modules(ast.parse(path.read_text()))
        if name.split(".")[0] == "numba"
    ]

    assert strays == [], "declare kernels with protocol.kernels.kernel, which keeps their cache fresh"


def test_kernels_lie_only_where_their_cache_is_keyed() -> None:
    strays = [
        place(path, node)
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] not in KERNEL_FOLDERS
        for node, name in imported_modules(ast.parse(path.read_text()))
        if name.startswith("protocol.kernels")
    ]

    assert strays == [], f"edits outside {' and '.join(KERNEL_FOLDERS)} do not renew the kernel cache"


def test_only_the_streams_module_makes_random_generators() -> None:
    strays = [
        place(path, node)
        for path in SOURCES
        if path != ROOT / "sim" / "streams.py"
        for node in chances(ast.parse(path.read_text()))
    ]

    assert strays == [], "draw from sim.streams.stream(seed, *name)"


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import choice",
        "import numpy as np\nnp.random.default_rng(1)",
        "import numpy as np\nnp.random.normal()",
        "from numpy import random",
        "from numpy.random import Philox",
        "from numpy.random import Generator\nGenerator(bits)",
    ],
)
def test_the_scan_for_generators_finds(source: str) -> None:
    assert list(chances(ast.parse(source)))


def test_the_scan_for_generators_allows_annotations() -> None:
    source = "import numpy as np\nfrom numpy.random import Generator\ndef f(rng: np.random.Generator): ..."

    assert not list(chances(ast.parse(source)))


def test_the_lock_satisfies_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in lock if "==" in line)

    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is missing in requirements.lock; run make lock"
        assert pinned in requirement.specifier, f"{text} is declared, {pinned} is locked; run make lock"
