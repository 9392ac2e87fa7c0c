"""Result rows as Parquet parts: written whole, checked when read, merged when they grow many."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sim.sources import digest
from sim.sweeps.place import Place
from sim.sweeps.tasks import Row

FOLDER = "parts"
DAMAGED = "damaged"
TEXTS = ("status", "error", "traceback", "transcript")
FIXED = pa.schema(
    [
        ("key", pa.string()),
        ("seed", pa.int64()),
        *((name, pa.string()) for name in TEXTS),
        ("seconds", pa.float64()),
        ("attempts", pa.int32()),
        ("worker", pa.string()),
    ]
)
NAMED = re.compile(r"part-(?P<number>\d{6,})-(?P<digest>[0-9a-f]{16})\.parquet")
YOUNG_ROWS = 5000
YOUNG_PARTS = 40


@dataclass
class Parts:
    """The parts of a store.

    Attributes
    ----------
    place : Place
        The store.
    rows : dict of str to int
        Number of rows in each part, in the order in which they were written.
    """

    place: Place
    rows: dict[str, int]

    @classmethod
    def of(cls, place: Place) -> "Parts":
        """The parts that a place holds, not read yet."""
        return cls(place, dict.fromkeys(place.names(FOLDER), 0))

    def check(self) -> tuple[dict[str, str], dict[str, str]]:
        """Read every part from end to end, and leave out those that are damaged.

        Returns
        -------
        (dict of str to str, dict of str to str)
            Status by key, a later part standing above an earlier one and `done` above all; and what is
            wrong with each damaged part by its name.
        """
        found: dict[str, str] = {}
        damaged = {}
        for name in list(self.rows):
            try:
                table = self.read(name)
            except (pa.ArrowException, OSError, ValueError) as error:
                damaged[name] = str(error)
                del self.rows[name]
                continue
            self.rows[name] = len(table)
            statuses = zip(table["key"].to_pylist(), table["status"].to_pylist(), strict=True)
            found |= {key: status for key, status in statuses if found.get(key) != "done"}
        return found, damaged

    def read(self, name: str, metrics: Sequence[str] | None = None) -> pa.Table:
        """A part; all metrics, or those of the ones asked for that it has.

        Raises
        ------
        ValueError
            When it is not what was written: its name holds a digest of its content.
        """
        content = self.place.read(f"{FOLDER}/{name}")
        named = NAMED.fullmatch(name)
        if named is None or named["digest"] != digest(content):
            raise ValueError("a part's name must hold a digest of its content, and this one's does not")
        known = pq.read_schema(pa.BufferReader(content))
        _check_columns(known)
        chosen = (
            None if metrics is None else [*FIXED.names, *(each for each in metrics if each in known.names)]
        )
        return pq.read_table(pa.BufferReader(content), columns=chosen)

    def values(self, metric: str) -> dict[str, float]:
        """A metric by key, where a run has it."""
        found: dict[str, float] = {}
        for name in self.rows:
            table = self.read(name, [metric])
            if metric in table.column_names:
                pairs = zip(table["key"].to_pylist(), table[metric].to_pylist(), strict=True)
                found |= {key: value for key, value in pairs if value is not None}
        return found

    def metrics(self) -> list[str]:
        """Metrics that any part holds, in alphabetical order."""
        names = {name for part in self.rows for name in self._schema(part).names}
        return sorted(names - set(FIXED.names))

    def _schema(self, name: str) -> pa.Schema:
        with self.place.opened(f"{FOLDER}/{name}") as file:
            return pq.read_schema(file)

    def set_aside(self, name: str) -> None:
        """Keep a damaged part out of the way, for whoever wants to look at it."""
        self.place.write(f"{DAMAGED}/{name}", self.place.read(f"{FOLDER}/{name}"))
        self.place.delete(f"{FOLDER}/{name}")

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows as a new part, and merge the small parts when there are many."""
        self._write(table_of(list(rows)))
        young = [name for name, count in self.rows.items() if count < YOUNG_ROWS]
        if len(young) > YOUNG_PARTS:
            self._merge(young)

    def _merge(self, names: Sequence[str]) -> None:
        """Put a merged part in the place of several; a crash on the way leaves rows twice, never none."""
        self._write(settled(pa.concat_tables(map(self.read, names), promote_options="default")))
        for name in names:
            self.place.delete(f"{FOLDER}/{name}")
            del self.rows[name]

    def _write(self, table: pa.Table) -> None:
        numbers = [int(named["number"]) for name in self.rows if (named := NAMED.fullmatch(name))]
        content = packed(table)
        name = part_name(max(numbers, default=0) + 1, content)
        self.place.write(f"{FOLDER}/{name}", content)
        self.rows[name] = len(table)

    def rows_of(self, keys: Sequence[str], metrics: Sequence[str] | None = None) -> pa.Table:
        """The rows of these keys, one for each that is stored, in the order of `keys`."""
        wanted = pa.array(keys, pa.string())
        found = [FIXED.empty_table()]
        for name in self.rows:
            table = self.read(name, metrics)
            found.append(table.filter(pc.is_in(table["key"], wanted)))
        table = settled(pa.concat_tables(found, promote_options="default"))
        return table.take(pc.sort_indices(pc.index_in(table["key"], wanted)))


def part_name(number: int, content: bytes) -> str:
    """Name of a part, which tells whether the part is what was written."""
    return f"part-{number:06d}-{digest(content)}.parquet"


def packed(table: pa.Table) -> bytes:
    """A table as the content of a Parquet file."""
    content = pa.BufferOutputStream()
    pq.write_table(table, content, compression="zstd")
    packed: bytes = content.getvalue().to_pybytes()
    return packed


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Rows as a table: the fixed columns, then the metrics in alphabetical order."""
    fixed = [[_storable(getattr(row, name)) for row in rows] for name in FIXED.names]
    metrics = sorted({name for row in rows for name in row.metrics})
    values = [pa.array([row.metrics.get(name) for row in rows], pa.float64()) for name in metrics]
    arrays = [pa.array(column, field.type) for column, field in zip(fixed, FIXED, strict=True)]
    return pa.Table.from_arrays([*arrays, *values], [*FIXED.names, *metrics])


def _storable(value: object) -> object:
    """Text without what UTF-8 cannot hold, such as bytes of a file name; other values as they are."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _check_columns(schema: pa.Schema) -> None:
    """A part holds the fixed columns and, beside them, numbers only."""
    for field in FIXED:
        if field not in schema:
            raise ValueError(f"a part must have a column {field.name} of type {field.type}")
    for field in schema:
        if field.name not in FIXED.names and field.type != pa.float64():
            raise ValueError(f"a metric must be a column of doubles, got {field.name} of type {field.type}")


def settled(table: pa.Table) -> pa.Table:
    """One row for each key: a done one if there is any, otherwise the last."""
    done = pc.cast(pc.equal(table["status"], "done"), pa.int64())
    rank = pc.add(pc.multiply(done, len(table)), pa.array(range(len(table)), pa.int64()))
    ranked = table.append_column("rank", rank)
    best = ranked.group_by("key", use_threads=False).aggregate([("rank", "max")])["rank_max"]
    return ranked.filter(pc.is_in(rank, best)).drop_columns(["rank"])
