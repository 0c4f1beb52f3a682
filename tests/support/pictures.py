"""The page as pictures, for the docs: `PYTHONPATH=tests python -P -m support.pictures OUT [SCENE…]`.

Writes a PNG of each scene (all, or those that are named) at the width of a desktop and of a phone into OUT, and fails
where axe finds a fault or the console has a complaint. Of the archive at a URL it prints requests, bytes and seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from support.axe import examined
from support.chromium import Page
from support.language_model import gpt2
from support.large import made_up, write_large
from support.opened import chosen, hosted, link_of, until, viewed
from support.real.pack import unpack

import vizschema
from vizschema.conformance.fixtures.pages import READERS

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
COLOURS = 256
"""Colours of a picture: few, so that its file is small."""

HOSTILE = '<img src="x" onerror="alert(1)">'
RIGHT_TO_LEFT = "layer\u202egnp.exe"
LARGE = "/attention/self/layer_17"

Scene = Callable[[Path], Any]
"""Makes what a page is opened on, in an empty folder, and opens it."""


@contextmanager
def fixture(name: str, array: str, folder: Path, cell: tuple[int, int] = (0, 0)) -> Iterator[Page]:
    """The archive of a fixture, with a map."""
    arrays, attributes = READERS[name]()
    vizschema.write(folder / f"{name}.zarr", arrays, attributes, profile=name)
    with shown(folder / f"{name}.zarr", array, cell) as opened:
        yield opened


@contextmanager
def vit(folder: Path) -> Iterator[Page]:
    """The fixture of a vision transformer, with its attention rolled out over the image."""
    with fixture("vit", "/attention/self/layer_05", folder, (0, 5)) as opened:
        opened.evaluate("document.querySelector('#rollout summary').click()")
        until(opened, "document.querySelector('#rollout canvas')")
        yield opened


@contextmanager
def language_model(folder: Path) -> Iterator[Page]:
    """A trace of a language model."""
    arrays, attributes = gpt2()
    vizschema.write(folder / "gpt2.zarr", arrays, attributes, profile="lm")
    with shown(folder / "gpt2.zarr", "/attention/self/layer_01", (16, 7)) as opened:
        yield opened


@contextmanager
def failing(folder: Path) -> Iterator[Page]:
    """A published archive that does not conform, with its findings open."""
    unpack(folder)
    with shown(folder / "published" / "vit_mnist_trace.zarr", "/attention/layer_2", (0, 9)) as opened:
        opened.evaluate("document.querySelector('#findings > li > details').open = true")
        yield opened


@contextmanager
def hostile(folder: Path) -> Iterator[Page]:
    """An archive whose names want to be markup, to turn the text around, and to be very long."""
    path = folder / "hostile.npz"
    names = [HOSTILE, RIGHT_TO_LEFT, f"long{'x' * 200}", "a/../../etc/passwd", "javascript:alert(1)"]
    np.savez(path, **{f"extra/{name}": np.eye(8) for name in names})
    with shown(path, "onerror", (0, 0)) as opened:
        yield opened


@contextmanager
def large(folder: Path) -> Iterator[Page]:
    """An archive of 5 GB at a URL."""
    size = write_large(folder / "large.zarr")
    with hosted(folder, misbehave=made_up) as (opened, server):

        def asked() -> str:
            found = [each for each in server.requests if each.path.startswith("/large.zarr")]
            return f"{len(found)} requests, {sum(each.length for each in found):,} bytes"

        began = time.monotonic()
        opened.call("Page.navigate", url=link_of(server, f"{server.url}/large.zarr"))
        until(opened, "document.getElementById('look')?.hidden === false")
        seconds = time.monotonic() - began
        until(opened, "!document.getElementById('verdict').hidden")
        print(f"large: {size:,} bytes of attention; tree after {seconds:.1f} s, {asked()}")
        began = time.monotonic()
        pictured(opened, LARGE, (700, 690))
        print(f"large: a map of one head after another {time.monotonic() - began:.1f} s; in all {asked()}")
        yield opened


@contextmanager
def shown(path: Path, array: str, cell: tuple[int, int]) -> Iterator[Page]:
    """The page of an archive with the map of an array, and a value of it read."""
    with viewed(path) as (opened, _):
        until(opened, "!document.getElementById('verdict').hidden")
        pictured(opened, array, cell)
        yield opened


def pictured(opened: Page, array: str, cell: tuple[int, int]) -> None:
    """Choose an array, and point at a row and a column."""
    chosen(opened, array)
    canvas = "document.querySelector('.map canvas')"
    until(opened, f"{canvas}.width > 1 && document.querySelector('.histogram svg')")
    point = (
        f"{{ const it = {canvas}, area = it.getBoundingClientRect();"
        f" const clientX = area.left + ({cell[1]} + 0.5) / it.width * area.width;"
        f" const clientY = area.top + ({cell[0]} + 0.5) / it.height * area.height;"
        " it.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY })) }"
    )
    opened.evaluate(point)


SCENES: Mapping[str, Scene] = {
    "openfold": lambda folder: fixture("openfold", "/attention/triangle_start/layer_01", folder, (26, 40)),
    "vit": vit,
    "mnist": lambda folder: fixture("mnist", "/activations/conv1", folder, (12, 12)),
    "gpt2": language_model,
    "failing": failing,
    "hostile": hostile,
    "large": large,
}


def main(out: Path, names: list[str]) -> int:
    """1 where a page has a fault, after all pictures were written."""
    faults = []
    for name in names or SCENES:
        with TemporaryDirectory() as folder, SCENES[name](Path(folder)) as opened:
            for size, (width, height) in SIZES.items():
                sized(opened, width, height)
                faults += [(name, size, *each) for each in examined(opened, "light").faults]
                opened.screenshot(out / f"page-{name}-{size}.png")
                shrunk(out / f"page-{name}-{size}.png")
            faults += [(name, complaint) for complaint in opened.complaints]
    for fault in faults:
        print(json.dumps(fault), file=sys.stderr)
    return 1 if faults else 0


def sized(opened: Page, width: int, height: int) -> None:
    """Give the page a size, with all of its tree."""
    opened.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    opened.call("Emulation.setScrollbarsHidden", hidden=True)
    opened.evaluate(
        "{ const it = document.getElementById('search'); it.value = ''; it.dispatchEvent(new Event('input')) }"
    )


def shrunk(path: Path) -> None:
    """Write a picture again with few colours."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
