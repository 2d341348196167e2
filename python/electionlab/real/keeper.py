"""The program that starts real servers and outlives nobody: when its caller is gone, so are they.

Started as a script by `children.Children`. It reads one JSON command a line from its standard
input and answers each with one line. Whatever ends the caller (an exception, Ctrl-C, kill -9 of a
notebook's kernel), the input ends or the parent changes; then every child is killed and the
temporary folder removed. And whatever ends the keeper, the system kills the children: on Linux each
asks for that before it becomes the server (PR_SET_PDEATHSIG). It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.2
_ORDERLY_S = 3.0


class Keeper:
    """The children by name, and what a caller may have done to them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.parent = os.getppid()
        libc = ctypes.CDLL(None, use_errno=True)
        self._prctl = getattr(libc, "prctl", None)
        self._priority = _group_priority(self.parent)
        _set_group_priority(self._priority)

    def _before_exec(self) -> None:
        """Runs in the child. The keeper has one thread, so that nothing can be locked here."""
        if self._prctl is not None:
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # the keeper died in between
            os._exit(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _set_group_priority(self._priority)

    def start(self, name: str, argv: list[str], env: dict[str, str], log: str) -> dict[str, Any]:
        """Starts a program; its output is appended to a file."""
        old = self.children.get(name)
        if old is not None and old.poll() is None:
            return {"error": f"{name} runs already"}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with open(os.open(log, flags, 0o600), "ab", buffering=0) as out:
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is the caller's affair
                preexec_fn=self._before_exec,
            )
        self.children[name] = child
        return {"pid": child.pid}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Sends a signal, and says when; a killed child is also waited for."""
        child = self.children.get(name)
        if child is None or child.poll() is not None:
            return {"error": f"{name} does not run"}
        wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        child.send_signal(number)
        if number == signal.SIGKILL:
            child.wait()
        return {"wall_ns": wall_ns, "mono_ns": mono_ns}

    def state(self) -> dict[str, Any]:
        """Exit codes by name; None: it runs."""
        return {"codes": {name: child.poll() for name, child in self.children.items()}}

    def stop(self, name: str) -> dict[str, Any]:
        """Ends a child in order, and if it does not end, with force."""
        child = self.children.get(name)
        if child is None or child.poll() is not None:
            return {"code": None if child is None else child.returncode}
        child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_ORDERLY_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return {"code": child.returncode}

    def end(self) -> None:
        """Kills all children, stopped ones too, and removes the folder."""
        for child in self.children.values():
            with contextlib.suppress(OSError):
                child.kill()
        for child in self.children.values():
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self) -> None:
        """Answers commands until the caller is gone."""
        buffered = b""
        while True:
            readable, _, _ = select.select([0], [], [], _POLL_S)
            # A process forked off the caller may hold the other end of the pipe open.
            if os.getppid() != self.parent:
                return
            if not readable:
                continue
            data = os.read(0, 65536)
            if not data:
                return
            *lines, buffered = (buffered + data).split(b"\n")
            for line in lines:
                command = json.loads(line)
                do = command.pop("do")
                try:
                    answer = getattr(self, do)(**command)
                except OSError as error:
                    answer = {"error": f"{command.get('name', do)}: {error}"}
                os.write(1, json.dumps(answer).encode() + b"\n")


def _group_priority(pid: int) -> str:
    """Linux weighs sessions against each other (autogroups); the caller's weight, or nothing.

    The file is empty for a process that is in no autogroup, as in some containers.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup") as file:
        return "".join(file.read().split()[-1:])
    return ""


def _set_group_priority(priority: str) -> None:
    """Gives this session, which is new, the weight of the caller's."""
    if priority not in ("", "0"):
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
            file.write(priority)


def main() -> None:
    """Keeps the folder named on the command line, until standard input ends."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keeper = Keeper(sys.argv[1])
    try:
        with contextlib.suppress(BrokenPipeError):
            keeper.serve()
    finally:
        keeper.end()


if __name__ == "__main__":
    main()
