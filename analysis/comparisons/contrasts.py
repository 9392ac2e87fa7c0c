"""Which policies a comparison sets against each other: the labels of an axis, or two sweeps."""

from collections.abc import Iterable, Mapping, Sequence

from agents.settings import parse_duration
from analysis.comparisons.arms import Arm, Combination, Contrast
from analysis.comparisons.words import horizon
from analysis.wording import count, joined
from sim.problems import Problem, ScenarioError, shown, suggestion
from sim.sweeps.design import Label
from sim.sweeps.results import SweepResults

POINT = "point"
Where = Mapping[str, object]


def contrasts_within(
    results: SweepResults, by: str, baseline: object = None, where: Where | None = None
) -> list[Contrast]:
    """Every label of an axis against the baseline's.

    Parameters
    ----------
    results : SweepResults
    by : str
        An axis; "point" compares whole points.
    baseline : label, optional
        By default the one that the sweep names, or else the first.
    where : mapping of axis to label, optional
        Keeps other axes at one label.

    Raises
    ------
    ScenarioError
        When an axis or label does not exist, or no combination of the other axes is common.
    """
    where = where or {}
    _complain(
        [*_unknown_axes(results, [*where, *([] if by == POINT else [by])]), *_fixed(results, by, where)]
    )
    _complain(_unknown_labels(results, where))
    arms = _arms(results, by, where)
    if not arms:
        _complain([Problem(results.place, "where", "no point of the sweep has all of these labels")])
    first = _baseline(results, by, baseline, list(arms))
    others = [arm for label, arm in arms.items() if label != first]
    if not others:
        _complain([Problem(results.place, by, "at least two labels are needed", f"only {arms[first].name}")])
    contrasts = [_contrast(arms[first], other, arms[first].seeds) for other in others]
    strangers = [each.alternative.name for each in contrasts if not each.combinations]
    rule = f"it must share a combination of the other axes with {arms[first].name}; compare by point instead"
    _complain([Problem(results.place, f"{by}={name}", rule) for name in strangers])
    return contrasts


def contrasts_across(first: SweepResults, second: SweepResults, where: Where | None = None) -> list[Contrast]:
    """One sweep as the baseline of another, by seed and by the labels of the axes that both have.

    Raises
    ------
    ScenarioError
        When they have no seed or no combination in common, or an axis that only one of them has is not fixed.
    """
    where = where or {}
    common = [axis for axis in first.manifest["axes"] if axis in second.manifest["axes"]]
    sweeps = (first, second)
    here = [
        {axis: label for axis, label in where.items() if axis in each.manifest["axes"]} for each in sweeps
    ]
    known = [*first.manifest["axes"], *second.manifest["axes"]]
    unknown = [
        Problem("", axis, f"no such axis{suggestion(axis, known)}") for axis in where if axis not in known
    ]
    _complain(
        [
            *unknown,
            *(p for each, fixed in zip(sweeps, here, strict=True) for p in _unknown_labels(each, fixed)),
        ]
    )
    names = _names(first, second)
    arms = [
        Arm(name, name, each, _distinct(each, common, fixed))
        for name, each, fixed in zip(names, sweeps, here, strict=True)
    ]
    seeds = [seed for seed in arms[0].seeds if seed in set(arms[1].seeds)]
    contrast = _contrast(arms[0], arms[1], seeds)
    rule = "two sweeps must have a {} in common with " + first.place
    missing = [word for word, found in (("seed", seeds), ("point", contrast.combinations)) if not found]
    _complain([Problem(second.place, "", rule.format(word)) for word in missing])
    return [contrast]


def left_out(contrasts: Sequence[Contrast]) -> list[str]:
    """Sentences on seeds and combinations that one side lacks."""
    notes = []
    for each in contrasts:
        for arm in each.arms:
            seeds = len(arm.seeds) - len(each.seeds)
            combinations = len(arm.points) - len(each.combinations)
            parts = [count(seeds, "seed")] * (seeds > 0) + [count(combinations, "point")] * (combinations > 0)
            if parts:
                other = next(one.name for one in each.arms if one is not arm)
                notes.append(f"Left out: {joined(parts)} of {arm.name} that {other} does not have.")
    return list(dict.fromkeys(notes))


def other_lengths(contrasts: Sequence[Contrast]) -> list[str]:
    """A sentence on runs of another length than the base scenario's, which pages name as the horizon."""
    lengths: dict[str, None] = {}
    for arm in (arm for each in contrasts for arm in each.arms):
        manifest = arm.results.manifest
        lengths[manifest["scenario"]["clock"]["duration"]] = None
        lengths |= {
            point["changes"]["clock.duration"]: None
            for point in manifest["points"]
            if "clock.duration" in point["changes"]
        }
    if len(lengths) < 2:
        return []
    spans = joined([horizon(float(str(parse_duration(length)))) for length in lengths])
    return [f"Runs differ in length, {spans}: the horizon named here is that of the base scenario."]


def label_text(label: object) -> str:
    """A label as messages, tables and the command line write it."""
    return str(label).lower() if isinstance(label, bool) else f"{label}"


def _complain(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise ScenarioError(found)


def _unknown_axes(results: SweepResults, axes: Iterable[str]) -> list[Problem]:
    known = results.manifest["axes"]
    return [
        Problem(results.place, axis, f"no such axis{suggestion(axis, known)}")
        for axis in axes
        if axis not in known
    ]


def _fixed(results: SweepResults, by: str, where: Where) -> list[Problem]:
    rule = "an axis is either compared or kept at one label"
    return [Problem(results.place, by, rule, label_text(where[by]))] if by in where else []


def _unknown_labels(results: SweepResults, where: Where) -> list[Problem]:
    problems = []
    for axis, label in where.items():
        known = list(dict.fromkeys(entry["labels"][axis] for entry in results.manifest["points"]))
        if not any(same_label(label, each) for each in known):
            near = suggestion(label_text(label), map(label_text, known))
            problems.append(Problem(results.place, axis, f"no such label {shown(label)}{near}"))
    return problems


def same_label(given: object, label: Label) -> bool:
    """Whether a label from the command line or from Python means a label of a sweep."""
    if label_text(given) == label_text(label):
        return True
    if isinstance(label, bool | str) or isinstance(given, bool):
        return False
    try:
        return float(str(given)) == float(label)
    except ValueError:
        return False


def _kept(results: SweepResults, where: Where) -> list[tuple[int, Mapping[str, Label]]]:
    """Points at the fixed labels, with the labels of each."""
    return [
        (index, entry["labels"])
        for index, entry in enumerate(results.manifest["points"])
        if all(same_label(label, entry["labels"][axis]) for axis, label in where.items())
    ]


def _arms(results: SweepResults, by: str, where: Where) -> dict[Label, Arm]:
    found: dict[Label, dict[Combination, int]] = {}
    for index, labels in _kept(results, where):
        others = () if by == POINT else tuple(each for each in labels.items() if each[0] != by)
        found.setdefault(_point_name(labels) if by == POINT else labels[by], {})[others] = index
    return {label: Arm(_arm_name(by, label), label, results, points) for label, points in found.items()}


def _arm_name(by: str, label: Label) -> str:
    """A label, with the setting that it is a value of."""
    return f"{by.rpartition('.')[2]}={label_text(label)}" if "." in by else label_text(label)


def _point_name(labels: Mapping[str, Label]) -> str:
    return ", ".join(f"{axis}={label_text(label)}" for axis, label in labels.items()) or "the only point"


def _baseline(results: SweepResults, by: str, given: object, labels: Sequence[Label]) -> Label:
    wanted = results.manifest["baseline"].get(by) if given is None else given
    found = next((label for label in labels if same_label(wanted, label)), None)
    if found is not None:
        return found
    if given is not None:
        near = suggestion(label_text(given), map(label_text, labels))
        _complain([Problem(results.place, by, f"no such label {shown(given)} for the baseline{near}")])
    return labels[0]


def _contrast(baseline: Arm, alternative: Arm, seeds: Sequence[int]) -> Contrast:
    common = tuple(each for each in baseline.points if each in alternative.points)
    return Contrast(baseline, alternative, tuple(seeds), common)


def _names(first: SweepResults, second: SweepResults) -> tuple[str, str]:
    names = str(first.manifest["name"]), str(second.manifest["name"])
    return names if names[0] != names[1] else (first.place, second.place)


def _distinct(results: SweepResults, axes: Sequence[str], where: Where) -> dict[Combination, int]:
    """Points of a sweep by the labels of some axes, which must tell them apart."""
    found: dict[Combination, int] = {}
    for index, labels in _kept(results, where):
        combination = tuple((axis, labels[axis]) for axis in axes)
        if combination in found:
            loose = [axis for axis in results.manifest["axes"] if axis not in axes and axis not in where]
            rule = "only this sweep has the axis; keep it at one label"
            _complain([Problem(results.place, axis, rule) for axis in loose])
        found[combination] = index
    return found
