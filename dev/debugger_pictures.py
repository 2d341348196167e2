#!/usr/bin/env python3
"""Tries the debugger by hand, so to speak, on every protocol, and keeps a picture of each.

In build/debugger, for people to look at: dev/debugger_pictures.py [NAME...] [--nodes N] [--dark]
[--width PIXELS] [--docs]. A protocol's picture is taken amid a change of leader: it has elected,
the leader was crashed with a click, a message was dropped with another, and the survivors go on.
With --docs those in docs/pictures are written instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

from browser import PICTURES, Watched, chromium  # noqa: E402

import electionlab as el  # noqa: E402
from electionlab.debugger import Session  # noqa: E402

DOCS = ROOT / "docs" / "pictures"


def amid_a_change(name: str, nodes: int) -> Session:
    """A run that has elected, with messages under way."""
    kind = el.PROTOCOLS[name]
    cluster = el.Cluster(kind(nodes=nodes), seed=7)
    if not kind.about["fails_over"]:  # it elects once: amid that
        cluster.run(max_events=2 * nodes + 2)
        return Session(cluster)
    cluster.run_until_leader(agreed=True)
    cluster.run(lambda c: sum(p.kind == "message" for p in c.pending) > 1, max_events=200)
    return Session(cluster)


def click(page: Any, target: str, entry: str) -> None:
    """Chooses an entry of the menu of a node or a message."""
    page.locator(target).first.click(force=True)
    page.locator(".el-menu button", has_text=entry).first.click()
    page.wait_for_selector(".el-menu", state="detached")


def tried(watched: Watched, session: Session) -> None:
    """Clicks as a teacher would: crash the leader, drop a message, let the others find out."""
    page, cluster = watched.page, session.cluster
    leader = cluster.leader
    if leader:
        click(page, f"[data-node='{leader}']", "crash")
        page.wait_for_selector(f"[data-node='{leader}'][aria-label*=down]")
    if page.locator("[data-message]").count():
        click(page, "[data-message]", "drop")
    elected = cluster.events + (6 if type(cluster.protocol).about["fails_over"] else 0)

    def busy(cluster: el.Cluster) -> bool:
        stands = any(n.role == "candidate" for n in cluster.nodes)
        flying = sum(p.kind == "message" for p in cluster.pending)
        return stands and flying > 2 and cluster.events > elected

    cluster.run(busy, max_events=400)
    if cluster.pending:
        page.click("[data-do=step]")
        page.wait_for_function(f"document.querySelector('[max=\"{cluster.events}\"]')")
    page.keyboard.press("Escape")
    service = cluster.actors if cluster.actors > cluster.members else ""
    page.select_option("[aria-label=node]", str(service))
    page.wait_for_timeout(150)


def write_docs(browser: Any) -> None:
    """The pictures of docs/debugger.md."""
    view = {"width": 1440, "height": 900}
    with Watched(browser, viewport=view, color_scheme="light") as watched:
        session = amid_a_change("raft", 5)
        watched.show(session)
        tried(watched, session)
        watched.page.locator(".el-debugger").screenshot(path=DOCS / "debugger.png")
    with Watched(browser, viewport=view, color_scheme="light") as watched:
        session = amid_a_change("zk_recipe", 4)
        watched.show(session)
        tried(watched, session)
        watched.page.locator(".el-pane").first.screenshot(path=DOCS / "debugger_service.png")
    with Watched(browser, viewport=view, color_scheme="light") as watched:
        session = amid_a_change("raft", 5)
        watched.show(session)
        page, cluster = watched.page, session.cluster
        page.click("[data-do=fork]")
        page.fill("[aria-label^='groups to part']", "5 4 | 1 2 3")
        page.click("[data-do=part]")
        page.wait_for_selector("[data-key='cut 1 4']", state="attached")
        page.keyboard.press("n")
        page.wait_for_selector(".el-title.el-bad")
        session.branches[0].cluster.run(until=session.cluster.now)
        page.select_option("[data-do=compare]", index=1)
        page.wait_for_selector("[data-since=there] >> nth=0")
        page.wait_for_timeout(300)
        boxes = [page.locator(".el-pane").nth(i).bounding_box() for i in (0, 1)]
        corner = {"x": boxes[0]["x"], "y": boxes[0]["y"]}
        size = {"width": boxes[1]["x"] + boxes[1]["width"], "height": boxes[1]["height"]}
        page.screenshot(path=DOCS / "debugger_branches.png", clip=corner | size, full_page=True)
        print(cluster)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="protocols; all if none is named")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1500)
    parser.add_argument("--docs", action="store_true")
    chosen = parser.parse_args()
    names = chosen.names or list(el.PROTOCOLS)
    scheme = "dark" if chosen.dark else "light"
    with chromium() as browser:
        if chosen.docs:
            write_docs(browser)
            return 0
        for name in names:
            session = amid_a_change(name, chosen.nodes)
            view = {"width": chosen.width, "height": 1000}
            with Watched(browser, viewport=view, color_scheme=scheme) as watched:
                watched.show(session)
                tried(watched, session)
                watched.picture(f"{name}-{chosen.nodes}-{scheme}-{chosen.width}")
                print(name, session.cluster, *watched.complaints)
                if watched.complaints:
                    return 1
    print(f"look at them: {PICTURES.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
