"""The settings of a sweep file, apart from what its axes hold."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError

from agents.settings import Duration, Settings, entries, parameter
from sim.sweeps.sheet import FROM_PYTHON, Sheet
from sim.validation import type_problems

Label = str | int | float | bool

SAMPLED = ("sobol", "lhs")
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def _given_as(seeds: object) -> str:
    return "list" if isinstance(seeds, list | tuple) else "count"


Seeds = Annotated[
    Annotated[Annotated[int, Field(ge=1)], Tag("count")]
    | Annotated[tuple[Seed, ...], BeforeValidator(entries), Tag("list")],
    Discriminator(_given_as),
]


def _label(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("a label is a word, a number, true or false")
    return value


def _axes(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict | list):
        raise ValueError("must be a mapping of axes, or for the design list a list of points")
    return value


class ReplicateSettings(Settings):
    """More seeds, until the mean of a metric is known well enough at every point."""

    metric: str = parameter(..., "", description="a number of summary.json")
    until: float = parameter(..., "as the metric", gt=0, description="half-width of the mean's interval")
    level: float = parameter(0.95, "1", gt=0.5, lt=1, description="of that interval")
    max: int = parameter(..., "1", ge=1, description="number of seeds at most")


class SweepSettings(Settings):
    """One scenario under several settings or policies, each of which meets the same random worlds."""

    name: str = Field(FROM_PYTHON, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    description: str = ""
    scenario: str = parameter(..., "", description="a file beside this one, or a bundled scenario")
    set: dict[str, Any] = parameter({}, "", description="laid over the scenario at every point")
    design: Literal["grid", "zip", "list", "sobol", "lhs"] = parameter("grid", "")
    axes: Annotated[dict[str, Any] | list[Any], BeforeValidator(_axes)] = parameter({}, "")
    seeds: Seeds = parameter(..., "1", description="a number of seeds, or a list of them")
    samples: int | None = parameter(None, "1", ge=1, description="points of a sampled design")
    design_seed: int = parameter(0, "1", ge=0, description="of a sampled design")
    replicates: ReplicateSettings | None = None
    time_limit: Duration | None = parameter(None, "s", gt=0, description="wall time of a run")
    baseline: dict[str, Annotated[Label, BeforeValidator(_label)]] = parameter(
        {}, "", description="axis to the label that others are held against"
    )
    gates: Annotated[tuple[str, ...], BeforeValidator(entries)] = parameter((), "")
    level: float = parameter(0.95, "1", gt=0.5, lt=1, description="of intervals in comparisons")

    @property
    def first_seeds(self) -> tuple[int, ...]:
        """Seeds that every point meets, before any further replicates."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(1, self.seeds + 1))

    @property
    def most_seeds(self) -> int:
        """Number of seeds that a point can come to."""
        return self.replicates.max if self.replicates else len(self.first_seeds)


def read_settings(sheet: Sheet) -> tuple[SweepSettings, set[str]]:
    """Settings of a sweep file, and the names of those that are broken and must not be used."""
    broken: set[str] = set()
    try:
        settings = SweepSettings.model_validate(sheet.layer.data)
    except ValidationError as error:
        sheet.problems += type_problems(error, sheet.layer, SweepSettings)
        broken = {str(detail["loc"][0]) for detail in error.errors()}
        sound = {name: value for name, value in sheet.layer.data.items() if name not in broken}
        settings = SweepSettings.model_validate({"scenario": "", "seeds": 1} | sound)
    if not broken & {"design", "samples", "design_seed"} and not _has_sound_samples(sheet, settings):
        broken.add("samples")
    if not broken & {"seeds", "replicates"}:
        _check_seeds(sheet, settings)
    return settings, broken


def _has_sound_samples(sheet: Sheet, settings: SweepSettings) -> bool:
    known, design, samples = len(sheet.problems), settings.design, settings.samples
    if design not in SAMPLED:
        for name in ("samples", "design_seed"):
            if name in settings.model_fields_set:
                sheet.complain((name,), f"only the designs {' and '.join(SAMPLED)} draw samples", design)
    elif samples is None:
        sheet.complain(("design",), f"the design {design} needs samples, the number of its points")
    elif design == "sobol" and samples & (samples - 1):
        below = 1 << samples.bit_length() - 1
        rule = f"samples of the design sobol must be a power of two, such as {below} or {2 * below}"
        sheet.complain(("samples",), rule, str(samples))
    return len(sheet.problems) == known


def _check_seeds(sheet: Sheet, settings: SweepSettings) -> None:
    seeds, replicates = settings.seeds, settings.replicates
    if isinstance(seeds, tuple):
        seen: set[int] = set()
        for index, seed in enumerate(seeds):
            if seed in seen:
                sheet.complain(("seeds", str(index)), "seeds must differ", f"{seed} again")
            seen.add(seed)
        if not seeds:
            sheet.complain(("seeds",), "a list of seeds needs at least one")
        if replicates:
            sheet.complain(("replicates",), "replicates need seeds given as a count, not as a list")
    elif replicates and replicates.max < seeds:
        values = f"max={replicates.max}, seeds={seeds}"
        sheet.complain(("replicates", "max"), "seeds <= max must hold", values)
