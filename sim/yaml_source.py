"""YAML with line numbers: plain data, and where each key stands in its file."""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from sim.problems import Path, Problem

MAX_NODES = 200_000
MAPPING, SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"


class CoreLoader(yaml.SafeLoader):
    """Scalars after the YAML 1.2 core schema: `1e-4` is a number; `on`, `12:30` and dates are text."""

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Value of a whole or decimal number; a leading zero does not make it octal."""
        text = node.value.lower()
        if text.endswith((".inf", ".nan")):
            return float(text.replace(".", ""))
        if re.fullmatch(r"0[xo][0-9a-f]+", text):
            return int(text, 0)
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


CoreLoader.yaml_implicit_resolvers = {}
CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^(?:[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)
CoreLoader.add_constructor("tag:yaml.org,2002:int", CoreLoader.construct_number)
CoreLoader.add_constructor("tag:yaml.org,2002:float", CoreLoader.construct_number)


@dataclass
class Document:
    """A parsed file.

    Attributes
    ----------
    data : Any
        Mappings, lists and scalars; None for an empty or unreadable document.
    lines : dict of path to int
        Line, from 1, on which each key or list entry begins.
    problems : list of Problem
        Syntax errors, duplicate keys and tags that plain data has no place for.
    """

    name: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, line: int) -> str:
        """`file:line` of a line of this document."""
        return f"{self.name}:{line}"

    def complain(self, node: yaml.Node, path: Path, rule: str) -> None:
        """Note a broken rule at a node."""
        self.problems.append(Problem(self.place(node.start_mark.line + 1), ".".join(path), rule))


def parse_yaml(text: str | bytes, name: str) -> Document:
    """Read one YAML document.

    Parameters
    ----------
    text : str or bytes
        The document; bytes are UTF-8 or UTF-16 with a mark.
    name : str
        What error messages call it.

    Returns
    -------
    Document
        Never raises on bad text: what is wrong stands in `problems`.
    """
    document = Document(name)
    try:
        loader = CoreLoader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        document.problems.append(_syntax_problem(error, name))
        return document
    except RecursionError:
        document.problems.append(Problem(name, "", "nesting is too deep to read"))
        return document
    document.lines[()] = 1
    if root is not None:
        document.data = _Reader(loader, document).value(root, ())
    return document


def _syntax_problem(error: yaml.YAMLError, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    text = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    place = f"{name}:{mark.line + 1}" if mark else name
    return Problem(place, "", f"not valid YAML: {text}" + (f" ({context})" if context else ""))


class _Reader:
    """Turns composed nodes into plain data, noting lines and problems on the way."""

    def __init__(self, loader: CoreLoader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.open: set[int] = set()
        self.count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        if id(node) in self.open or self.count > MAX_NODES:
            self.document.complain(node, path, "an alias must not repeat itself or grow without bound")
            return None
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (MAPPING, SEQUENCE):
            self.document.complain(node, path, f"the value must be plain data: no meaning for {node.tag}")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return self.sequence(node, path)
            return self.scalar(node, path)
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.document.complain(key_node, path, "a key must be a plain word")
                continue
            key = key_node.value
            line = key_node.start_mark.line + 1
            if key in data:
                first = self.document.lines[(*path, key)]
                rule = f"a key must stand once, got `{key}` again after line {first}"
                self.document.complain(key_node, (*path, key), rule)
                continue
            self.document.lines[(*path, key)] = line
            data[key] = self.value(value_node, (*path, key))
        return data

    def sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        for index, entry in enumerate(node.value):
            self.document.lines[(*path, str(index))] = entry.start_mark.line + 1
        return [self.value(entry, (*path, str(index))) for index, entry in enumerate(node.value)]

    def scalar(self, node: yaml.Node, path: Path) -> Hashable | None:
        try:
            value: Hashable = self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            text = getattr(error, "problem", None) or error
            self.document.complain(node, path, f"the value must be plain data: {text}")
            return None
        return value
