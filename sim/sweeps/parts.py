"""Result rows as Parquet parts: written whole, checked when read, merged when they grow many."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
            except (pa.ArrowException, OSError, KeyError) as error:
                damaged[name] = str(error)
                del self.rows[name]
                continue
            self.rows[name] = len(table)
            statuses = zip(table["key"].to_pylist(), table["status"].to_pylist(), strict=True)
            found |= {key: status for key, status in statuses if found.get(key) != "done"}
        return found, damaged

    def read(self, name: str, metrics: Sequence[str] | None = None) -> pa.Table:
        """A part, its checksums verified; all metrics, or those of the ones asked for that it has."""
        with self.place.opened(f"{FOLDER}/{name}") as file:
            part = pq.ParquetFile(file, page_checksum_verification=True)
            known = part.schema_arrow.names
            lacking = [column for column in FIXED.names if column not in known]
            if lacking:
                raise KeyError(f"a part must have the columns {', '.join(FIXED.names)}, it lacks {lacking}")
            wanted = (
                known if metrics is None else [*FIXED.names, *(each for each in metrics if each in known)]
            )
            return part.read(wanted)

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
        last = max(self.rows, default="part-000000")
        name = f"part-{int(last.split('-')[1]) + 1:06d}-{_mark(table)}.parquet"
        with self.place.writing(f"{FOLDER}/{name}") as stream:
            write_table(table, stream)
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


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Rows as a table: the fixed columns, then the metrics in alphabetical order."""
    fixed = [[getattr(row, name) for row in rows] for name in FIXED.names]
    metrics = sorted({name for row in rows for name in row.metrics})
    values = [pa.array([row.metrics.get(name) for row in rows], pa.float64()) for name in metrics]
    arrays = [pa.array(column, field.type) for column, field in zip(fixed, FIXED, strict=True)]
    return pa.Table.from_arrays([*arrays, *values], [*FIXED.names, *metrics])


def write_table(table: pa.Table, stream: object) -> None:
    """Write a table with checksums."""
    pq.write_table(table, stream, compression="zstd", write_page_checksum=True)


def settled(table: pa.Table) -> pa.Table:
    """One row for each key: a done one if there is any, otherwise the last."""
    done = pc.cast(pc.equal(table["status"], "done"), pa.int64())
    rank = pc.add(pc.multiply(done, len(table)), pa.array(range(len(table)), pa.int64()))
    ranked = table.append_column("rank", rank)
    best = ranked.group_by("key", use_threads=False).aggregate([("rank", "max")])["rank_max"]
    return ranked.filter(pc.is_in(rank, best)).drop_columns(["rank"])


def _mark(table: pa.Table) -> str:
    """Eight digits of the part's keys, so that two drivers never write one name."""
    return hashlib.sha256("".join(table["key"].to_pylist()).encode()).hexdigest()[:8]
