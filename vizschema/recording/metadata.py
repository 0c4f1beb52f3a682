"""What is said of a model without being asked: its configuration, versions, dtype, kind of device. Imports torch."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

UNKNOWN = "unknown"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
"""A model on a hub, `name` or `owner/name`; anything else may be a path of this machine."""

_LIKE_A_PATH = re.compile(r"[/\\~]|[A-Za-z]:[/\\]|file:")
_DEPTH = 8
_PRIVATE = frozenset({"_name_or_path", "name_or_path", "_commit_hash"})


def metadata(model: Any, name: str, library: str, *, digest: bool, is_compiled: bool = False) -> dict[str, Any]:
    """Return attributes of `/metadata` for a model of the class `name` of the package `library`.

    Of a model that `is_compiled`, or has modules that are, they say that it was recorded uncompiled.
    """
    config = getattr(model, "config", None)
    parameter = next(iter(model.parameters()), None)
    known: dict[str, Any] = {
        "model_name": _name(config) or name,
        "model_version": str(getattr(config, "_commit_hash", None) or UNKNOWN),
        "model_class": name,
        "framework": ", ".join(_versions({"torch": None, library: None})),
    }
    if commit := getattr(config, "_commit_hash", None):
        known["checkpoint_commit"] = str(commit)
    if parameter is not None:
        known |= {"dtype": str(parameter.dtype).removeprefix("torch."), "device": parameter.device.type}
    if any(getattr(module, "_compiled_call_impl", None) is not None for module in model.modules()) or is_compiled:
        known["compiled"] = False
    if not _is_one_of_many():
        known["seed"] = torch.initial_seed() % (1 << 63)
    if isinstance(settings := _settings(config), dict):
        known["configuration"] = settings
    if digest:
        known["checkpoint_sha256"] = checkpoint_digest(model)
    return known


def rank() -> int | None:
    """The number of this process among several that run the model; None for one alone."""
    return int(torch.distributed.get_rank()) if _is_one_of_many() else None


def checkpoint_digest(model: Any) -> str:
    """Return the SHA-256 of all weights: name, dtype, shape and bytes of each, in the order of the names."""
    found = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, torch.Tensor):
            found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            plain = value.detach().cpu().contiguous().reshape(-1)
            found.update(plain.view(torch.uint8).numpy() if plain.numel() else b"")
    return found.hexdigest()


def _is_one_of_many() -> bool:
    distributed = torch.distributed
    return bool(distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1)


def _name(config: Any) -> str | None:
    name = getattr(config, "name_or_path", None)
    return name if isinstance(name, str) and name.count("/") == 1 and _HUB_NAME.fullmatch(name) else None


def _versions(packages: Mapping[str, None]) -> list[str]:
    found = []
    for package in packages:
        if package not in sys.modules:
            continue
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _settings(config: Any) -> Any:
    """The configuration of a model as JSON, without what names a place of this machine."""
    to_dict = getattr(config, "to_diff_dict", None)
    return None if to_dict is None else _plain(to_dict(), 0)


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | None):
        return value if value is None or abs(value) < 1 << 63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return None if _LIKE_A_PATH.match(value) else value
    if depth < _DEPTH and isinstance(value, Mapping):
        return {str(key): _plain(each, depth + 1) for key, each in value.items() if key not in _PRIVATE}
    if depth < _DEPTH and isinstance(value, list | tuple):
        return [_plain(each, depth + 1) for each in value]
    return None if isinstance(value, Mapping | list | tuple) else type(value).__name__
