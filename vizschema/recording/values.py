"""What a tensor becomes before it is stored: letters, rows per token, the part that a call adds. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vizschema.errors import UsageError
from vizschema.recording.taps import Tap
from vizschema.recording.tensors import dtype_named

SAMPLE, TOKEN = "sample", "token"


def converted(node: str, tap: Tap, tensor: Any, cast: Sequence[tuple[Any, Any]]) -> Any:
    """Return the tensor of a tap as its row wants it, and in the dtype that `cast` has for `node` (pattern, dtype)."""
    if tap.kind == "argmax":
        tensor = tensor.argmax(-1)
    if tap.row.letters is not None:
        tensor = spelled(node, tensor, tap.row.letters)
    if tap.row.cast == "bool":
        tensor = tensor != 0
    for pattern, dtype in cast:
        if pattern.search(node) and tensor.dtype.is_floating_point:
            tensor = tensor.to(dtype)
    return tensor


def added(node: str, tap: Tap, tensor: Any, names: Sequence[str], grows: str, before: Mapping[str, int]) -> Any:
    """Return what a call adds to an array along the axis `grows`, once it is clear that it follows the sizes `before`.

    Raises `UsageError` where it does not.
    """
    axes = along(grows, names)
    if not axes:
        raise UsageError(
            path=node,
            expected=f"an axis {grows} along which the values of this call follow those before",
            found=" ".join(names) or "no axes",
            fix="record each call in an archive of its own, or leave the array out with select",
        )
    if tap.row.whole and grows == TOKEN:
        at = names.index(axes[0])
        return tensor.narrow(at, before[axes[0]], tensor.shape[at] - before[axes[0]])
    for axis in axes[1:]:
        total, found = before[axes[0]] + tensor.shape[names.index(axes[0])], tensor.shape[names.index(axis)]
        if grows == TOKEN and found != total:
            raise UsageError(
                path=node,
                expected=f"{total} entries along {axis}, one per token so far",
                found=found,
                fix="a static or sliding cache has others: record one call over the whole text instead",
            )
    return tensor


def spelled(node: str, numbers: Any, letters: str) -> Any:
    """Return the codes of letters, of which `numbers` has the places in `letters`."""
    numbers = numbers.to(dtype_named("int64"))
    wrong = numbers[(numbers < 0) | (numbers >= len(letters))]
    if wrong.numel():
        raise UsageError(path=node, expected=f"numbers of the {len(letters)} letters {letters}", found=int(wrong[0]))
    return numbers.new_tensor(list(letters.encode("ascii")), dtype=dtype_named("uint8"))[numbers]


def along(axis: str, names: Sequence[str]) -> list[str]:
    """Return the axes of this name that grow: the one without the role key first."""
    found = [name for name in names if name.partition(":")[0] == axis]
    return sorted(found, key=lambda name: name.endswith(":key"))


def spread(tensor: Any, names: Sequence[str], sizes: Mapping[str, int]) -> Any:
    """Return `tensor` with one entry along the samples repeated for all of them, as the model reads it."""
    if names[:1] == (SAMPLE,) and tensor.shape[0] == 1 and sizes.get(SAMPLE, 1) > 1:
        return tensor.expand(sizes[SAMPLE], *tensor.shape[1:])
    return tensor


def unpacked(tap: Tap, values: Any, sizes: Mapping[str, int]) -> Any:
    """Return weights with one row per token and head.

    Of one token, a kernel may have been given the heads of a group as rows.

    Raises `UsageError` where the rows are neither.
    """
    at = next((number for number, axis in enumerate(tap.axes) if axis.endswith(":query")), None)
    count = None if at is None else sizes.get(tap.axes[at].partition(":")[0])
    if at is None or count is None or values.shape[at] == count or values.ndim != len(tap.axes):
        return values
    if count == 1 and at == 2:
        return values.reshape(values.shape[0], -1, 1, values.shape[3])
    raise UsageError(
        path=tap.node,
        expected=f"{count} queries, one per token",
        found=f"{values.shape[at]} in what the kernel was given",
        fix='load the model with attn_implementation="eager"',
    )


def is_any_left_out(values: Any, names: Sequence[str], mask: Any, axes: Sequence[str]) -> bool:
    """Return whether any of `values` is not 0 where `mask` is false, read along each axis of its name."""
    counts = mask.new_ones(values.shape)
    for role in range(len(names)):
        base = names[role].partition(":")[0]
        if base not in axes[1:] or mask.ndim != 2:
            continue
        size = values.shape[role]
        shape = [values.shape[0], *(size if each == role else 1 for each in range(1, values.ndim))]
        counts = counts & mask[:, -size:].reshape(shape)
    return bool((values.masked_fill(counts, 0) != 0).any())
