"""Logs of events that outgrow memory, and tables that do: what comes back is what was told, in order."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import SEED, crash, crashed

from protocol.book import Rows
from protocol.losses.journal import PAYMENT
from sim.event_log import EventLog, Spool
from sim.run import run
from sim.store import write_run
from sim.stored_tables import StoredTables, write_parts
from sim.streams import stream


def payments(count: int, seed: int = 1) -> Rows:
    """Payments of random numbers."""
    draw, rows = stream(seed, "payments"), np.zeros(count, PAYMENT)
    for name in PAYMENT.names or ():
        rows[name] = draw.integers(-(2**62), 2**62, count)
    return rows


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 17))
def test_events_come_back_in_order_however_many_fit(counts: list[int], capacity: int) -> None:
    told, log = payments(sum(counts)), EventLog(PAYMENT, capacity)
    borders = np.cumsum([0, *counts])
    for block, (first, last) in enumerate(pairwise(borders.tolist())):
        log.append(block, told[first:last])
    found = log.whole()

    assert len(log) == len(told)
    assert found.block.tolist() == np.repeat(np.arange(len(counts)), counts).tolist()
    assert found.rows.tobytes() == told.tobytes()
    assert found.rows.dtype == PAYMENT
    assert max(len(part.rows) for part in log.parts()) <= capacity


def test_what_is_held_in_memory_does_not_grow() -> None:
    log = EventLog(PAYMENT, 100)
    held = {id(log.newest.rows)}
    for block in range(50):
        log.append(block, payments(37))
        held.add(id(log.newest.rows))

    assert len(held) == 1
    assert log.held < 100
    assert log.spilled == 1_800
    assert log.spool is not None
    assert len(list(log.parts())) == 19
    assert pq.ParquetFile(log.spool.path).num_row_groups == 18


def test_a_log_that_fits_touches_no_disk() -> None:
    log = EventLog(PAYMENT, 100)
    log.append(1, payments(99))

    assert log.spool is None


def test_a_spool_that_was_read_takes_no_more() -> None:
    log = EventLog(PAYMENT, 10)
    log.append(1, payments(25))
    assert isinstance(log.spool, Spool)
    log.whole()

    with pytest.raises(ValueError, match="takes no more parts"):
        log.append(2, payments(25))


def test_the_file_of_a_log_goes_with_it() -> None:
    log = EventLog(PAYMENT, 10)
    log.append(1, payments(25))
    assert log.spool is not None
    path = log.spool.path
    log.whole()
    existed = path.exists()
    del log

    assert existed
    assert not path.parent.exists()


def test_a_run_whose_events_spill_is_the_same_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = crashed()
    monkeypatch.setattr("sim.event_log.ROWS", 50)
    spilled = run(crash(), SEED)

    assert isinstance(spilled.tables, StoredTables)
    assert not isinstance(plain.tables, StoredTables)
    assert spilled.transcript == plain.transcript
    assert spilled.summary == plain.summary
    assert set(spilled.tables) == set(plain.tables)
    assert len(spilled.tables["liquidations"]) > 50
    for name, table in plain.tables.items():
        pd.testing.assert_frame_equal(spilled.tables[name], table.reset_index(drop=True), check_dtype=False)


def test_tables_of_many_accounts_are_moved_to_the_run_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sim.run.MANY", 100)
    result = run(crash(), SEED)
    assert isinstance(result.tables, StoredTables)
    before = result.tables.folder
    write_run(result, tmp_path / "run")
    read = pd.read_parquet(tmp_path / "run" / "accounts.parquet")

    assert not list(before.iterdir())
    assert result.tables.folder == tmp_path / "run"
    pd.testing.assert_frame_equal(read, crashed().tables["accounts"], check_dtype=False)
    pd.testing.assert_frame_equal(result.tables["accounts"], read)
    with pytest.raises(KeyError):
        result.tables["nothing"]


def test_parts_become_row_groups_and_empty_ones_nothing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"role": ["retail", "vault"], "amount": [1.5, np.nan]})
    write_parts(iter([frame[:0], frame, frame[:0], frame]), tmp_path / "some.parquet")
    write_parts(iter([frame[:0], frame[:0]]), tmp_path / "none.parquet")

    assert pq.ParquetFile(tmp_path / "some.parquet").num_row_groups == 2
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "some.parquet"), pd.concat([frame, frame], ignore_index=True)
    )
    assert list(pd.read_parquet(tmp_path / "none.parquet").columns) == ["role", "amount"]
