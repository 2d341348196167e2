"""An append-only file of finished chunks: what is in it survives whatever ends the process.

A record is a fixed head (magic, sizes), a JSON description, the columns' bytes, and a checksum of
all of it. It is written with one call, and on the disk (fsync) before anybody hears that it is
done. What follows the last whole record is the beginning of one that was never finished: it is cut
off when the journal is opened again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Columns = dict[str, npt.NDArray[Any]]

_MAGIC = b"ELSWEEP1"
_HEAD = struct.Struct("<8sIQ")  # magic, bytes of JSON, bytes of columns
_SUM_BYTES = 16
#: No description is longer: a longer one is damage.
_MOST_JSON = 1 << 26


class JournalError(ValueError):
    """A journal is foreign, altered, of another sweep, or in use."""


def _sum(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.blake2b(digest_size=_SUM_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _record(about: Mapping[str, Any], columns: Columns) -> bytes:
    arrays = {n: c.astype(c.dtype.newbyteorder("<"), copy=False) for n, c in columns.items()}
    layout = [[name, array.dtype.str] for name, array in arrays.items()]
    text = json.dumps({**about, "columns": layout}, sort_keys=True).encode()
    payload = b"".join(array.tobytes() for array in arrays.values())
    head = _HEAD.pack(_MAGIC, len(text), len(payload))
    return b"".join((head, text, payload, _sum(head, text, payload)))


def _record_at(data: memoryview, at: int) -> tuple[dict[str, Any], memoryview, int] | None:
    """The record that begins there, and where it ends; None when there is no whole one."""
    if at + _HEAD.size > len(data):
        return None
    magic, json_bytes, payload_bytes = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + json_bytes + payload_bytes + _SUM_BYTES
    if magic != _MAGIC or json_bytes > _MOST_JSON or end > len(data):
        return None
    body = data[at : end - _SUM_BYTES]
    if _sum(body) != data[end - _SUM_BYTES : end]:
        return None
    text = bytes(data[at + _HEAD.size : at + _HEAD.size + json_bytes])
    payload = data[at + _HEAD.size + json_bytes : end - _SUM_BYTES]
    return json.loads(text), payload, end


def _columns(about: Mapping[str, Any], payload: memoryview, count: int) -> Columns:
    found: Columns = {}
    at = 0
    for name, kind in about["columns"]:
        dtype = np.dtype(kind)
        column = np.frombuffer(payload, dtype=dtype, count=count, offset=at)
        found[name] = column.astype(dtype.newbyteorder("="))
        at += dtype.itemsize * count
    return found


class Journal:
    """A journal that is open, and this process's alone.

    Args:
        path: The file.
        identity: What the sweep is; a journal of another one is refused.
        resume: Whether to go on with a file that is there; without one, a new one is begun.

    Raises:
        ValueError: The file is there and ``resume`` is False; or it is no journal, was altered, is
            of another sweep or version, or is in use by another process.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        if not path.parent.is_dir():
            raise ValueError(f"save={str(path)!r}: there is no folder {str(path.parent)!r}")
        if not resume and path.exists():
            raise ValueError(
                f"save={str(path)!r}: is there already; resume=True goes on with it, or remove it"
            )
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._chunks = list(self._read(dict(identity)))
        except BaseException:
            os.close(self._file)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalError(f"save={str(self.path)!r}: is in use by another process") from None

    def _refuse(self, why: str) -> JournalError:
        return JournalError(f"save={str(self.path)!r}: {why}")

    def _read(self, identity: dict[str, Any]) -> Iterator[tuple[str, int, int, Columns]]:
        """Every whole chunk; what follows the last is cut off."""
        data = memoryview(self.path.read_bytes())
        first = _record_at(data, 0)
        if first is None:
            if bytes(data[: len(_MAGIC)]) != _MAGIC[: len(data)]:
                raise self._refuse("is no journal of a sweep")
            self._refuse_later_records(data, 1)
            os.ftruncate(self._file, 0)  # it ended before anything was done
            self._append(_record({"identity": identity}, {}))
            self._sync_folder()
            return
        about, _, at = first
        found = about.get("identity")
        if found != identity:
            raise self._refuse(_difference(found or {}, identity))
        while at < len(data):
            record = _record_at(data, at)
            if record is None:
                self._refuse_later_records(data, at + 1)
                break
            about, payload, after = record
            point, start, count = about["point"], about["first"], about["count"]
            yield point, start, count, _columns(about, payload, count)
            at = after
        os.ftruncate(self._file, at)
        os.lseek(self._file, at, os.SEEK_SET)

    def _refuse_later_records(self, data: memoryview, at: int) -> None:
        """A broken record before a whole one is damage, not an unfinished end."""
        text = bytes(data[at:])
        found = text.find(_MAGIC)
        while found >= 0:
            if _record_at(data, at + found) is not None:
                raise self._refuse("was altered: a chunk in the middle is damaged")
            found = text.find(_MAGIC, found + 1)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _append(self, record: bytes) -> None:
        view = memoryview(record)
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)

    def chunks(self) -> list[tuple[str, int, int, Columns]]:
        """What was in it when it was opened: (point's id, first trial, trials, columns)."""
        chunks, self._chunks = self._chunks, []
        return chunks

    def append(self, point: str, first: int, count: int, columns: Columns) -> None:
        """Adds a finished chunk; it is on the disk when this returns."""
        self._append(_record({"point": point, "first": first, "count": count}, columns))

    def close(self) -> None:
        """Ends it; another process may use the file then."""
        os.close(self._file)


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    for name in wanted:
        if found.get(name) != wanted[name]:
            return (
                f"is of another sweep: {name} is {found.get(name)!r} there, {wanted[name]!r} here"
            )
    return "is of another sweep"


__all__: Sequence[str] = ["Journal", "JournalError"]
