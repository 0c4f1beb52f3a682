"""One module a container, behind one Protocol. A name of `opening` is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.containers.opening import Recognised, borrow, connect, open_container, recognise

__all__ = ["Recognised", "borrow", "connect", "open_container", "recognise"]


def __getattr__(name: str) -> Any:
    """The name `name` of `opening` (PEP 562): the table of formats is read without what opens one."""
    if name not in __all__:
        raise AttributeError(f"module 'vizschema.containers' has no attribute {name!r}")
    from vizschema.containers import opening

    return getattr(opening, name)
