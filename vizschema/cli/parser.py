"""The parser of the command line: the table of commands, each with its help and an example.

Imports next to nothing, and a command gets its arguments (`arguments.py`) when it is typed: help is there at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from vizschema.cli import arguments
from vizschema.containers.formats import SHOWN, WRITERS

Fill = Callable[[argparse.ArgumentParser], None]

DEFAULT_BENCHMARK = "formats"

_SHOWN = ", ".join(SHOWN.values())


EXIT_CODES = """\
exit codes:
  0  conforms (with --strict: without warnings)
  1  does not conform
  2  wrong usage
  3  cannot be read as an archive
  4  a problem with the spec, the pin or the configuration
  70 internal error: please report it
With several archives, the exit code is the largest."""


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """What `argv` (without the program's name) asks for; raises `SystemExit` after help, and for wrong usage."""
    return parser().parse_args(_with_benchmark(argv))


def parser() -> Parser:
    """The parser of the command line; a command gets its arguments once it is `filled`."""
    found = Parser(
        prog="vizschema",
        description=f"Validate archives of traced neural networks ({_SHOWN}) against a specification.",
        epilog=f"example:\n  vizschema validate run.zarr\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action=_Version, nargs=0, help="print this version and those of the spec, and exit")
    _add(found, "command", COMMANDS)
    return found


def whole_parser() -> Parser:
    """The parser of the command line, with the arguments of every command."""
    found = parser()
    pending: list[Any] = [found]
    while pending:
        for action in pending.pop().filled()._actions:  # argparse has no public way to ask
            if isinstance(action, argparse._SubParsersAction):
                pending += action.choices.values()
    return found


class Parser(argparse.ArgumentParser):
    """A parser that gets its arguments by `fill` once it is to parse. Options are not abbreviated.

    Its messages suggest what was meant, escape what was typed, and mask what is secret in URLs.
    """

    def __init__(self, *args: Any, fill: Fill | None = None, **options: Any) -> None:
        super().__init__(*args, **options | {"allow_abbrev": False})
        self.register("type", int, _whole)
        self.register("type", float, _number)
        self._fill = fill

    def filled(self) -> Parser:
        """This parser, with its arguments."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return what was typed; exit with the help where a command is missing, and with code 2 for unknown words."""
        self.filled()
        if not args and self._subparsers is not None:
            self.print_help(sys.stderr)
            self.exit(2)
        # Before argparse asks for what is missing. Where another parser reads the rest, only the first words are ours.
        first = self._leaves_rest()
        for word in takewhile(lambda word: word != "--" and (word.startswith("-") or not first), args or ()):
            if word.startswith("--") and word.partition("=")[0] not in self._option_string_actions:
                self._refuse_unknown(word)
        found, unknown = super().parse_known_args(args if first else self._options_first(args or ()), namespace)
        if unknown:
            self._refuse_unknown(unknown[0])
        return found, []

    def _options_first(self, args: Sequence[str]) -> list[str]:
        """Return the same words with the options first: argparse takes no optional word that follows an option."""
        options: list[str] = []
        words: list[str] = []
        pending = list(reversed(args))
        while pending and pending[-1] != "--":
            word = pending.pop()
            action = self._option_string_actions.get(word)
            if action is None and not (word.startswith("-") and word != "-"):
                words.append(word)
                continue
            options.append(word)
            left = _most_of(action)
            while left and pending and pending[-1] not in ("--", *self._option_string_actions):
                options.append(pending.pop())
                left -= 1
        return [*options, *(["--"] if words or pending else []), *words, *reversed(pending[:-1])]

    def _leaves_rest(self) -> bool:
        """Whether another parser reads what follows a command or a name."""
        rest = (argparse.PARSER, argparse.REMAINDER)
        return any(action.nargs in rest for action in self._actions)

    def _refuse_unknown(self, word: str) -> NoReturn:
        """Exit with code 2, and the option that was probably meant."""
        from vizschema.text import suggestion

        options = [each for each in self._option_string_actions if each.startswith("--")]
        hint = suggestion(word.partition("=")[0], options)
        if self._subparsers is not None and not hint:
            hint = "; options of a command follow it"
        self.error(f"unknown {'option' if word.startswith('-') else 'argument'} {word}{hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise `ArgumentError` unless `value` is one of the choices of `action`."""
        if action.choices is not None and value not in action.choices:
            from vizschema.text import suggestion

            choices = [str(choice) for choice in action.choices]
            hint = suggestion(str(value), choices)
            raise argparse.ArgumentError(action, f"expected {', '.join(choices)}, found {value!r}{hint}")

    def error(self, message: str) -> NoReturn:
        """Exits with code 2, after usage and message were written to standard error."""
        from vizschema.text import escape_text, scrubbed

        super().error(escape_text(scrubbed(message)))


def _most_of(option: argparse.Action | None) -> int:
    """The number of words that an option takes at most."""
    if option is None:
        return 0
    if isinstance(option.nargs, int):
        return option.nargs
    return 1 if option.nargs in (None, argparse.OPTIONAL) else sys.maxsize


def _whole(text: str) -> int:
    """Return a whole number; raise `ArgumentTypeError` for anything else."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}") from None


def _number(text: str) -> float:
    """Return a number; raise `ArgumentTypeError` for anything else."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}") from None


class _Version(argparse.Action):
    """Prints our version and those of the spec."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import vizschema
        from vizschema.rules import versions

        print(f"vizschema {vizschema.__version__} (spec {', '.join(versions.versions())})")
        parser.exit()


def _add(found: argparse.ArgumentParser, name: str, commands: Sequence[tuple[str, str, str, str, Fill]]) -> None:
    """Add commands, which help shows with their summary, and whose own help ends with an example and more."""
    added = found.add_subparsers(dest=name, required=True, metavar=name.upper(), parser_class=Parser)
    for command, summary, example, more, fill in commands:
        added.add_parser(
            command,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n  {example}" + (f"\n\n{more}" if more else ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            fill=fill,
        )


def _with_benchmark(argv: Sequence[str]) -> list[str]:
    """The same, and where a benchmark has options but no name, the one of formats is meant."""
    options = list(argv[1:2]) if list(argv[:1]) == ["benchmark"] else []
    unnamed = bool(options) and options[0].startswith("-") and options[0] not in ("-h", "--help")
    return ["benchmark", DEFAULT_BENCHMARK, *argv[1:]] if unnamed else list(argv)


SPEC_COMMANDS: Sequence[tuple[str, str, str, str, Fill]] = (
    ("list", "list the versions, with digest and profiles", "vizschema spec list", "", arguments.nothing),
    (
        "show",
        "show the profiles of a version, or the rules of a profile",
        "vizschema spec show 1.0.0 openfold",
        "",
        arguments.show,
    ),
    (
        "diff",
        "compare two versions rule by rule, and check that the version number allows the changes",
        "vizschema spec diff 1.0.0 work/1.1.0",
        "exit codes: 0; 1 if the version number does not allow the changes",
        arguments.diff,
    ),
    (
        "export",
        "copy the schemas into a folder, each at the path of its $id",
        "vizschema spec export schemas/",
        "",
        arguments.export,
    ),
)

PROFILE_COMMANDS: Sequence[tuple[str, str, str, str, Fill]] = (
    (
        "build",
        "build the schemas and facts of a profile from its table",
        "vizschema profile build gpt2/",
        "exit codes: 0; with --check: 1 where a document differs; 4 for a slip in the table",
        arguments.build,
    ),
    (
        "infer",
        "draft the table of a profile from archives",
        "vizschema profile infer runs/*.zarr --out own.toml",
        "Doubts are comments; relations between values are not inferred, and values not read.",
        arguments.infer,
    ),
)

COMMANDS: Sequence[tuple[str, str, str, str, Fill]] = (
    (
        "validate",
        "validate archives and explain each problem",
        "vizschema validate run.zarr other.h5 --profile openfold",
        EXIT_CODES,
        arguments.validate,
    ),
    (
        "describe",
        "print the description of an archive, the JSON that the rules are applied to",
        "vizschema describe run.zarr > description.json",
        "",
        arguments.describe,
    ),
    (
        "show",
        "show the tree of an archive, or one array of it with a picture",
        "vizschema show run.zarr /pair/layer_00",
        "Members of a series that are alike are one line. A picture shows at most 8 MiB of the values, and says which.",
        arguments.look,
    ),
    (
        "view",
        "show an archive in the browser, served to this machine alone",
        "vizschema view run.zarr",
        "Ctrl-C ends it. A program of this machine that knows the printed address can read the archive.",
        arguments.view,
    ),
    (
        "diff",
        "compare two archives: structure, attributes and all values, in any containers",
        "vizschema diff run.zarr other.h5 --relative 1e-6 --ignore created_at",
        "exit codes: 0 equal; 1 different; 3 if an archive, or some of its values, cannot be read",
        arguments.compare,
    ),
    (
        "explain",
        "print a rule: its clause, its reason, how to fix a breach",
        "vizschema explain axis-one-size",
        "",
        arguments.explain,
    ),
    (
        "pin",
        "write a version of the spec and its digest into [tool.vizschema] of pyproject.toml, or into vizschema.toml",
        "vizschema pin 1.0.0",
        "",
        arguments.pin,
    ),
    (
        "completion",
        "print a script that lets a shell complete commands and options",
        "vizschema completion bash > ~/.local/share/bash-completion/completions/vizschema",
        "zsh: write it as _vizschema into a folder of $fpath; fish: into ~/.config/fish/completions/vizschema.fish.",
        arguments.completion,
    ),
    (
        "spec",
        "show the installed versions of the spec",
        "vizschema spec show 1.0.0 openfold",
        "",
        lambda found: _add(found, "action", SPEC_COMMANDS),
    ),
    (
        "profile",
        "a profile of your own: build it from a table, or draft the table from archives",
        "vizschema profile build gpt2/",
        "",
        lambda found: _add(found, "action", PROFILE_COMMANDS),
    ),
    (
        "digest",
        "print the digest of an archive: one line, the same in every container and chunking",
        "vizschema digest run.zarr run.h5",
        "Exit code 1 if the archive has damaged or non-portable nodes, and no digest; 3 if a chunk cannot be read.",
        arguments.digest,
    ),
    (
        "demo",
        "write a conforming archive, break it, and show the finding",
        "vizschema demo --into tryout",
        "",
        arguments.demo,
    ),
    (
        "example",
        "write a small conforming archive to start from",
        "vizschema example openfold example.zarr",
        "",
        arguments.example,
    ),
    (
        "convert",
        "write the same archive in another container or chunking, and compare the digests",
        "vizschema convert run.zarr run.h5",
        f"Containers: {', '.join(WRITERS)}.\n"
        "If the container does not support the archive, it lists the reasons and writes nothing (exit code 1).",
        arguments.convert,
    ),
    (
        "join",
        "join the archives of several processes along an axis",
        "vizschema join --axis sample --out run.zarr run.rank_00.zarr run.rank_01.zarr",
        "Arrays with the axis are put together in the order given; all else must be equal.",
        arguments.join,
    ),
    (
        "recover",
        "find what killed writers left beside an archive",
        "vizschema recover run.zarr\n  vizschema recover run.zarr --restore",
        "Exit code 1 if anything was found and is still there.",
        arguments.recover,
    ),
    (
        "migrate",
        "write an archive of another layout as one that conforms, and prove that its values are there",
        "vizschema migrate old.zarr new.zarr --set model_name=cnn --set model_version=1",
        "exit codes: 0; 1 refused, or the result would not conform; 2 answers are missing; 3 the source cannot be read",
        arguments.migrate,
    ),
    (
        "export",
        "write an archive in another layout, for readers of that layout: the inverse of migrate",
        "vizschema export run.zarr old.zarr --as issue40",
        "exit codes: 0; 1 refused; 2 answers are missing, or wrong usage; 3 the archive cannot be read",
        arguments.give_back,
    ),
    (
        "fix",
        "fix what is mechanical and loses nothing, in a copy or in place; without either, say what would be fixed",
        "vizschema fix run.zarr fixed.zarr\n  vizschema fix run.zarr --in-place",
        "exit codes: 0 the fixed archive conforms, or would; 1 something is left; 2 wrong usage; 3 it cannot be read",
        arguments.fix,
    ),
    (
        "conformance",
        "run the conformance suite against an implementation, in any language",
        "vizschema conformance run -- COMMAND …",
        "see `vizschema conformance run --help`; other actions: serve, export, score, freeze, oracle, faults",
        arguments.rest,
    ),
    (
        "benchmark",
        "run a benchmark and print its figures",
        "vizschema benchmark metadata\n  vizschema benchmark --n-res 64,128,256 --out results",
        "",
        arguments.benchmark,
    ),
)
"""What can be typed: the command, a summary, an example, what else its help says, and what adds its arguments."""
