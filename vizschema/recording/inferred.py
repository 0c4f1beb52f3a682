"""Names of axes from the shapes of a model in runs of which each has another input size. No torch here.

An axis of the inputs is a set of their dimensions that can have another size together. A dimension elsewhere has the
name of an axis only if it has its size in every run. Which axis is the sample, and which the token, follows from what
layers and kernels of the library define (the batch of a convolution, the queries of a kernel), never from a position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vizschema.recording.taps import node_name

Shape = tuple[int, ...]
Dimension = tuple[str, int]
"""A tensor of the inputs, by its place, and the number of one of its dimensions."""

Sizes = tuple[int, ...]
"""The size of a dimension in the first run, and then in that of each axis."""

Attempt = Callable[[Mapping[str, Shape]], Any]
"""A run with other shapes of inputs, by place; None where the model fails."""

SPATIAL = {1: ("position",), 2: ("height", "width"), 3: ("depth", "height", "width")}
_LAYERS = {
    **{f"Conv{n}d": n for n in SPATIAL},
    **{f"ConvTranspose{n}d": n for n in SPATIAL},
    **{f"BatchNorm{n}d": n for n in SPATIAL},
}
"""Layers whose input is [sample, channel, …], with so many dimensions after the channel."""

_SMALL = 7
RECURRENT = ("LSTM", "GRU", "RNN")


@dataclass(slots=True)
class Runs:
    """The first run, and one for each axis of the inputs, in which that axis has another size."""

    given: Mapping[str, Shape]
    runs: list[Any]
    axes: list[frozenset[Dimension]] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    def sizes_of(self, read: Callable[[Any], Shape | None]) -> list[Sizes] | None:
        """The sizes of each dimension of what `read` finds in a run; None where its rank is not always the same."""
        shapes = [read(run) for run in self.runs]
        if None in shapes or len({len(shape or ()) for shape in shapes}) != 1:
            return None
        return [tuple(sizes) for sizes in zip(*(shape or () for shape in shapes), strict=True)]

    def axis(self, sizes: Sizes) -> int | None:
        """The number of the axis that a dimension of these sizes follows, exactly."""
        for number, dimensions in enumerate(self.axes):
            place, at = next(iter(dimensions))
            wanted = [self.given[place][at]] * len(self.runs)
            wanted[number + 1] = self.changed[number]
            if tuple(wanted) == sizes:
                return number
        return None

    @property
    def first(self) -> Any:
        """The first run."""
        return self.runs[0]


def found(given: Mapping[str, Shape], first: Any, attempt: Attempt) -> Runs:
    """Return the axes of the inputs, with a run for each; `first` is the one with the shapes `given`."""
    runs = Runs(given, [first])
    taken: set[Dimension] = set()
    for place, shape in given.items():
        for at in range(len(shape)):
            if (place, at) in taken or shape[at] == 0:
                continue
            for dimensions in _together(given, (place, at), taken):
                if _varied(runs, dimensions, attempt):
                    taken |= dimensions
                    break
    return runs


def _together(
    given: Mapping[str, Shape], dimension: Dimension, taken: set[Dimension]
) -> Iterator[frozenset[Dimension]]:
    """Sets of dimensions that may be one axis, the likeliest first.

    That is the smallest, but where the size is 1: there a dimension alone could be varied because it is repeated.
    """
    place, at = dimension
    size = given[place][at]
    equal = [(other, n) for other, shape in given.items() for n, each in enumerate(shape) if each == size]
    free = frozenset(equal) - taken
    same = frozenset(each for each in free if each[1] == at)
    others = frozenset(each for each in free if each[0] != place) | {dimension}
    sets = [frozenset({dimension}), same, others, free]
    yield from dict.fromkeys([same, sets[0], others, free] if size == 1 else sets)


def _varied(runs: Runs, dimensions: frozenset[Dimension], attempt: Attempt) -> bool:
    """Add a run in which these dimensions have another size, if the model accepts one."""
    place, at = next(iter(dimensions))
    used = {size for shape in runs.given.values() for size in shape} | set(runs.changed) | runs.first.sizes()
    for size in _others(runs.given[place][at], at, used):
        shapes = {
            place: tuple(size if (place, n) in dimensions else each for n, each in enumerate(shape))
            for place, shape in runs.given.items()
        }
        run = attempt(shapes)
        if run is not None:
            runs.runs.append(run)
            runs.axes.append(dimensions)
            runs.changed.append(size)
            return True
    return False


def _others(size: int, at: int, used: set[int]) -> list[int]:
    """Other sizes to try along dimension `at`: primes above and below that divide no size that occurs.

    One that divides a size could be taken up by a reshape. Beyond the first dimension of a tensor, multiples too: they
    can be halved as often as the size itself.
    """
    primes = [n for n in range(2, 2 * size + 200) if all(n % m for m in range(2, int(n**0.5) + 1))]
    apart = [n for n in primes if not any(other % n == 0 for other in used if other)]
    above = [n for n in apart if n > 2 * size][:1] + [n for n in apart if n > size][:1]
    tried = [*above, *[n for n in reversed(apart) if n < size][:1]]
    if at > 0 and size > _SMALL:
        tried += [size * n for n in (3, 5, 7, 11)] + [size // 2]
    return [n for n in dict.fromkeys(tried) if n not in used]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Numbers of axes that are a sample, and of those that are a sequence."""

    samples: frozenset[int]
    sequences: frozenset[int]


def evidence(runs: Runs, kinds: Mapping[str, Any]) -> Evidence:
    """Return what layers and kernels say of the axes; `kinds` are the modules by name."""
    samples: set[int | None] = set()
    sequences: set[int | None] = set()
    for name, module in kinds.items():
        sizes = runs.sizes_of(lambda run, name=name: run.taken.get(name))  # type: ignore[misc]
        kind = type(module).__name__
        if sizes is None:
            continue
        spatial = _LAYERS.get(kind)
        if spatial is not None and len(sizes) in (spatial + 2, 2 if kind == "BatchNorm1d" else 0):
            samples.add(runs.axis(sizes[0]))
        if kind in RECURRENT and len(sizes) == 3:
            first, second = runs.axis(sizes[0]), runs.axis(sizes[1])
            samples.add(first if module.batch_first else second)
            sequences.add(second if module.batch_first else first)
    for weights in weights_of(runs, again=True).values():
        samples.add(runs.axis(weights[0]) if len(weights) > 2 else None)
        sequences |= {runs.axis(weights[-2]), runs.axis(weights[-1])}
    certain = {each for each in samples if each is not None} or set(_only(runs, sequences))
    return Evidence(frozenset(certain), frozenset(each for each in sequences if each is not None))


def _only(runs: Runs, sequences: set[int | None]) -> list[int]:
    """The one axis beside sequences that every output of the model has; none where there are several."""
    outputs = runs.first.returned[""]
    kept = []
    for number in range(len(runs.axes)):
        sizes = [runs.sizes_of(lambda run, at=at: run.returned[""].get(at)) or [] for at in outputs]  # type: ignore[misc]
        if number not in sequences and all(any(runs.axis(each) == number for each in every) for every in sizes):
            kept.append(number)
    return kept if len(kept) == 1 else []


def weights_of(runs: Runs, *, again: bool = False) -> dict[str, list[Sizes]]:
    """Return the sizes of weights by the module that computed them once, by a kernel or a softmax.

    With `again`, also of modules that computed several of one shape.
    A softmax counts if its last two dimensions are sequences: equal in every run, each equal to such a one, or an axis
    of the inputs.
    """
    every: dict[str, list[Sizes]] = {}
    soft: dict[str, list[Sizes]] = {}
    for key in ("kernels", "soft"):
        for name, shapes in getattr(runs.first, key).items():
            is_one = len(shapes) == 1 and runs.first.called.get(name, 1) == 1
            if name in every or not (is_one or (again and len(set(shapes)) == 1)):
                continue
            sizes = runs.sizes_of(lambda run, key=key, name=name: (getattr(run, key).get(name) or [None])[0])  # type: ignore[misc]
            if sizes is None or len(sizes) not in (3, 4):
                continue
            (every if key == "kernels" else soft)[name] = sizes
    squares = {sizes[-1] for sizes in (*every.values(), *soft.values()) if len(sizes) == 4 and sizes[-1] == sizes[-2]}
    for name, sizes in soft.items():
        if all(each in squares or runs.axis(each) is not None for each in sizes[-2:]):
            every[name] = sizes
    return every


class Names:
    """The names of the axes of a model: `samples` are the numbers of those axes, `words` the names of all."""

    def __init__(
        self, runs: Runs, kinds: Mapping[str, Any], params: Mapping[str, str], samples: frozenset[int]
    ) -> None:
        self.runs = runs
        self.samples = samples
        self._sequences = evidence(runs, kinds).sequences
        self.images = dict(_images(runs, kinds))
        self.words: dict[int, str] = {}
        tokens = sorted(self._sequences - samples) or _texts(runs, kinds, samples)
        for number, dimensions in enumerate(runs.axes):
            place, at = min(dimensions, key=lambda each: list(runs.given).index(each[0]))
            stem = params[place]
            if number in samples:
                self.words[number] = "sample" if len(samples) == 1 else f"{stem}_sample"
            elif number in tokens:
                self.words[number] = "token" if len(tokens) == 1 else f"{stem}_token"
            elif place in self.images:
                self.words[number] = self.images[place][at]
            else:
                self.words[number] = f"{stem}_{at}"
        twice = [word for word, count in Counter(self.words.values()).items() if count > 1]
        for number in [number for number, word in self.words.items() if word in twice]:
            place, at = min(runs.axes[number])
            self.words[number] = f"{params[place]}_{self.words[number]}"

    def of(self, sizes: Sequence[Sizes], own: str, tail: Sequence[str] = ()) -> list[str] | None:
        """Return the names of dimensions, those that follow no axis called after `own`; None where a name is doubled.

        `tail` has the words of the last dimensions.
        """
        axes = [self.runs.axis(each) for each in sizes]
        words = dict(zip(range(len(sizes) - len(tail), len(sizes)), tail, strict=True))
        alone = axes.count(None) == 1
        names = []
        for at, axis in enumerate(axes):
            last = "unit" if alone and at == len(sizes) - 1 else str(at)
            names.append(self.words[axis] if axis is not None else f"{own}_{words.get(at, last)}")
        return names if len(set(names)) == len(names) else None

    def of_input(self, place: str, stem: str) -> list[str] | None:
        """Return the names of the dimensions of an input."""
        shape = self.runs.given[place]
        words = self.images.get(place)
        names: list[str] = []
        fixed: list[int] = []
        for at in range(len(shape)):
            axis = next((n for n, dimensions in enumerate(self.runs.axes) if (place, at) in dimensions), None)
            names.append(self.words[axis] if axis is not None else words[at] if words else f"{stem}_{at}")
            fixed += [at] if axis is None else []
        if fixed == [len(shape) - 1] and not words:
            names[-1] = f"{stem}_unit"
        return names if len(set(names)) == len(names) else None


def _texts(runs: Runs, kinds: Mapping[str, Any], samples: frozenset[int]) -> list[int]:
    """The one axis beside the sample of inputs that an embedding is given; none where there are several."""
    taken = {runs.first.taken.get(name) for name, module in kinds.items() if type(module).__name__ == "Embedding"}
    places = {place for place, shape in runs.given.items() if shape in taken}
    axes = [(n, {place for place, _ in dimensions}) for n, dimensions in enumerate(runs.axes)]
    found = [n for n, inputs in axes if n not in samples and inputs & places]
    return found if len(found) == 1 else []


def _images(runs: Runs, kinds: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Inputs that a convolution is given as they are, and the names of their dimensions."""
    done: set[str] = set()
    for name, module in kinds.items():
        spatial = _LAYERS.get(type(module).__name__)
        taken = runs.first.taken.get(name)
        if spatial is None or taken is None or not type(module).__name__.startswith("Conv"):
            continue
        for place, shape in runs.given.items():
            if shape == taken and len(shape) == spatial + 2 and place not in done:
                done.add(place)
                yield place, ["sample", "channel", *SPATIAL[spatial]]


def own_words(module: Any) -> tuple[str, ...]:
    """Return the words of the last dimensions of what a layer of the library returns."""
    spatial = _LAYERS.get(type(module).__name__)
    return () if spatial is None else ("channel", *SPATIAL[spatial])


def stem_of(name: str) -> str:
    """Return the stem of the numbers of a list of modules: `encoder.layers` is `encoder_layer`."""
    return node_name(name, "block").removesuffix("s")
