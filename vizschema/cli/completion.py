"""Completion for shells: what a parser knows, as a script for bash, zsh or fish. Runs nothing while a user types."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

Words = Mapping[str, tuple[str, ...]]
"""By what was typed (`validate`, `spec show`; empty for nothing yet): what may follow, commands before options.

By a command and an option that is to be followed by one of some words (`validate --format`): these words.
"""


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
            options = [option for option in action.option_strings if option.startswith("--")]
            found += options
            if action.choices:
                yield from ((f"{typed} {option}", tuple(map(str, action.choices))) for option in options)
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
    yield '  case "$typed ${COMP_WORDS[COMP_CWORD-1]}" in'
    for typed, following in _values(words):
        yield f"    '{_spaced(typed)}') words='{' '.join(following)}' ;;"
    yield '    *) case "$typed" in'
    for typed, following in _commands(words):
        yield f"      '{_spaced(typed)}') words='{' '.join(following)}' ;;"
    yield "    esac ;;"
    yield "  esac"
    yield '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")'
    yield "}"
    yield "complete -o default -o bashdefault -F _vizschema vizschema"


def _zsh(words: Words) -> Iterator[str]:
    yield "#compdef vizschema"
    yield "_vizschema() {"
    yield '  local typed="" word'
    yield "  local -a following"
    yield '  for word in "${(@)words[2,CURRENT-1]}"; do'
    yield '    case "$typed $word" in'
    yield f'      ({_cases(words)}) typed="$typed $word" ;;'
    yield "    esac"
    yield "  done"
    yield '  case "$typed ${words[CURRENT-1]}" in'
    for typed, following in _values(words):
        yield f"    ('{_spaced(typed)}') compadd -- {' '.join(following)}; return ;;"
    yield "  esac"
    yield '  case "$typed" in'
    for typed, following in _commands(words):
        yield f"    ('{_spaced(typed)}') following=({' '.join(following)}) ;;"
    yield "  esac"
    yield "  compadd -- $following"
    yield "  _files"
    yield "}"
    # Autoloaded from $fpath, the file is the function's first call; sourced, it only says what the function is for.
    yield 'if [[ "${funcstack[1]}" == _vizschema ]]; then _vizschema "$@"; else compdef _vizschema vizschema; fi'


def _fish(words: Words) -> Iterator[str]:
    for typed, following in _commands(words):
        seen = [f"__fish_seen_subcommand_from {word}" for word in typed.split()]
        condition = "; and ".join(seen) or "__fish_use_subcommand"
        for word in following:
            chosen = words.get(f"{typed} {word}", ()) if word.startswith("--") else ()
            values = f" -x -a '{' '.join(chosen)}'" if chosen else ""
            kind = f"-l {word[2:]}{values}" if word.startswith("--") else f"-f -a {word}"
            yield f"complete -c vizschema -n '{condition}' {kind}"


def _commands(words: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((typed, following) for typed, following in words.items() if " --" not in typed)


def _values(words: Words) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((typed, following) for typed, following in words.items() if " --" in typed)


def _cases(words: Words) -> str:
    return "|".join(f"'{_spaced(typed)}'" for typed, _ in _commands(words) if typed)


def _spaced(typed: str) -> str:
    return f" {typed}" if typed else ""


SHELLS: Mapping[str, Callable[[Words], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for a shell of `SHELLS`, for it to read when it starts."""
    return "\n".join(SHELLS[shell](words_of(parser)))
