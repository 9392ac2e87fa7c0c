"""Draw the images of docs/gallery.md again, by running its commands as they stand.

    python docs/gallery.py FOLDER      # an empty folder for the runs

An image of the page is followed by the SVG that it is made of:

    ![…](images/gallery/prices.png) `runs/crash/figures/prices.svg`
"""

import os
import re
import shlex
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import vl_convert
from numpy.typing import NDArray
from typer.testing import CliRunner

import seawall

Bytes = NDArray[np.uint8]
DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r"!\[[^\]]*\]\((images/gallery/\w+\.png)\)\s+`([^`]+\.svg)`")
YAML = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
SIGNATURE, COLOURS = b"\x89PNG\r\n\x1a\n", 256
SCALE = 1.5


def commands(page: str) -> list[list[str]]:
    """Arguments of every `seawall` command of a page, in order."""
    lines = "\n".join(BLOCK.findall(page)).replace("\\\n", "").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [rest for first, *rest in filter(None, words) if first == "seawall"]


def images(page: str) -> dict[str, str]:
    """The SVG that each image of a page is made of, by the image."""
    return dict(IMAGE.findall(page))


def reduced(png: bytes) -> bytes:
    """The same picture in its 256 most frequent colours; others become the nearest of these."""
    pixels = decoded(png)
    height, width = pixels.shape[:2]
    flat = pixels.reshape(-1, 3).astype(np.int64)
    codes, where, counts = np.unique(flat @ [65536, 256, 1], return_inverse=True, return_counts=True)
    kept = codes[np.sort(np.argsort(-counts, kind="stable")[:COLOURS])]
    channels = [np.stack([each >> 16, each >> 8 & 255, each & 255], axis=1) for each in (codes, kept)]
    nearest = np.concatenate(
        [
            ((part[:, None] - channels[1]) ** 2).sum(axis=2).argmin(axis=1)
            for part in np.array_split(channels[0], 64)
        ]
    )
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = nearest[where].reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    palette = channels[1].astype(np.uint8).tobytes()
    data = zlib.compress(rows.tobytes(), 9)
    return SIGNATURE + b"".join(
        _chunk(kind, body)
        for kind, body in ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", data), (b"IEND", b""))
    )


def decoded(png: bytes) -> Bytes:
    """Pixels of an 8-bit PNG with an opacity, laid on white, (height, width, 3)."""
    chunks: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    if (depth, colour) != (8, 6):
        raise ValueError(
            f"an image must have four channels of 8 bits, got depth={depth}, colour type={colour}"
        )
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    pixels, above = np.zeros((height, width, 4)), np.zeros(4 * width, np.uint8)
    for row, line in enumerate(lines):
        above = unfiltered(int(line[0]), line[1:], above)
        pixels[row] = above.reshape(width, 4)
    opacity = pixels[..., 3:] / 255
    found: Bytes = np.rint(pixels[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return found


def unfiltered(kind: int, line: Bytes, above: Bytes) -> Bytes:
    """One row of bytes, of which each was stored as a difference (PNG specification, section 9)."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line.reshape(-1, 4), axis=0, dtype=np.uint8).ravel()
    if kind == 2:
        return line + above
    out, up = [0] * 4, [0] * 4 + above.tolist()
    for i, value in enumerate(line.tolist()):
        left, over, corner = out[i], up[i + 4], up[i]
        guess = (left + over) // 2 if kind == 3 else _paeth(left, over, corner)
        out.append((value + guess) & 255)
    return np.array(out[4:], np.uint8)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    far = abs(guess - left), abs(guess - above), abs(guess - corner)
    return left if far[0] <= far[1] and far[0] <= far[2] else above if far[1] <= far[2] else corner


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_scenarios() -> None:
    """Write the files of the tutorial into this folder."""
    for name, text in YAML.findall((DOCS / "tutorial.md").read_text(encoding="utf-8")):
        Path(name).write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    """Run the page's commands in a folder, and write its images."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    os.chdir(folder)
    write_scenarios()
    for words in commands(page):
        sys.stdout.write(f"seawall {shlex.join(words)}\n")
        result = CliRunner().invoke(seawall.app, words)
        if result.exit_code:
            sys.exit(result.output)
    for name, source in images(page).items():
        target = DOCS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(
            reduced(vl_convert.svg_to_png(Path(source).read_text(encoding="utf-8"), scale=SCALE))
        )
        sys.stdout.write(f"{name}: {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
