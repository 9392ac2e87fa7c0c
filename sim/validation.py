"""From pydantic's errors to problems with a rule, a value, a path and a place."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sim.layers import Layer
from sim.problems import Path, Problem, shown, suggestion

RULES: dict[str, str] = {
    "missing": "must be given",
    "greater_than": "must be > {gt:.12g}",
    "greater_than_equal": "must be >= {ge:.12g}",
    "less_than": "must be < {lt:.12g}",
    "less_than_equal": "must be <= {le:.12g}",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_pattern_mismatch": "must match {pattern}",
    "datetime_type": "must be a time, as in 2020-03-12T00:00:00Z",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "literal_error": "must be one of {expected}",
    "union_tag_invalid": "kind must be one of {expected_tags}",
    "union_tag_not_found": "kind must be given",
}


def type_problems(error: ValidationError, layer: Layer, model: type[BaseModel]) -> list[Problem]:
    """One problem per error of a failed validation.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised.
    layer : Layer
        The data that was validated, with the origins of its keys.
    model : type
        The model it was validated against, for the names an unknown key may have meant.
    """
    problems = []
    for detail in error.errors(include_url=False):
        path = located(detail["loc"], layer.data)
        fields = _siblings(model, detail["loc"][:-1])
        place = layer.origin(path).place
        detail["input"] = _written(layer.data, path, detail["input"])
        problems.append(Problem(place, ".".join(path), *_told(detail, path, fields), about=(path,)))
    return problems


def located(location: Sequence[int | str], data: Any) -> Path:
    """Path in the data of pydantic's location, which also names union members on the way."""
    path: list[str] = []
    tagged = False
    for step in location:
        if not tagged and isinstance(data, dict) and data.get("kind") == step:
            tagged = True
            continue
        keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if step in keys:
            data, tagged = data[step], False
        elif not isinstance(data, dict) or step == "[key]":
            continue
        path.append(str(step))
    return tuple(path)


def _written(data: Any, path: Path, otherwise: Any) -> Any:
    """Value as it was written, which a validator may have turned into something else."""
    for step in path:
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdecimal():
            data = data[int(step)]
        else:
            return otherwise
    return data


def _told(detail: ErrorDetails, path: Path, fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """Rule and value of an error."""
    kind, context, value = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(path[-1], fields)}", ""
    if kind == "missing":
        described = fields[path[-1]].description if path[-1] in fields else None
        return RULES[kind] + (f": {described}" if described else ""), ""
    if kind == "value_error":
        return str(context["error"]), value
    if kind == "union_tag_invalid":
        return RULES[kind].format(**context), shown(context["tag"])
    template = RULES.get(kind)
    return (template.format(**context) if template else detail["msg"]), value


def _siblings(model: type[BaseModel], location: Sequence[int | str]) -> dict[str, FieldInfo]:
    """Fields of the section that a location leads to."""
    annotation: Any = model
    for step in location:
        annotation = _below(annotation, step)
    return {name: field for found in models_in(annotation) for name, field in found.model_fields.items()}


def _below(annotation: Any, step: int | str) -> Any:
    """Annotation one step down: a field, a union member by its kind, or what a container holds."""
    for model in models_in(annotation):
        if step in model.model_fields:
            return model.model_fields[str(step)].annotation
        kind = model.model_fields.get("kind")
        if kind is not None and step in get_args(kind.annotation):
            return model
    return annotation


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Models that an annotation names, inside unions and containers too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]
