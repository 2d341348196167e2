"""The debugger in Chromium: as a widget in a real JupyterLab, and as a file from disk."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Watched, chromium, jupyterlab
from test_debugger import HOSTILE, Talker

import electionlab as el
from electionlab.debugger import Session
from electionlab.debugger.page import FOLDER

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


#: Stands for a kernel: the page asks this process.
KERNEL = """
const heard = [];
const model = {
    get: (name) => ({ height: 860 })[name],
    on: (name, action) => heard.push(action),
    off: () => {},
    send: (request) => window.answer(request).then(
        (text) => heard.forEach((action) => action(JSON.parse(text)))),
};
render({ model, el: document.getElementById("here") });
"""


def notebook(path: Path, *cells: str) -> None:
    code = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text, "outputs": [],
         "execution_count": None}
        for i, text in enumerate(cells)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    about = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(about), encoding="utf-8")


def run_cell(page: Any, number: int) -> None:
    """Runs a cell; a notebook that has just been opened may not listen at once."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    for _ in range(20):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)
        if page.locator(".jp-Dialog .jp-mod-accept").count():
            page.click(".jp-Dialog .jp-mod-accept")
        elif cell.locator(".jp-InputPrompt").inner_text().strip() != "[ ]:":
            return
    raise AssertionError(f"cell {number} does not run")


def event_of(page: Any) -> int:
    found = re.match(r"event (\d+) of", page.inner_text(".el-time"))
    assert found, page.inner_text(".el-time")
    return int(found[1])


def wait_for_event(page: Any, event: int) -> None:
    page.wait_for_function(
        "n => document.querySelector('.el-time').textContent.startsWith(`event ${n} of`)",
        arg=event,
    )


def test_the_widget_drives_the_cluster_of_a_notebook(browser: Any, tmp_path: Path) -> None:
    notebook(
        tmp_path / "lesson.ipynb",
        "import electionlab as el\n"
        "cluster = el.Cluster(el.Raft(nodes=5), seed=7)\n"
        "cluster.run(max_events=6)\n"
        "widget = cluster.debug()\nwidget",
        "print('cluster at', cluster.events, cluster.trace.hash() ==\n"
        "      cluster.trace.replay().trace.hash(), [n.role for n in cluster.nodes],\n"
        "      [e['do']['action'] for e in cluster.journal() if 'do' in e])",
    )
    with jupyterlab(tmp_path) as address, Watched(browser) as watched:
        page = watched.page
        page.goto(address.format(file="lesson.ipynb"))
        page.wait_for_selector(
            ".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000, state="attached"
        )
        run_cell(page, 0)
        page.wait_for_selector(".el-debugger [data-node='5']", timeout=60_000)
        assert event_of(page) == 6
        watched.picture("notebook")

        page.click("[data-do=step]")
        wait_for_event(page, 7)
        picture = page.inner_html(".el-ring")
        page.click("[data-message] >> nth=0")
        page.click(".el-menu >> text=drop")
        wait_for_event(page, 8)
        page.wait_for_selector(".el-row.el-by-hand >> text=/is dropped|drop/")
        watched.picture("notebook-dropped")
        page.click("[data-do=back]")
        wait_for_event(page, 7)
        assert page.inner_html(".el-ring") == picture
        page.click("[data-node='5']")
        page.click(".el-menu >> text=crash")
        wait_for_event(page, 8)
        assert "down" in str(page.get_attribute("[data-node='5']", "aria-label"))
        page.select_option("[data-do=compare]", index=1)  # what had followed was kept
        page.wait_for_selector(".el-beside >> text=The branches part after event 7")
        watched.picture("notebook-branches")

        run_cell(page, 1)
        said = page.wait_for_selector(".jp-OutputArea-output >> text=cluster at").inner_text()
        assert "cluster at 8 True" in said, said
        assert "'down'" in said, said
        assert "['crash']" in said, said


def run_of(protocol: Any, path: Path, **options: Any) -> el.Cluster:
    cluster = el.Cluster(protocol, seed=7, **options)
    cluster.run_until_leader(agreed=True)
    cluster.run_for(40)
    cluster.crash("leader")
    cluster.run_until_leader(agreed=True)
    cluster.heal()
    cluster.trace.to_html(path)
    return cluster


def test_the_file_replays_a_run_from_disk(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    cluster = run_of(el.Raft(nodes=5), path)
    trace = cluster.trace
    assert path.stat().st_size < 1_000_000
    leaders = [row["step"] for row in map(trace.row, range(len(trace))) if row["kind"] == "leader"]
    with Watched(browser) as watched:
        page = watched.page
        page.goto(path.as_uri())
        page.wait_for_selector("[data-node='5']")
        assert event_of(page) == 0
        for event in leaders:
            page.click("[data-do=leader1]")
            wait_for_event(page, event)
        cluster.seek(leaders[-1])
        for node in cluster.nodes:
            label = str(page.get_attribute(f"[data-node='{node.node}']", "aria-label"))
            assert f", {node.role}" in label, (label, node)
            assert f"epoch {node.epoch}" in label, (label, node)
        flying = [str(p.message) for p in cluster.pending if p.kind == "message"]
        shown = [m.get_attribute("data-message") for m in page.query_selector_all("[data-message]")]
        assert sorted(shown) == sorted(flying)
        watched.picture("file-light")
        page.emulate_media(color_scheme="dark")
        watched.picture("file-dark")

        # Only the keyboard.
        page.focus(".el-log")
        page.keyboard.press("ArrowLeft")
        wait_for_event(page, leaders[-1] - 1)
        page.keyboard.press("ArrowRight")
        wait_for_event(page, leaders[-1])
        page.keyboard.press("Home")
        wait_for_event(page, 0)
        page.select_option("[aria-label=speed]", "500")
        page.keyboard.press("b")
        page.focus(".el-log")
        page.keyboard.press(" ")
        wait_for_event(page, trace.columns["step"][-1].item())
        page.click(".el-bookmark >> text=event 0")
        wait_for_event(page, 0)

        with page.expect_download() as given:
            page.click("text=trace")
        given.value.save_as(tmp_path / "run.jsonl")
        assert el.Trace.load(tmp_path / "run.jsonl").hash() == trace.hash()
        with page.expect_download() as given:
            page.click("text=SVG")
        given.value.save_as(tmp_path / "ring.svg")
        assert (tmp_path / "ring.svg").read_text(encoding="utf-8").startswith("<svg")
        assert not watched.complaints
        assert {url.split(":")[0] for url in watched.asked} <= {"file", "blob"}, watched.asked


@pytest.mark.parametrize("part", [0, 1])
def test_hostile_names_show_as_text_and_run_nothing(
    browser: Any, tmp_path: Path, part: int
) -> None:
    path = tmp_path / "hostile.html"
    for text in HOSTILE[part::2]:
        cluster = el.Cluster(Talker(text), seed=1)
        cluster.run(max_events=3)
        cluster.trace.to_html(path, title=text)
        with Watched(browser) as watched:
            page = watched.page
            page.goto(path.as_uri())
            page.wait_for_selector("[data-node='1']")
            page.focus(".el-log")
            page.keyboard.press("End")
            page.click("[data-node='1']")
            page.keyboard.press("Escape")
            page.wait_for_selector(".el-row.el-current")
            assert page.text_content("h1") == text
            assert text in str(page.text_content(".el-inspector"))
            if text.isprintable():
                assert text in str(page.text_content(".el-legend"))
            assert page.query_selector("img, a[href], iframe, object, [onload], [onerror]") is None
            assert len(page.query_selector_all("script")) == 2
            assert not watched.complaints
            assert all(url == path.as_uri() for url in watched.asked), watched.asked
            if part == 0:
                watched.picture("hostile")


def test_a_run_of_100_000_events_scrolls(browser: Any, tmp_path: Path) -> None:
    """Only what is visible is drawn, wherever one looks."""
    cluster = el.Cluster(el.Raft(nodes=5), seed=1)
    cluster.run(max_events=100_000)
    session = Session(cluster)
    with Watched(browser) as watched:
        page = watched.page
        answers: list[float] = []

        def answer(request: dict[str, Any]) -> str:
            begin = time.perf_counter()
            text = json.dumps(session.answer(request))
            answers.append(time.perf_counter() - begin)
            return text

        page.expose_function("answer", answer)
        module = (FOLDER / "debugger.js").read_text(encoding="utf-8")
        style = (FOLDER / "debugger.css").read_text(encoding="utf-8")
        page.set_content(f"<style>{style}</style><div id=here></div>")
        page.add_script_tag(content=module + KERNEL, type="module")
        page.wait_for_selector("[data-node='5']")
        wait_for_event(page, 100_000)
        frames = page.evaluate(
            """async () => {
                const log = document.querySelector(".el-log"), gaps = [];
                let last = performance.now();
                for (let i = 0; i < 60; i++) {
                    log.scrollTop = (log.scrollHeight * ((i * 37) % 60)) / 60;
                    await new Promise(requestAnimationFrame);
                    gaps.push(performance.now() - last);
                    last = performance.now();
                }
                return gaps.sort((a, b) => a - b);
            }"""
        )
        assert page.evaluate("document.querySelectorAll('.el-row').length") < 80
        assert page.evaluate("document.querySelectorAll('*').length") < 6000
        # 60 jumps across the log; generous, as other tests run beside this one.
        assert frames[30] < 100, frames
        page.focus(".el-log")
        page.keyboard.press("Home")
        wait_for_event(page, 0)
        page.keyboard.press("n")
        page.wait_for_selector(".el-row.el-leads")
        watched.picture("hundred-thousand")
        assert sorted(answers)[len(answers) // 2] < 0.2, answers
        assert not watched.complaints
