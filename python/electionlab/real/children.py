"""Child processes that never stay behind, in a temporary folder of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_KEEPER = Path(__file__).with_name("keeper.py")
#: What children get of the caller's environment: no proxies, no credentials, no Java options.
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "JAVA_HOME", "VIRTUAL_ENV")


class ServerError(RuntimeError):
    """A real server did not start, or is not there to be asked; the message says why."""


class Children:
    """Processes started and stopped by name, by a keeper that outlives nobody.

    Leaving the context kills them all and removes the folder. That also happens when this process
    is killed: see `electionlab.real.keeper`. Safe to use from several threads.

    Attributes:
        folder: Their temporary folder, mode 0700.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="electionlab-"))  # 0700
        self._lock = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _ask(self, do: str, **command: Any) -> dict[str, Any]:
        with self._lock:
            if self._keeper.stdin is None or self._keeper.stdin.closed:
                raise ServerError("the servers were stopped already")
            assert self._keeper.stdout is not None
            try:
                self._keeper.stdin.write(json.dumps({"do": do, **command}).encode() + b"\n")
                self._keeper.stdin.flush()
                line = self._keeper.stdout.readline()
            except BrokenPipeError:
                line = b""
        if not line:
            raise ServerError("the process that keeps the servers has ended, and they with it")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ServerError(answer["error"])
        return answer

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Starts a program, without a shell.

        Args:
            name: What it is called from now on.
            argv: The program and its arguments.
            env: Added to the few variables that children get.

        Returns:
            Its process id.

        Raises:
            ServerError: It cannot be started, or runs already.
        """
        passed = {key: os.environ[key] for key in _PASSED if key in os.environ}
        answer = self._ask(
            "start",
            name=name,
            argv=[str(part) for part in argv],
            env={**passed, **(env or {})},
            log=str(self.log(name)),
        )
        return int(answer["pid"])

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.folder / f"{name}.log"

    def signal(self, name: str, number: int) -> dict[str, int]:
        """Sends a signal; after SIGKILL the child is gone.

        Returns:
            When, as ``wall_ns`` and ``mono_ns``.

        Raises:
            ServerError: It does not run.
        """
        return self._ask("signal", name=name, number=int(number))

    def kill(self, name: str) -> dict[str, int]:
        """Sends SIGKILL, as `signal` does."""
        return self.signal(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        """Ends a child in order: SIGTERM, and SIGKILL when that does not help in 3 s."""
        self._ask("stop", name=name)

    def codes(self) -> dict[str, int | None]:
        """Exit codes by name; None: it runs."""
        codes: dict[str, int | None] = self._ask("state")["codes"]
        return codes

    def close(self) -> None:
        """Kills all and removes the folder; more than once does no harm."""
        with self._lock:
            if self._keeper.stdin is None or self._keeper.stdin.closed:
                return
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()
            try:
                self._keeper.wait()
            except BaseException:  # Ctrl-C meanwhile: the keeper goes on and ends by itself
                self._keeper.poll()
                raise
            finally:
                assert self._keeper.stdout is not None
                self._keeper.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on, all different.

    They lie below the range from which the system takes ports for outgoing connections, so that a
    member that restarts finds its port free.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports
