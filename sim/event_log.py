"""A log of events as small as its newest part: full parts go to a Parquet file, a row group each."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.book import Rows
from sim.scratch import scratch_folder

ROWS = 1 << 16


class Part(NamedTuple):
    """Consecutive events: the block of each, (k,), and their rows, (k,)."""

    block: NDArray[np.int32]
    rows: Rows


class EventLog:
    """Events of one kind in the order in which they happened.

    Parameters
    ----------
    kind : dtype
        Of a row; all fields are int64.
    capacity : int, optional
        Rows that are held in memory, `ROWS` by default.
    """

    def __init__(self, kind: np.dtype, capacity: int | None = None) -> None:
        self.kind, capacity = kind, capacity or ROWS
        self.newest = Part(np.empty(capacity, np.int32), np.empty(capacity, kind))
        self.held = self.spilled = 0
        self.spool: Spool | None = None

    def __len__(self) -> int:
        return self.spilled + self.held

    def append(self, block: int, rows: Rows) -> None:
        """Add events of one block."""
        capacity = len(self.newest.rows)
        while len(rows):
            taken = rows[: capacity - self.held]
            place = slice(self.held, self.held + len(taken))
            self.newest.block[place], self.newest.rows[place] = block, taken
            self.held, rows = self.held + len(taken), rows[len(taken) :]
            if self.held == capacity:
                self._spill()

    def _spill(self) -> None:
        """Write the newest part away."""
        if self.spool is None:
            self.spool = Spool(self.kind)
        self.spool.write(self.newest)
        self.spilled, self.held = self.spilled + self.held, 0

    def parts(self) -> Iterator[Part]:
        """All events, part by part; at least one part, which may be empty."""
        if self.spool is not None:
            yield from self.spool.read()
        if self.held or not self.spilled:
            yield Part(self.newest.block[: self.held], self.newest.rows[: self.held])

    def whole(self) -> Part:
        """All events at once."""
        blocks, rows = zip(*self.parts(), strict=True)
        return Part(np.concatenate(blocks), np.concatenate(rows))


class Spool:
    """A temporary Parquet file, a row group for each part that is written.

    Parameters
    ----------
    kind : dtype
        See `EventLog`.
    """

    def __init__(self, kind: np.dtype) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.kind = kind
        self.path = scratch_folder(self) / "events.parquet"
        names = kind.names or ()
        self.schema = pa.schema([("block", pa.int32()), *((name, pa.int64()) for name in names)])
        self.writer: pq.ParquetWriter | None = pq.ParquetWriter(self.path, self.schema, compression="zstd")

    def write(self, part: Part) -> None:
        """Append a part; nothing can be written once it was read."""
        import pyarrow as pa

        if self.writer is None:
            raise ValueError("a spool that was read takes no more parts")
        columns = [part.block, *(np.ascontiguousarray(part.rows[name]) for name in self.kind.names or ())]
        self.writer.write_table(pa.table(columns, schema=self.schema))

    def read(self) -> Iterator[Part]:
        """The parts in their order."""
        import pyarrow.parquet as pq

        if self.writer is not None:
            self.writer.close()
            self.writer = None
        with pq.ParquetFile(self.path) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                rows = np.empty(table.num_rows, self.kind)
                for name in self.kind.names or ():
                    rows[name] = table.column(name).to_numpy()
                yield Part(table.column("block").to_numpy(), rows)
