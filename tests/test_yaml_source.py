"""YAML: plain data, line numbers, and problems in place of exceptions."""

import math

import pytest

from sim.yaml_source import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-2.5E+3", -2500.0),
        (".5", 0.5),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2020-03-12T00:00:00Z", "2020-03-12T00:00:00Z"),
        ("~", None),
        ("", None),
        ("'1e-4'", "1e-4"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("60s", "60s"),
    ],
)
def test_scalars_are_read_after_the_core_schema(text: str, value: object) -> None:
    document = parse_yaml(f"x: {text}", "f.yaml")

    assert document.problems == []
    assert document.data == {"x": value}
    assert type(document.data["x"]) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(parse_yaml("x: .nan", "f.yaml").data["x"])


def test_every_key_and_entry_knows_its_line() -> None:
    document = parse_yaml("a:\n  b: 1\n  c:\n    - {d: 2}\n    -\n      e: 3\n", "f.yaml")

    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", "0"): 4,
        ("a", "c", "0", "d"): 4,
        ("a", "c", "1"): 6,
        ("a", "c", "1", "e"): 6,
    }


def test_anchors_repeat_a_value() -> None:
    document = parse_yaml("a: &x {b: 1}\nc: *x\n", "f.yaml")

    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3  a: a key must stand once, got `a` again after line 1"),
        ("a:\n  - x\n  y: 2\n", "f.yaml:3  not valid YAML"),
        ("a: [1, 2\n", "f.yaml:2  not valid YAML"),
        ("a: *nowhere\n", "f.yaml:1  not valid YAML: found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2  not valid YAML"),
        ("a: &a [*a]\n", "f.yaml:1  a.0: an alias must not repeat itself or grow without bound"),
        ("? [1, 2]\n: 3\n", "f.yaml:1  a key must be a plain word"),
        ("a: !!python/object:os.system {}\n", "f.yaml:1  a: the value must be plain data"),
        ("a: !!python/name:os.system x\n", "f.yaml:1  a: the value must be plain data"),
        ("a: !!int x\n", "f.yaml:1  a: the value must be plain data"),
        ("a: !mine x\n", "f.yaml:1  a: the value must be plain data"),
        ("a: \x00\n", "f.yaml  not valid YAML: special characters are not allowed"),
        ("\ta: 1\n", "f.yaml:1  not valid YAML"),
    ],
)
def test_bad_text_becomes_a_problem_with_its_line(text: str, message: str) -> None:
    problems = [str(problem) for problem in parse_yaml(text, "f.yaml").problems]

    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_bytes_that_are_no_text_become_a_problem() -> None:
    document = parse_yaml(b"\x80abc", "f.yaml")

    assert str(document.problems[0]).startswith("f.yaml  not valid YAML")


def test_aliases_that_multiply_are_stopped() -> None:
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for depth in range(1, 9):
        aliases = ", ".join([f"*a{depth - 1}"] * 10)
        text += f"a{depth}: &a{depth} [{aliases}]\n"

    problems = parse_yaml(text, "f.yaml").problems

    assert "grow without bound" in str(problems[0])


def test_deep_nesting_becomes_a_problem() -> None:
    problems = parse_yaml("[" * 5000, "f.yaml").problems

    assert len(problems) == 1


def test_an_empty_document_has_no_data_and_no_problem() -> None:
    document = parse_yaml("# nothing\n", "f.yaml")

    assert (document.data, document.problems) == (None, [])
