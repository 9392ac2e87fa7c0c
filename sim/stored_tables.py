"""Tables of a run that is too large to be held in memory: written as they are made, read when asked for."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from sim.scratch import scratch_folder

Parts = Callable[[], Iterator[pd.DataFrame]]


class StoredTables(Mapping[str, pd.DataFrame]):
    """A mapping of table names to frames that lie in a temporary folder until they are moved.

    Parameters
    ----------
    tables : mapping of str to callable
        What makes each table, part by part; a part becomes a row group.
    """

    def __init__(self, tables: Mapping[str, Parts]) -> None:
        self.folder = scratch_folder(self)
        self.names = tuple(tables)
        for name, parts in tables.items():
            write_parts(parts(), self.folder / f"{name}.parquet")

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.names:
            raise KeyError(name)
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def move(self, folder: Path) -> None:
        """Move every file to a folder, each whole or not at all; later reads find them there."""
        for name in self.names:
            partial = folder / f".{name}.parquet"
            shutil.move(self.folder / f"{name}.parquet", partial)
            partial.rename(folder / f"{name}.parquet")
        self.folder = folder


def write_parts(parts: Iterator[pd.DataFrame], path: Path) -> None:
    """Write frames of the same columns to one Parquet file, a row group each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    empty = pd.DataFrame()
    for frame in parts:
        if not len(frame):
            empty = frame
            continue
        schema = writer.schema if writer else None
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is None:
        empty.to_parquet(path, index=False, compression="zstd")
    else:
        writer.close()
