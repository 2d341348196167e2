"""Installs ZooKeeper's jars from Maven Central: ``python -m electionlab.real.install zookeeper``.

Ivy brings them (Debian and Ubuntu: ``apt-get install ivy``, small and quick), or else Maven.
Imports the standard library only, so that it can run as a script before anything is built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: What ZooKeeper's server needs: group, name and version.
ZOOKEEPER_VERSION = "3.9.5"
ZOOKEEPER_JARS = (
    ("org.apache.zookeeper", "zookeeper", ZOOKEEPER_VERSION),
    ("io.dropwizard.metrics", "metrics-core", "4.1.12.1"),
    ("org.xerial.snappy", "snappy-java", "1.1.10.5"),
    ("ch.qos.logback", "logback-classic", "1.3.15"),
)
_IVY = Path("/usr/share/java/ivy.jar")  # where Debian puts it


class NotInstalledError(RuntimeError):
    """A real server is not installed; the message says how to install it."""


def zookeeper_folder() -> Path:
    """Where ZooKeeper's jars are put."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "electionlab", f"zookeeper-{ZOOKEEPER_VERSION}")


def zookeeper() -> Path:
    """Brings ZooKeeper's server and what it needs into the user's cache; again does nothing.

    Returns:
        The folder of the jars.

    Raises:
        NotInstalledError: Java, or Ivy and Maven, are missing, or could not bring the jars; the
            message says why.
    """
    folder = zookeeper_folder()
    if folder.is_dir():
        return folder
    java = shutil.which("java")
    if java is None:
        raise NotInstalledError("Java is not installed: apt-get install default-jre-headless")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".zookeeper-") as scratch:
        _bring(java, Path(scratch))
        jars = Path(scratch, "jars")
        if not any(jars.glob(f"zookeeper-{ZOOKEEPER_VERSION}.jar")):
            raise NotInstalledError("what was brought is not ZooKeeper")
        try:
            os.rename(jars, folder)
        except OSError:
            if not folder.is_dir():  # somebody else was faster
                raise
    return folder


def _bring(java: str, scratch: Path) -> None:
    """Puts the jars into scratch/jars."""
    maven = shutil.which("mvn")
    if _IVY.is_file():
        (scratch / "ivy.xml").write_text(_ivy_file(), encoding="utf-8")
        argv = [
            java, "-jar", str(_IVY), "-warn", "-cache", str(scratch / "cache"), "-ivy", "ivy.xml",
            "-retrieve", "jars/[artifact]-[revision](-[classifier]).[ext]",
        ]  # fmt: skip
    elif maven is not None:
        (scratch / "pom.xml").write_text(_pom(), encoding="utf-8")
        argv = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    else:
        raise NotInstalledError("Ivy is not installed: apt-get install ivy (or Maven: mvn)")
    done = subprocess.run(
        argv, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalledError(f"{argv[0]} failed: {(done.stdout + done.stderr)[-2000:]}")


def _ivy_file() -> str:
    each = "".join(
        f'<dependency org="{group}" name="{name}" rev="{version}"/>'
        for group, name, version in ZOOKEEPER_JARS
    )
    return (
        '<ivy-module version="2.0"><info organisation="electionlab" module="servers"/>'
        '<configurations><conf name="default"/></configurations>'
        f'<dependencies defaultconf="default->master,compile()">{each}</dependencies></ivy-module>'
    )


def _pom() -> str:
    each = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in ZOOKEEPER_JARS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>electionlab</groupId><artifactId>servers</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{each}</dependencies></project>"
    )


def main() -> int:
    """Installs what is named on the command line."""
    if sys.argv[1:] != ["zookeeper"]:
        print("usage: python -m electionlab.real.install zookeeper", file=sys.stderr)
        return 2
    try:
        print(f"ZooKeeper {ZOOKEEPER_VERSION}: {zookeeper()}")
    except NotInstalledError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
