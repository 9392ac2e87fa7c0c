"""Parts: rows are found again, damage is found out, and many small parts become one."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from sweeping import row

from sim.sweeps import parts as module
from sim.sweeps.parts import FIXED, Parts, packed, part_name, settled, table_of
from sim.sweeps.place import Place
from sim.sweeps.tasks import Row


def filled(folder: Path, *batches: list[Row]) -> Parts:
    parts = Parts.of(Place(folder))
    for batch in batches:
        parts.add(batch)
    return parts


def files(folder: Path) -> list[Path]:
    return sorted((folder / "parts").iterdir())


def opened(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    return Parts.of(Place(folder)).check()


def made(folder: Path, table: pa.Table) -> str:
    """Name of a part that holds just this table."""
    content = packed(table)
    name = part_name(9, content)
    Place(folder).write(f"parts/{name}", content)
    return name


def contents(parts: Parts) -> list[object]:
    return [parts.read(name).to_pydict() for name in parts.rows]


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.file),)


def test_rows_come_back_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    parts = filled(tmp_path, [row("a", 1.0), row("b", 2.0)], [row("c", 3.0)])
    table = Parts.of(Place(tmp_path)).rows_of(["c", "x", "a"])

    assert table["key"].to_pylist() == ["c", "a"]
    assert table["liquidated_usd"].to_pylist() == [3.0, 1.0]
    assert parts.metrics() == ["liquidated_usd"]


def test_a_row_keeps_everything_that_is_known_of_it(tmp_path: Path) -> None:
    failed = Row("a", 2**62, "failed", "bad: ☃", "a\nb", "", {}, 0.25, 3, "host:1")
    parts = filled(tmp_path, [failed, row("b", transcript="ff")])
    table = parts.rows_of(["a", "b"]).to_pylist()

    assert {name: table[0][name] for name in FIXED.names} == {
        name: getattr(failed, name) for name in FIXED.names
    }
    assert table[0]["liquidated_usd"] is None
    assert table[1]["transcript"] == "ff"


def test_a_metric_that_some_parts_lack_is_empty_there(tmp_path: Path) -> None:
    parts = filled(tmp_path, [row("a")], [row("b", metrics={"bad_debt_gross_usd": 5.0})])

    assert parts.metrics() == ["bad_debt_gross_usd", "liquidated_usd"]
    assert parts.values("bad_debt_gross_usd") == {"b": 5.0}
    assert parts.rows_of(["a", "b"])["bad_debt_gross_usd"].to_pylist() == [None, 5.0]


def test_a_done_row_stands_above_a_later_failure_and_a_later_failure_above_an_earlier(tmp_path: Path) -> None:
    first = [row("a", 1.0), row("b", status="failed", error="first", metrics={})]
    second = [row("a", status="failed", metrics={}), row("b", status="failed", error="second", metrics={})]
    parts = filled(tmp_path, first, second)
    rows = parts.rows_of(["a", "b"]).to_pylist()

    assert [each["status"] for each in rows] == ["done", "failed"]
    assert rows[1]["error"] == "second"
    assert opened(tmp_path)[0] == {"a": "done", "b": "failed"}
    assert settled(table_of([*first, *second])).num_rows == 2


def test_small_parts_are_merged_and_no_row_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "YOUNG_PARTS", 3)
    parts = filled(tmp_path, *([row(f"{number}", float(number))] for number in range(10)))
    known = [str(number) for number in range(10)]

    assert len(files(tmp_path)) <= 4
    assert sorted(opened(tmp_path)[0]) == known
    assert parts.rows_of(known)["liquidated_usd"].to_pylist() == list(range(10))


def test_a_crash_while_parts_are_merged_leaves_rows_twice_and_shows_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(place: Place, name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "YOUNG_PARTS", 1)
    monkeypatch.setattr(Place, "delete", interrupted)
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path, [row("a", 1.0)], [row("b", 2.0)])
    parts = Parts.of(Place(tmp_path))

    assert len(files(tmp_path)) == 3
    assert parts.rows_of(["a", "b"])["liquidated_usd"].to_pylist() == [1.0, 2.0]


def test_equal_drivers_never_write_one_name_for_different_rows(tmp_path: Path) -> None:
    one, other = Parts.of(Place(tmp_path)), Parts.of(Place(tmp_path))
    one.add([row("a")])
    other.add([row("b")])

    assert sorted(opened(tmp_path)[0]) == ["a", "b"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: b"",
        lambda content: b"notes",
        lambda content: content[:300] + bytes(8) + content[308:],
    ],
    ids=["truncated", "empty", "text", "overwritten"],
)
def test_a_damaged_part_is_left_out_and_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    filled(tmp_path, [row("a")], [row("b")])
    broken, _ = files(tmp_path)
    broken.write_bytes(damage(broken.read_bytes()))
    statuses, damaged = opened(tmp_path)

    assert statuses == {"b": "done"}
    assert list(damaged) == [broken.name]
    assert "must hold a digest of its content" in damaged[broken.name]


def test_a_part_with_other_columns_is_left_out_and_named(tmp_path: Path) -> None:
    filled(tmp_path, [row("a")])
    name = made(tmp_path, pa.table({"key": ["b"]}))
    statuses, damaged = opened(tmp_path)

    assert statuses == {"a": "done"}
    assert damaged == {name: "a part must have a column seed of type int64"}


def test_a_flipped_byte_anywhere_changes_nothing_or_is_found(tmp_path: Path) -> None:
    filled(tmp_path, [row("a", 1.0), row("b", 2.0)])
    (file,) = files(tmp_path)
    whole, expected = file.read_bytes(), contents(Parts.of(Place(tmp_path)))
    unseen = []
    for index in range(0, len(whole), 3):
        file.write_bytes(whole[:index] + bytes([whole[index] ^ 0x01]) + whole[index + 1 :])
        parts = Parts.of(Place(tmp_path))
        _, damaged = parts.check()
        if not damaged and contents(parts) != expected:
            unseen.append(index)

    assert unseen == []


def test_a_part_with_a_name_that_we_never_gave_is_left_out_and_named(tmp_path: Path) -> None:
    filled(tmp_path, [row("a")])
    files(tmp_path)[0].rename(tmp_path / "parts" / "renamed.parquet")
    filled(tmp_path, [row("b")])
    statuses, damaged = opened(tmp_path)

    assert statuses == {"b": "done"}
    assert list(damaged) == ["renamed.parquet"]


def test_a_part_whose_columns_have_other_types_is_left_out(tmp_path: Path) -> None:
    filled(tmp_path, [row("a")])
    table = table_of([row("b")])
    texts = table.set_column(table.schema.get_field_index("liquidated_usd"), "liquidated_usd", [["much"]])
    name = made(tmp_path, texts)
    _, damaged = opened(tmp_path)

    assert damaged == {name: "a metric must be a column of doubles, got liquidated_usd of type string"}


def test_an_error_of_undecodable_text_is_stored(tmp_path: Path) -> None:
    filled(tmp_path, [row("a", status="failed", error="no such file: \udcff", metrics={})])

    assert opened(tmp_path)[0] == {"a": "failed"}


def test_no_rows_make_a_table_that_can_be_read(tmp_path: Path) -> None:
    parts = filled(tmp_path)

    assert parts.rows_of(["a"]).num_rows == 0
    assert parts.metrics() == []


def test_nothing_in_a_part_is_executed(tmp_path: Path) -> None:
    payload = pickle.dumps(Bomb(tmp_path / "bang"))
    named = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": payload}
    table = table_of([row("a")])
    field = pa.field("liquidated_usd", pa.float64(), metadata=named)
    index = table.schema.get_field_index("liquidated_usd")
    armed = table.cast(table.schema.set(index, field)).replace_schema_metadata({b"pandas": payload})
    made(tmp_path, armed)
    statuses, _ = opened(tmp_path)
    Parts.of(Place(tmp_path)).rows_of(["a"])

    assert statuses == {"a": "done"}
    assert not (tmp_path / "bang").exists()

    pickle.loads(payload)

    assert (tmp_path / "bang").exists()
