"""Tables in Markdown, from the rows of a run: medians, and the ratios that the conclusions rest on."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from vizschema.conformance.benchmarks.formats.measure import Row

Condition = Mapping[str, str | int]
Format = tuple[str, str, str, str]
"""Container, codec, chunks and reader."""

BLOSC = "blosc-zstd"
PATTERNS = ("layer", "head", "row", "residue", "tile", "tiles of a head")


def label(key: Format) -> str:
    """How a contender is called."""
    return " ".join(part for part in key if part)


def select(rows: Iterable[Row], **condition: str | int) -> list[Row]:
    """The rows whose fields have these values."""
    return [row for row in rows if all(getattr(row, name) == value for name, value in condition.items())]


def by_format(rows: Iterable[Row]) -> dict[Format, list[Row]]:
    """The rows of each contender, in the order in which they come first."""
    found: dict[Format, list[Row]] = {}
    for row in rows:
        found.setdefault((row.container, row.codec, row.chunks, row.reader), []).append(row)
    return found


def seconds(rows: Iterable[Row]) -> float | None:
    """The median; null where there is none."""
    values = [row.seconds for row in rows if row.seconds is not None]
    return statistics.median(values) if values else None


def cpu(rows: Iterable[Row]) -> float | None:
    """The median of CPU seconds; null where there is none."""
    values = [row.cpu for row in rows if row.cpu is not None]
    return statistics.median(values) if values else None


def amplification(rows: Iterable[Row]) -> float | None:
    """The median of bytes over wanted bytes; null where nothing was counted."""
    values = [row.bytes / row.wanted for row in rows if row.bytes is not None and row.wanted]
    return statistics.median(values) if values else None


def document(rows: Sequence[Row]) -> str:
    """Every table that the rows have something for, each under a heading that names it."""
    sizes = sorted({row.n_res for row in rows})
    parts = [f"## {title}\n\n{text}\n" for title, text in _tables(rows, sizes) if text]
    return "# Tables\n\n" + "\n".join(parts)


def _tables(rows: Sequence[Row], sizes: Sequence[int]) -> Iterable[tuple[str, str]]:
    smooth, noise = (select(rows, workload="size", data=data) for data in ("smooth", "noise"))
    yield "Size, stored / in memory, smooth", _across(smooth, sizes, amplification, "{:.3f}")
    yield "Size, stored / in memory, noise", _across(noise, sizes, amplification, "{:.3f}")
    for cache in ("warm", "cold"):
        full = select(rows, workload="full", cache=cache)
        yield f"Full read, {cache}, MB/s", _across(full, sizes, speed, "{:.0f}")
    yield "Write, MB/s", _across(select(rows, workload="write"), sizes, speed, "{:.0f}")
    yield "Files", _across(select(rows, workload="files"), sizes, _files, "{:.0f}")
    access = [row for row in rows if row.workload in ("layer", "random")]
    for n_res in sizes:
        here = select(access, n_res=n_res)
        yield (
            f"Parts of attention, n_res {n_res}, warm, ms",
            _patterns(select(here, cache="warm"), _milliseconds, "{:.3g}"),
        )
        yield (
            f"Parts of attention, n_res {n_res}, cold, ms",
            _patterns(select(here, cache="cold"), _milliseconds, "{:.3g}"),
        )
        yield (
            f"Parts of attention, n_res {n_res}, warm, ms of CPU",
            _patterns(select(here, cache="warm"), _cpu_milliseconds, "{:.3g}"),
        )
        yield (
            f"Parts of attention, n_res {n_res}, bytes read / wanted",
            _patterns(select(here, cache="warm"), amplification, "{:.3g}"),
        )
    for pattern in ("head", "tile"):
        for workers in dict.fromkeys(row.workers for row in select(rows, workload="parallel")):
            found = select(rows, workload="parallel", pattern=pattern, workers=workers)
            yield f"Parallel, {workers}, {pattern}, ms a read", _across(found, sizes, _milliseconds, "{:.3g}")
    remote = select(rows, workload="remote")
    yield "Remote, first head, ms", _across(remote, sizes, _milliseconds, "{:.0f}")
    yield "Remote, first head, requests", _across(remote, sizes, _requests, "{:.0f}")
    yield "Remote, first head, bytes received / wanted", _across(remote, sizes, amplification, "{:.2f}")
    yield "Ratios of CPU seconds", ratios(rows, sizes)


Measure = Callable[[Iterable[Row]], float | None]


def speed(rows: Iterable[Row]) -> float | None:
    """Megabytes in memory a second, in the median of the times."""
    found = list(rows)
    middle = seconds(found)
    wanted = [row.wanted for row in found if row.wanted is not None]
    return wanted[0] / middle / 1e6 if middle and wanted else None


def _milliseconds(rows: Iterable[Row]) -> float | None:
    middle = seconds(rows)
    return None if middle is None else middle * 1e3


def _cpu_milliseconds(rows: Iterable[Row]) -> float | None:
    middle = cpu(rows)
    return None if middle is None else middle * 1e3


def _requests(rows: Iterable[Row]) -> float | None:
    values = [row.requests for row in rows if row.requests is not None]
    return statistics.median(values) if values else None


def _files(rows: Iterable[Row]) -> float | None:
    values = [row.files for row in rows if row.files is not None]
    return statistics.median(values) if values else None


def _across(rows: Sequence[Row], sizes: Sequence[int], measure: Measure, form: str) -> str:
    """A row a contender, a column a size."""
    lines = [
        [label(key), *(cell(measure(select(own, n_res=size)), form) for size in sizes)]
        for key, own in by_format(rows).items()
    ]
    return table(["", *(f"n_res {size}" for size in sizes)], lines) if lines else ""


def _patterns(rows: Sequence[Row], measure: Measure, form: str) -> str:
    """A row a contender, a column a pattern."""
    there = [name for name in PATTERNS if select(rows, pattern=name)]
    lines = [
        [label(key), *(cell(measure(select(own, pattern=name)), form) for name in there)]
        for key, own in by_format(rows).items()
    ]
    return table(["", *there], lines) if lines else ""


def parts_of(
    rows: Sequence[Row],
    n_res: int,
    cache: str,
    containers: Sequence[str],
    codec: str,
    *,
    bytes_too: bool = False,
) -> str:
    """The table of parts of attention at one size for some containers: milliseconds, or bytes read over wanted."""
    found = [row for row in select(rows, n_res=n_res, cache=cache, codec=codec) if row.workload in ("layer", "random")]
    own = [row for row in found if row.container in containers]
    measure = amplification if bytes_too else _cpu_milliseconds
    return f"n_res {n_res}, {cache}, {'bytes read / wanted' if bytes_too else 'ms of CPU'}:\n\n" + _patterns(
        own, measure, "{:.3g}"
    )


def cell(value: float | None, form: str) -> str:
    """The value in this form, never with an exponent (170, not 1.7e+02); a dash where there is none."""
    text = "–" if value is None else form.format(value)
    return f"{float(text):,.0f}" if "e+" in text else text


def quotient(above: float | None, below: float | None) -> str:
    """What the one is divided by the other, to two digits; a dash where there is none."""
    return cell(above / below if above and below else None, "{:.2g}")


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


RATIOS: Sequence[tuple[str, Condition, Format, Format]] = tuple(
    (f"{pattern}: {label(slow)} / {label(fast)}", {"pattern": pattern, "cache": "warm"}, slow, fast)
    for slow, fast in (
        (("zarr-v2", BLOSC, "tiles32", ""), ("zarr-v2", BLOSC, "head", "")),
        (("zarr-v3", BLOSC, "tiles32", ""), ("zarr-v3", BLOSC, "head", "")),
        (("zarr-v3", BLOSC, "tiles32", "direct"), ("zarr-v3", BLOSC, "head", "direct")),
        (("zarr-v3", BLOSC, "head", ""), ("hdf5", BLOSC, "head", "no cache")),
        (("zarr-v3", BLOSC, "head", "direct"), ("hdf5", BLOSC, "head", "no cache")),
        (("zarr-v3", BLOSC, "head", ""), ("zarr-v3", BLOSC, "head", "caching")),
        (("zarr-v3", BLOSC, "tiles32", ""), ("hdf5", BLOSC, "tiles32", "")),
        (("npz", "none", "", ""), ("zarr-v3", BLOSC, "head", "")),
    )
    for pattern in PATTERNS
)
"""What is divided by what: a name, the rows that count, and the two contenders."""


def ratios(rows: Sequence[Row], sizes: Sequence[int]) -> str:
    """The table of `RATIOS`: medians of CPU seconds of one run, divided by one another."""
    access = [row for row in rows if row.workload in ("layer", "random")]
    lines = []
    for name, condition, slow, fast in RATIOS:
        cells = []
        for size in sizes:
            found = by_format(select(access, n_res=size, **condition))
            above, below = cpu(found.get(slow, [])), cpu(found.get(fast, []))
            cells.append(quotient(above, below))
        if any(cell != "–" for cell in cells):
            lines.append([name, *cells])
    return table(["", *(f"n_res {size}" for size in sizes)], lines) if lines else ""
