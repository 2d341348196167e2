"""What the browser tests share: Chromium, a JupyterLab of their own, and pictures that are kept."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from electionlab.debugger import Session
from electionlab.debugger.page import FOLDER

ROOT = Path(__file__).resolve().parents[2]
#: Screenshots, to be looked at; not compared, as fonts differ between machines.
PICTURES = ROOT / "build" / "debugger"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip

#: Stands for a kernel: the page asks this process.
KERNEL = """
const heard = [];
const model = {
    get: (name) => ({ height: 4000 })[name],
    on: (name, action) => heard.push(action),
    off: () => {},
    send: (request) => window.answer(request).then(
        (text) => heard.forEach((action) => action(JSON.parse(text)))),
};
render({ model, el: document.getElementById("here") });
"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, with all that it complained of and every address that it asked for."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        options.setdefault("viewport", {"width": 1500, "height": 1000})
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(120_000)  # of a busy machine
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("dialog", lambda dialog: self._dialog(dialog))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _dialog(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":  # JupyterLab asks whether to leave
            return dialog.accept()
        self.complaints.append(f"dialog: {dialog.message}")
        return dialog.dismiss()

    def show(
        self, session: Session, *, answer: Callable[[dict[str, Any]], str] | None = None
    ) -> None:
        """The page over a session in this process instead of one in a kernel."""
        page = self.page
        page.expose_function(
            "answer", answer or (lambda request: json.dumps(session.answer(request)))
        )
        module = (FOLDER / "debugger.js").read_text(encoding="utf-8")
        style = (FOLDER / "debugger.css").read_text(encoding="utf-8")
        page.set_content(f"<style>body {{ margin: 0 }} {style}</style><div id=here></div>")
        page.add_script_tag(content=module + KERNEL, type="module")
        page.wait_for_selector("[data-node='1']")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.picture("failed")
            print("the page complained of", self.complaints)
        self.context.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab on the loopback over a folder; gives the address of its files, with a token."""
    port, token = _free_port(), secrets.token_hex(16)
    own = {
        name: str(folder / ".jupyter" / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    notices = Path(own["JUPYTER_CONFIG_DIR"], "lab/user-settings/@jupyterlab/apputils-extension")
    notices.mkdir(parents=True)
    (notices / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8"
    )
    log = folder / "jupyter.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1",
                "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env=os.environ | own | {"MPLBACKEND": "agg"}, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        for _ in range(300):
            assert server.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            time.sleep(0.2)
        else:
            raise AssertionError(log.read_text())
        yield f"http://127.0.0.1:{port}/doc/tree/{{file}}?token={token}"
    finally:
        server.terminate()  # it ends its kernels
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
