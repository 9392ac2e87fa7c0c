"""The gallery: its images are there and light, its commands are valid, its pictures survive reduction."""

import importlib.util
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import vl_convert

from sim.scenario import load_scenario
from sim.sweeps.study import load_study

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
assert SPEC is not None
assert SPEC.loader is not None
gallery = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gallery)


def test_every_image_of_the_page_has_its_file_and_they_are_light() -> None:
    folder = DOCS / "images" / "gallery"
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}

    assert PAGE.count("![") == len(gallery.images(PAGE))
    assert {Path(name).name for name in gallery.images(PAGE)} == set(sizes)
    assert max(sizes.values()) < 80_000
    assert sum(sizes.values()) < 1_200_000


def test_every_image_comes_from_a_folder_that_a_command_writes() -> None:
    written = {words[words.index("--out") + 1] for words in gallery.commands(PAGE) if "--out" in words}
    written |= {"runs/small-branch", "runs/critical-base"}

    assert [source for source in gallery.images(PAGE).values() if not source.startswith(tuple(written))] == []


def test_what_the_commands_run_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gallery.write_scenarios()
    ran = [words for words in gallery.commands(PAGE) if words[0] in ("run", "critical", "sweep")]
    for kind, source, *options in ran:
        changes = [options[i + 1] for i, option in enumerate(options) if option == "--set"]
        (load_study if kind == "sweep" else load_scenario)(source, changes)

    assert len(ran) >= 6


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">'
    '<rect width="60" height="40" fill="white"/>'
    '<rect x="5" y="5" width="20" height="30" fill="#0072b2"/><circle cx="40" cy="20" r="12" fill="#d55e00"/>'
    '<path d="M0 0L60 40" stroke="#333" fill="none"/></svg>'
)


def test_a_reduced_picture_has_a_palette_and_looks_the_same() -> None:
    png = vl_convert.svg_to_png(SVG, scale=2.0)
    small = gallery.reduced(png)
    before, after = gallery.decoded(png), palette_pixels(small)

    assert after.shape == before.shape == (80, 120, 3)
    assert len(small) < len(png)
    assert tuple(before[20, 20]) == tuple(after[20, 20]) == (0, 114, 178)
    assert tuple(before[40, 100]) == (213, 94, 0)
    assert np.abs(before.astype(int) - after).max() <= 8


def palette_pixels(png: bytes) -> np.ndarray:
    """Pixels of an unfiltered PNG with a palette, read by the letter of the specification."""
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[rows[:, 1:]]


@pytest.mark.parametrize("kind", range(5))
def test_each_filter_of_the_specification_is_undone(kind: int) -> None:
    rows = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 20) * 37
    stored = bytearray()
    for y in range(2):
        stored.append(kind)
        for x in range(20):
            left = int(rows[y, x - 4]) if x >= 4 else 0
            up = int(rows[y - 1, x]) if y else 0
            corner = int(rows[y - 1, x - 4]) if y and x >= 4 else 0
            nearest = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
            guess = (0, left, up, (left + up) // 2, nearest)[kind]
            stored.append((int(rows[y, x]) - guess) % 256)
    found = np.zeros(20, np.uint8)
    for y in range(2):
        line = np.frombuffer(bytes(stored[y * 21 : y * 21 + 21]), np.uint8)
        found = gallery.unfiltered(int(line[0]), line[1:], found)

        np.testing.assert_array_equal(found, rows[y])
