"""Completion for shells: what a parser knows, as a script for bash, zsh or fish. Runs nothing while a user types."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

Words = Mapping[str, tuple[str, ...]]
"""By what was typed (`validate`, `spec show`; empty for nothing yet): what may follow, commands before options."""


def words_of(parser: argparse.ArgumentParser) -> Words:
    """What may follow each command of `parser`; its options, and the words that its arguments are to be chosen from."""
    return dict(_words(parser, ""))


def _words(parser: argparse.ArgumentParser, typed: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    found: list[str] = []
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:  # argparse has no public way to ask
        if isinstance(action, argparse._SubParsersAction):
            below += action.choices.items()
            found += action.choices
        elif not action.option_strings and action.choices:
            found += map(str, action.choices)
        else:
            found += [option for option in action.option_strings if option.startswith("--")]
    yield typed, tuple(found)
    for name, child in below:
        yield from _words(child, f"{typed} {name}".strip())


def _bash(words: Words) -> Iterator[str]:
    yield "_vizschema() {"
    yield '  local current="${COMP_WORDS[COMP_CWORD]}" typed="" word words'
    yield '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield '    case "$typed $word" in'
    yield f'      {_cases(words)}) typed="$typed $word" ;;'
    yield "    esac"
    yield "  done"
    yield '  case "$typed" in'
    for typed, following in words.items():
        yield f"    '{_spaced(typed)}') words='{' '.join(following)}' ;;"
    yield "  esac"
    yield '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")'
    yield "}"
    yield "complete -o default -o bashdefault -F _vizschema vizschema"


def _zsh(words: Words) -> Iterator[str]:
    yield "#compdef vizschema"
    yield "_vizschema() {"
    yield '  local typed="" word'
    yield "  local -a following"
    yield '  for word in "${words[@]:1:CURRENT-2}"; do'
    yield '    case "$typed $word" in'
    yield f'      ({_cases(words)}) typed="$typed $word" ;;'
    yield "    esac"
    yield "  done"
    yield '  case "$typed" in'
    for typed, following in words.items():
        yield f"    ('{_spaced(typed)}') following=({' '.join(following)}) ;;"
    yield "  esac"
    yield "  compadd -- $following"
    yield "  _files"
    yield "}"
    yield "compdef _vizschema vizschema"


def _fish(words: Words) -> Iterator[str]:
    for typed, following in words.items():
        seen = [f"__fish_seen_subcommand_from {word}" for word in typed.split()]
        condition = "; and ".join(seen) or "__fish_use_subcommand"
        for word in following:
            kind = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            yield f"complete -c vizschema -n '{condition}' {kind}"


def _cases(words: Words) -> str:
    return "|".join(f"'{_spaced(typed)}'" for typed in words if typed)


def _spaced(typed: str) -> str:
    return f" {typed}" if typed else ""


SHELLS: Mapping[str, Callable[[Words], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for a shell of `SHELLS`, for it to read when it starts."""
    return "\n".join(SHELLS[shell](words_of(parser)))
