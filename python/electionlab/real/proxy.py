"""A small TCP proxy between members: links that can be cut without any privilege.

Started as a script. It reads from a file who may be reached where, listens on loopback, and takes
commands, one JSON line each, on a Unix socket. A cut link is silent, as a cable that is pulled out:
bytes wait, connections neither close nor open. When the link is mended, the connections that had to
wait are reset, so that both ends begin anew. Imports the standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import Any

_CHUNK = 1 << 16


class Link:
    """One connection: who dialled whom, and whether bytes had to wait."""

    def __init__(self, dialler: int, target: int) -> None:
        self.dialler = dialler
        self.target = target
        self.waited = False
        self.writers: list[asyncio.StreamWriter] = []

    def reset(self) -> None:
        """Closes both ends at once, with nothing of what waited sent."""
        for writer in self.writers:
            with contextlib.suppress(OSError, RuntimeError):
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """All links of a cluster."""

    def __init__(self) -> None:
        self.cut: set[tuple[int, int]] = set()
        self.pids: dict[int, int] = {}  # process -> member
        self.changed = asyncio.Event()
        self.links: set[Link] = set()

    def is_cut(self, sender: int, receiver: int) -> bool:
        """Whether bytes may not go from sender to receiver."""
        return (sender, receiver) in self.cut

    def who_dialled(self, port: int) -> int:
        """The member whose process holds the other end of a connection; 0 when nobody known."""
        here = f"0100007F:{port:04X}"
        inode = ""
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with contextlib.suppress(OSError):
                for line in Path(table).read_text().splitlines()[1:]:
                    columns = line.split()
                    if columns[1].endswith(here) and columns[9] != "0":
                        inode = columns[9]
        for pid, member in self.pids.items():
            with contextlib.suppress(OSError):
                for entry in os.scandir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry.path))
                        if match and match[1] == inode:
                            return member
        return 0

    async def serve(self, ends: dict[str, Any]) -> None:
        """Listens at one address: connections to `target`, of `dialler` or of whom it turns out."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialler = ends.get("dialler") or self.who_dialled(writer.get_extra_info("peername")[1])
            link = Link(dialler, ends["target"])
            link.writers.append(writer)
            self.links.add(link)
            try:
                await self.wait(link, dialler, link.target)
                await self.wait(link, link.target, dialler)
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", ends["port"])
                link.writers.append(up_writer)
                pumps = [
                    asyncio.ensure_future(self.pump(link, reader, up_writer, dialler, link.target)),
                    asyncio.ensure_future(self.pump(link, up_reader, writer, link.target, dialler)),
                ]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
                for pump in pumps:
                    pump.cancel()
            except OSError:
                pass
            finally:
                self.links.discard(link)
                for end in link.writers:
                    end.close()

        await asyncio.start_server(handle, "127.0.0.1", ends["listen"])

    async def wait(self, link: Link, sender: int, receiver: int) -> None:
        """Waits until bytes may go from sender to receiver."""
        while self.is_cut(sender, receiver):
            link.waited = True
            await self.changed.wait()

    async def pump(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sender: int,
        receiver: int,
    ) -> None:
        """Carries bytes one way until the sender closes; then tells the receiver so."""
        while data := await reader.read(_CHUNK):
            await self.wait(link, sender, receiver)
            writer.write(data)
            await writer.drain()
        await self.wait(link, sender, receiver)
        if writer.can_write_eof():
            writer.write_eof()

    def obey(self, command: dict[str, Any]) -> None:
        """Takes the processes' numbers, or the links that are cut from now on."""
        self.pids.update({int(pid): member for pid, member in command.get("pids", {}).items()})
        if "cut" not in command:
            return
        before, self.cut = self.cut, {(a, b) for a, b in command["cut"]}
        if mended := before - self.cut:
            for link in list(self.links):
                ends = {(link.dialler, link.target), (link.target, link.dialler)}
                if link.waited and ends & mended and not ends & self.cut:
                    link.reset()
        self.changed.set()
        self.changed = asyncio.Event()

    async def commands(self, path: str) -> None:
        """Takes commands until the end of all days."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                self.obey(json.loads(line))
                writer.write(b"{}\n")
                await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(handle, path)
        await server.serve_forever()


async def run(path: str) -> None:
    """Serves what the file says."""
    plan = json.loads(Path(path).read_text(encoding="utf-8"))
    proxy = Proxy()
    for ends in plan["listen"]:
        await proxy.serve(ends)
    await proxy.commands(plan["socket"])


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
