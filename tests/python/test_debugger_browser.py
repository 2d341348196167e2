"""The debugger in Chromium: as a widget in a real JupyterLab, and as a file from disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import electionlab as el
import pytest
from browser import Watched, chromium, jupyterlab

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def notebook(path: Path, *cells: str) -> None:
    code = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text, "outputs": [],
         "execution_count": None}
        for i, text in enumerate(cells)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    about = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(about), encoding="utf-8")


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
        "      [e['action']['action'] for e in cluster.journal()])",
    )
    with jupyterlab(tmp_path) as address, Watched(browser) as watched:
        page = watched.page
        page.goto(address.format(file="lesson.ipynb"))
        page.wait_for_selector(
            ".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000, state="attached"
        )
        page.click(".jp-Notebook .jp-Cell >> nth=0 >> .cm-content")
        page.keyboard.press("Shift+Enter")
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

        page.click(".jp-Notebook .jp-Cell >> nth=1 >> .cm-content")
        page.keyboard.press("Shift+Enter")
        said = page.wait_for_selector(".jp-OutputArea-output >> text=cluster at").inner_text()
        assert "cluster at 8 True" in said, said
        assert "'down'" in said, said
        assert "['crash']" in said, said
