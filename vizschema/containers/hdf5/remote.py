"""An HDF5 file on the network: libhdf5 makes damage of a failure to fetch, which says nothing of the archive."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.containers.base import Limits, Watch, unwatched
from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.hdf5.account import hdf5_readings
from vizschema.containers.hdf5.file import Hdf5
from vizschema.containers.hdf5.opening import open_stream
from vizschema.containers.remote.files import SeekableFile
from vizschema.containers.values import Values
from vizschema.containers.zarr.ahead import WatchedValues
from vizschema.description import Node
from vizschema.errors import NotAnArchive
from vizschema.text import escape_text, shorten


class RemoteHdf5(Hdf5):
    """An HDF5 file that is read through `stream`; whatever reads it raises `NotAnArchive` where the network failed."""

    def __init__(self, stream: SeekableFile, shown: str, limits: Limits) -> None:
        super().__init__(open_stream(stream, shorten(escape_text(shown))), limits)
        self._stream = stream

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first."""
        for found in super().nodes(watch):
            self._require_network()
            yield found
        self._require_network()

    def values(self, path: str) -> Values:
        """The values of the array at `path`."""
        return WatchedValues(super().values(path), self._require_network)

    def _require_network(self) -> None:
        if self._stream.failure is not None:
            raise self._stream.failure


def open_hdf5_ranges(file: Ranges, shown: str, limits: Limits) -> Hdf5:
    """The HDF5 file in `file`, accounted for; raises `NotAnArchive`. `shown` is its name."""
    stream = SeekableFile(file)
    try:
        opened = RemoteHdf5(stream, shown, limits)
        opened.readings = hdf5_readings(file)
    except NotAnArchive as error:
        raise stream.failure or error from None
    return opened
