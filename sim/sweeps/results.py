"""The results of a sweep as tidy tables: a row for each point and seed, failures included."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.metrics import describe
from sim.problems import Problem, ScenarioError
from sim.sources import digest
from sim.sweeps.manifest import NAME, Manifest, MetricEntry, read_manifest
from sim.sweeps.parts import TEXTS, Parts
from sim.sweeps.place import Place

RESULTS = "results.parquet"
CHUNK = 20_000
Wanted = tuple[int, int, str]


@dataclass(frozen=True)
class SweepResults:
    """What a sweep left behind.

    Attributes
    ----------
    place : str
        Where it lies: a folder or a URL.
    manifest : mapping
        Scenario, points, seeds, code revision, metrics; plain data.
    points : DataFrame
        One row per point: `point`, and a column per axis with its label.
    runs : DataFrame
        One row per point and seed, failures included: `point`, the axes, `seed`, `status`, `error`,
        `traceback`, `transcript`, and a column per metric, NaN where it has no meaning.
    """

    place: str
    manifest: Mapping[str, Any]
    points: pd.DataFrame
    runs: pd.DataFrame

    @property
    def metrics(self) -> list[str]:
        """Columns of `runs` that hold metrics."""
        return list(self.manifest["metrics"])

    @property
    def failures(self) -> pd.DataFrame:
        """Rows of the runs that are not done."""
        return self.runs[self.runs["status"] != "done"]

    @property
    def missing(self) -> int:
        """Number of runs that the sweep asks for and the store does not hold yet."""
        return len(self.points) * len(self.manifest["seeds"]) - len(self.runs)


def load_sweep(place: str | Path) -> SweepResults:
    """Read a sweep, finished or not; nothing in it is executed.

    Parameters
    ----------
    place : str or Path
        Folder or URL, as given to `seawall sweep --out`.

    Raises
    ------
    ScenarioError
        When no sweep lies there, or its files are not what they should be.
    """
    store = Place(place)
    try:
        manifest = read_manifest(store.read(NAME), str(place))
    except FileNotFoundError:
        rule = f"a sweep must hold {NAME}, and none is there"
        raise ScenarioError([Problem(str(place), "", rule)]) from None
    table = _finished(store, manifest.results)
    if table is None:
        table = _unfinished(store, manifest)
    if not manifest.metrics:
        known = {"point", *manifest.axes, "seed", *TEXTS}
        found = [name for name in table.column_names if name not in known]
        manifest = manifest.model_copy(update={"metrics": metric_entries(found, manifest.markets)})
    points = pd.DataFrame([{"point": each.point, **each.labels} for each in manifest.points])
    return SweepResults(str(place), manifest.model_dump(), points, table.to_pandas())


def write_results(place: Place, manifest: Manifest, parts: Parts) -> list[str]:
    """Write the table of all runs, point by point, in bounded memory.

    Returns
    -------
    list of str
        The metrics that it holds.
    """
    metrics = parts.metrics()
    schema = _schema(manifest, metrics)
    with place.writing(RESULTS) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for chunk in _chunks(manifest.tasks()):
            writer.write_table(_tidy(manifest, parts, chunk, schema))
    return metrics


def metric_entries(names: Iterable[str], markets: Sequence[str]) -> dict[str, MetricEntry]:
    """What each metric of a table means."""
    entries = {}
    for name in names:
        metric = describe(name, markets)
        fields = {each: getattr(metric, each) for each in MetricEntry.model_fields}
        entries[name] = MetricEntry(**fields)
    return entries


def _finished(store: Place, expected: str) -> pa.Table | None:
    """The table of results, if it is there and as it was written."""
    if not expected or not store.exists(RESULTS):
        return None
    content = store.read(RESULTS)
    return pq.read_table(pa.BufferReader(content)) if digest(content) == expected else None


def _unfinished(store: Place, manifest: Manifest) -> pa.Table:
    """Whatever intact parts hold of a sweep that is still going on, or was stopped."""
    parts = Parts.of(store)
    parts.check()
    schema = _schema(manifest, parts.metrics())
    tables = [_tidy(manifest, parts, chunk, schema) for chunk in _chunks(manifest.tasks())]
    return pa.concat_tables([schema.empty_table(), *tables])


def _chunks(wanted: Iterator[Wanted]) -> Iterator[list[Wanted]]:
    while chunk := list(islice(wanted, CHUNK)):
        yield chunk


def _schema(manifest: Manifest, metrics: Sequence[str]) -> pa.Schema:
    labels = [(axis, _label_type(manifest, axis)) for axis in manifest.axes]
    texts = [(name, pa.string()) for name in TEXTS]
    numbers = [(name, pa.float64()) for name in metrics]
    return pa.schema([("point", pa.int32()), *labels, ("seed", pa.int64()), *texts, *numbers])


def _label_type(manifest: Manifest, axis: str) -> pa.DataType:
    """Type of an axis' column: numbers stay numbers, and a mixture becomes text."""
    kinds = {type(entry.labels[axis]) for entry in manifest.points}
    if kinds <= {int, float}:
        return pa.int64() if kinds == {int} else pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def _tidy(manifest: Manifest, parts: Parts, wanted: Sequence[Wanted], schema: pa.Schema) -> pa.Table:
    """Rows of some tasks in their order; a task that is not stored has none, equal tasks share theirs."""
    stored = parts.rows_of([key for _, _, key in wanted])
    at = {key: index for index, key in enumerate(stored["key"].to_pylist())}
    known = [(point, seed, at[key]) for point, seed, key in wanted if key in at]
    rows = stored.take(pa.array([index for _, _, index in known], pa.int64()))
    columns: dict[str, list[Any]] = {
        "point": [point for point, _, _ in known],
        "seed": [seed for _, seed, _ in known],
    }
    for axis in manifest.axes:
        labels = [manifest.points[point].labels[axis] for point in columns["point"]]
        columns[axis] = [str(label) for label in labels] if schema.field(axis).type == pa.string() else labels
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name], field.type))
        elif field.name in rows.column_names:
            arrays.append(rows[field.name])
        else:
            arrays.append(pa.nulls(len(rows), field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
