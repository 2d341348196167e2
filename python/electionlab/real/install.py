"""Installs ZooKeeper's jars with Maven: ``python -m electionlab.real.install zookeeper``."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from electionlab.real import servers


def zookeeper() -> Path:
    """Brings ZooKeeper's server and what it needs into the user's cache; again does nothing.

    Returns:
        The folder of the jars.

    Raises:
        NotInstalledError: Maven is missing, or could not bring them; the message says why.
    """
    folder = servers.zookeeper_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise servers.NotInstalledError("Maven is not installed: apt-get install maven")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".zookeeper-") as scratch:
        Path(scratch, "pom.xml").write_text(_pom(), encoding="utf-8")
        done = subprocess.run(
            [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"],
            cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise servers.NotInstalledError(f"Maven failed: {(done.stdout + done.stderr)[-2000:]}")
        try:
            os.rename(Path(scratch, "jars"), folder)
        except OSError:
            if not folder.is_dir():  # somebody else was faster
                raise
    return folder


def _pom() -> str:
    each = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in servers.ZOOKEEPER_JARS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>electionlab</groupId><artifactId>servers</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{each}</dependencies></project>"
    )


def main() -> int:
    """Installs what is named on the command line, and says what there is."""
    wanted = sys.argv[1:]
    if set(wanted) - {"zookeeper"}:
        print("usage: python -m electionlab.real.install [zookeeper]", file=sys.stderr)
        return 2
    try:
        if wanted:
            zookeeper()
        for name, find in (("etcd", servers.etcd), ("ZooKeeper", servers.zookeeper)):
            try:
                print(f"{name}: {find().version}")
            except servers.NotInstalledError as error:
                if name == "ZooKeeper" and wanted:
                    raise
                print(f"{name}: {error}")
    except servers.NotInstalledError as error:
        print(f"error: {error} ({platform.machine()})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
