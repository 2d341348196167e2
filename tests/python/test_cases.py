"""The gallery of use cases and hard cases: what each claims, its pictures, the command."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from support import ROOT
from typer.testing import CliRunner, Result

import electionlab as el
from electionlab.cli import app
from electionlab.gallery.case import Bars, Holders, Shares, Timeline, shown
from electionlab.gallery.partitions import Partition

RUNS = 30


@functools.cache
def result(name: str, seed: int = 1) -> el.CaseResult:
    return el.cases[name].run(seed=seed, runs=RUNS)


def fact(name: str, label: str, seed: int = 1) -> float:
    value = result(name, seed).facts[label]
    assert not isinstance(value, str), (name, label, value)
    return value


# --- use cases: each with two seeds, so that nothing hangs on one ---------------------------------

SEEDS = pytest.mark.parametrize("seed", [1, 77])


@SEEDS
def test_an_old_primary_overwrites_unless_it_is_fenced(seed: int) -> None:
    def of(label: str, what: str) -> float:
        return fact("database", f"{label}_{what}", seed)

    for label in ("raft_none", "bully_none", "bully_token"):
        assert of(label, "two_primaries_ms") > 300
        assert of(label, "writes_of_an_old_primary") >= of(label, "writes_overwritten") > 5
        assert of(label, "damaged_runs") == RUNS
    for label in ("raft_token", "bully_takeover"):
        # There are still two that act: fencing is about what they can do.
        assert of(label, "two_primaries_ms") > 300
        assert of(label, "writes_refused") > 0
    assert of("lease_none", "two_primaries_ms") == 0
    for label in ("raft_token", "bully_takeover", "lease_none"):
        assert of(label, "writes_of_an_old_primary") == of(label, "damaged_runs") == 0


@SEEDS
def test_a_scheduler_runs_jobs_twice_unless_results_are_fenced(seed: int) -> None:
    for name in ("raft", "lease"):
        assert fact("scheduler", f"{name}_none_jobs_done_twice", seed) > RUNS
        assert fact("scheduler", f"{name}_none_runs_with_a_job_done_twice", seed) > RUNS / 2
        assert fact("scheduler", f"{name}_none_results_turned_away", seed) == 0
        assert fact("scheduler", f"{name}_token_jobs_done_twice", seed) == 0
        assert fact("scheduler", f"{name}_token_results_turned_away", seed) > RUNS
        assert fact("scheduler", f"{name}_token_jobs_done_median", seed) > 40


@SEEDS
def test_partition_leaders_are_picked_and_not_elected(seed: int) -> None:
    def of(label: str) -> float:
        return fact("kafka", label, seed)

    assert of("partition_leader_dies_controllers_elected") == 0
    assert of("partition_leader_dies_partition_leaders_chosen") == 1
    assert of("controller_dies_controllers_elected") == 1
    assert of("controller_dies_partition_leaders_chosen") == 1
    # Who picks must be elected first.
    assert of("controller_dies_partition_offline_median_ms") > of(
        "partition_leader_dies_partition_offline_median_ms"
    )
    assert of("clean_acknowledged_records_lost") == 0
    assert of("unclean_acknowledged_records_lost") == 30  # one each 10 ms for 300 ms
    assert of("clean_partition_offline_ms") > of("unclean_partition_offline_ms") > 250


@SEEDS
def test_the_breadcrumb_fences_and_a_lock_does_not(seed: int) -> None:
    def of(label: str) -> float:
        return fact("yarn", label, seed)

    assert of("lock_only_two_active_ms") > 400
    assert of("lock_only_runs_with_two_active") == RUNS
    assert of("breadcrumb_runs_with_two_active") == 0
    assert of("unreachable_goes_on_runs_with_two_active") == RUNS
    assert of("unreachable_gives_up_runs_with_two_active") == 0
    facts = result("yarn", seed).facts
    took_over = {label: facts[f"{label}_took_over"] for label in result("yarn", seed).clusters}
    assert took_over == {
        "lock_only": "yes", "breadcrumb": "yes", "unreachable_goes_on": "yes",
        "unreachable_gives_up": "no",
    }  # fmt: skip


@SEEDS
def test_a_configuration_goes_back_unless_epochs_are_compared(seed: int) -> None:
    def of(label: str) -> float:
        return fact("configuration", label, seed)

    assert of("any_write_configuration_went_back_times") > 5
    assert 50 < of("any_write_readers_saw_an_older_leaders_ms") < 1000
    assert of("any_write_runs_that_went_back") == RUNS
    for what in ("configuration_went_back_times", "readers_saw_an_older_leaders_ms",
                 "runs_that_went_back"):  # fmt: skip
        assert of(f"compare_epoch_{what}") == 0
    answered = "reads_{}_from_the_old_leader_answered"
    assert of(answered.format("unchecked")) == 20 * 50
    assert of("reads_unchecked_from_the_old_leader_stale") > 500
    assert of(answered.format("lease")) > 0
    assert of("reads_lease_from_the_old_leader_stale") == 0
    assert of(answered.format("confirmed")) == 0


def test_the_spans_of_partition_leaders_tile_the_run() -> None:
    panels = [p for p in result("kafka").panels if isinstance(p, Holders)]
    for panel, victim, successor in zip(panels, (2, 1), (3, 2), strict=True):
        changed = [spans for spans in panel.lanes.values() if len(spans) > 1]
        assert [[who for _, _, who in spans] for spans in changed] == [
            [f"broker {victim}", "", f"broker {successor}"]
        ]
        for spans in panel.lanes.values():
            assert spans[0][0] == 0
            assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))


def test_the_two_countings_of_a_configuration_that_goes_back_agree() -> None:
    """The resource counts writes of lower tokens, the case reads them off the trace."""
    for seed in (1, 5, 9):
        found = el.cases["configuration"].run(seed=seed, runs=1)
        resource = found.clusters["any_write"].resource
        assert resource is not None
        times = found.facts["any_write_configuration_went_back_times"]
        assert isinstance(times, int)
        assert 0 < times <= resource["lower_tokens"]


@SEEDS
def test_a_handover_takes_delays_and_a_crash_a_timeout(seed: int) -> None:
    # Delays are 5 to 10 ms, timeouts 150 to 300 ms.
    assert 0 < fact("handover", "handover_no_leader_median_ms", seed) < 10
    assert fact("handover", "handover_no_leader_longest_ms", seed) < 20
    assert 150 < fact("handover", "crash_no_leader_median_ms", seed) < 300


@SEEDS
def test_spread_leaderships_share_the_load_and_the_loss(seed: int) -> None:
    def of(label: str) -> float:
        return fact("bottleneck", label, seed)

    assert of("one_group_busiest_node_percent") > 50
    assert of("all_on_one_busiest_node_percent") > 50
    assert 20 <= of("spread_busiest_node_percent") < 21
    jobs = [of(f"{place}_jobs_done") for place in ("one_group", "all_on_one", "spread")]
    assert max(jobs) - min(jobs) <= 5
    # The price: heartbeats of each group.
    assert of("spread_messages_at_members") > 3 * of("one_group_messages_at_members")
    assert of("all_on_one_groups_without_a_leader_after_a_crash") == 5
    assert of("spread_groups_without_a_leader_after_a_crash") == 1
    assert of("all_on_one_most_led_by_one_afterwards") > of("spread_most_led_by_one_afterwards")


# --- hard cases -----------------------------------------------------------------------------------


@SEEDS
def test_a_minority_elects_in_bully_and_ring_and_never_in_raft(seed: int) -> None:
    def of(label: str) -> float:
        return fact("split_brain", label, seed)

    for name in ("bully", "ring"):
        assert of(f"{name}_runs_where_minority_elected") == RUNS
        assert of(f"{name}_two_leaders_median_ms") > 400
    for name in ("raft", "raft_old_leader_in_minority", "raft_check_quorum"):
        assert of(f"{name}_runs_where_minority_elected") == 0
    assert of("raft_two_leaders_median_ms") == 0
    assert of("raft_old_leader_in_minority_two_leaders_median_ms") > 500
    assert of("raft_check_quorum_two_leaders_median_ms") < 100
    told = result("split_brain", seed).clusters
    for label in ("raft", "raft_old_leader_in_minority"):
        assert told[label].violations() == []  # two at a time, but one a term


@SEEDS
def test_pre_vote_keeps_a_rejoining_node_from_unseating(seed: int) -> None:
    assert fact("rejoining_node", "plain_highest_term", seed) > 5
    assert fact("rejoining_node", "plain_leader_changes", seed) >= 1
    assert fact("rejoining_node", "plain_runs_with_the_leader_unseated", seed) == RUNS
    assert fact("rejoining_node", "pre_vote_highest_term", seed) == 1
    assert fact("rejoining_node", "pre_vote_no_leader_ms", seed) == 0
    assert fact("rejoining_node", "pre_vote_runs_with_the_leader_unseated", seed) == 0


@SEEDS
@pytest.mark.parametrize("name", ["prevote_deadlock", "quorum_loss"])
def test_pre_vote_alone_deadlocks_and_with_check_quorum_lives(name: str, seed: int) -> None:
    for which in ("", "median_"):
        assert fact(name, f"pre_vote_acknowledged_{which}percent", seed) < 5
        assert fact(name, f"pre_vote_check_quorum_acknowledged_{which}percent", seed) > 90
    assert fact(name, "pre_vote_leaderships", seed) == 1
    assert fact(name, "pre_vote_check_quorum_leaderships", seed) == 2
    # One look at the end does not tell: a leader is in office in both.
    assert result(name, seed).facts["pre_vote_leads_at_the_end"] != "nobody"
    assert result(name, seed).facts["pre_vote_check_quorum_leads_at_the_end"] != "nobody"


@SEEDS
def test_leaders_come_and_go_in_a_partial_network(seed: int) -> None:
    assert fact("partial_network", "plain_leaderships_median", seed) > 8
    assert fact("partial_network", "plain_acknowledged_median_percent", seed) < 75
    for label in ("pre_vote", "pre_vote_check_quorum"):
        assert fact("partial_network", f"{label}_leaderships_median", seed) == 1
        assert fact("partial_network", f"{label}_acknowledged_median_percent", seed) > 98


@SEEDS
def test_a_chain_changes_leaders_for_ever_without_pre_vote(seed: int) -> None:
    assert fact("chained", "plain_leaderships_median", seed) > 20
    # Acknowledged nearly all the time: only the changes tell.
    assert fact("chained", "plain_acknowledged_median_percent", seed) > 90
    for label in ("pre_vote", "pre_vote_check_quorum"):
        assert fact("chained", f"{label}_leaderships_median", seed) == 1


@SEEDS
def test_no_option_helps_in_the_constrained_election(seed: int) -> None:
    for label in ("old_log", "old_log_pre_vote_check_quorum"):
        assert fact("constrained", f"{label}_acknowledged_median_percent", seed) < 5
    equal = "equal_logs_pre_vote_check_quorum"
    assert fact("constrained", f"{equal}_acknowledged_median_percent", seed) > 90
    assert fact("constrained", f"{equal}_leads_at_the_end", seed) == 1


@SEEDS
def test_a_leader_that_wakes_writes_unless_it_is_fenced(seed: int) -> None:
    def of(label: str) -> float:
        return fact("paused_leader", label, seed)

    for label in ("raft_none", "lease_none", "bully_token"):
        assert of(f"{label}_stale_writes") >= 1
        assert of(f"{label}_runs_with_a_stale_write") > RUNS / 5
    for label in ("raft_token", "lease_token", "bully_takeover"):
        assert of(f"{label}_stale_writes") == of(f"{label}_runs_with_a_stale_write") == 0


def test_drift_gives_two_holders_within_the_formula() -> None:
    for ppm in (1_000, 10_000, 50_000):
        bound = fact("lease_drift", f"at_most_by_the_formula_{ppm}_ppm_ms")
        rho = ppm / 1e6
        assert bound == pytest.approx(2 * rho * 10_000 / (1 - rho**2), abs=1e-3)
        both = fact("lease_drift", f"unaware_{ppm}_ppm_two_holders_ms")
        assert bound - 8 < both < bound  # less delays of 0.5 ms, and 5 ms until another asks
        assert fact("lease_drift", f"aware_{ppm}_ppm_two_holders_ms") == 0


def test_a_herd_is_all_but_one_and_a_chain_of_watches_wakes_one() -> None:
    for nodes in (5, 9, 33):
        assert fact("herd", f"watch_leader_{nodes}_nodes_woken") == nodes - 1
        assert fact("herd", f"watch_predecessor_{nodes}_nodes_woken") == 1
        requests = fact("herd", f"watch_leader_{nodes}_nodes_requests")
        assert requests == (nodes - 1) + (nodes - 2)  # all list, all but the leader watch
        assert fact("herd", f"watch_predecessor_{nodes}_nodes_requests") == 1


@SEEDS
def test_duels_end_by_back_off_and_not_else(seed: int) -> None:
    assert fact("duelling_proposers", "no_back_off_runs_decided", seed) == 0
    assert fact("duelling_proposers", "no_back_off_ballots", seed) > 100
    assert fact("duelling_proposers", "random_back_off_runs_decided", seed) == RUNS
    assert fact("duelling_proposers", "random_back_off_decided_median_ms", seed) < 500


def test_a_lost_disk_elects_two_in_one_term_and_a_kept_one_never() -> None:
    facts = result("lost_vote").facts
    assert facts["disk_lost_two_leaders_of_one_term"] == "yes"
    assert facts["disk_kept_two_leaders_of_one_term"] == "no"
    assert fact("lost_vote", "disk_lost_runs_with_two_leaders_of_one_term") >= 1
    assert fact("lost_vote", "disk_kept_runs_with_two_leaders_of_one_term") == 0
    assert result("lost_vote").clusters["disk_lost"].seed == facts["told_seed"]


# --- a partition's leader -------------------------------------------------------------------------


def test_the_first_living_replica_in_sync_is_picked() -> None:
    partition = Partition((2, 3, 4))
    assert (partition.leader, partition.epoch) == (2, 1)
    partition.choose({2, 3, 4})
    assert partition.epoch == 1  # who lives is kept
    partition.shrink(3)
    partition.choose({3, 4})
    assert (partition.leader, partition.epoch) == (4, 2)


def test_without_a_replica_in_sync_a_choice_is_unclean_or_none() -> None:
    for unclean, leader, lost in ((False, None, 0), (True, 3, 5)):
        partition = Partition((2, 3), unclean=unclean)
        partition.produce({2, 3}, set())
        partition.shrink(3)
        for _ in range(5):
            partition.produce({2, 3}, {3})
        assert (partition.acknowledged, partition.records) == (6, {2: 6, 3: 1})
        partition.shrink(2)
        assert partition.in_sync == {2}  # the last one stays
        partition.choose({3})
        assert (partition.leader, partition.lost) == (leader, lost)
        partition.choose({2, 3})
        assert partition.leader == (leader or 2)
        partition.produce({2, 3}, set())
        assert partition.in_sync == {2, 3}  # who has caught up is in sync again


def test_what_a_lagging_replica_in_sync_lacks_is_not_acknowledged() -> None:
    partition = Partition((2, 3))
    partition.produce({2, 3}, {3})
    assert (partition.acknowledged, partition.records[2]) == (0, 1)


# --- the objects ----------------------------------------------------------------------------------


def test_the_gallery_has_what_it_says() -> None:
    kinds = [case.kind for case in el.cases.values()]
    assert kinds.count("use") == 7
    assert kinds.count("hard") == 12
    for name, case in el.cases.items():
        assert case.name == name
        assert case.question.endswith("?")
        assert min(len(case.story), len(case.title), len(case.source)) > 5


@pytest.mark.parametrize("name", list(el.cases))
def test_a_result_tells_its_facts_and_is_the_same_again(name: str) -> None:
    found = result(name)
    text = str(found)
    for label, value in found.facts.items():
        assert label in text
        assert shown(value) in text
    assert found.case.title in text
    assert "seed 1" in text
    assert found.clusters
    again = el.cases[name].run(seed=1, runs=RUNS)
    assert again.facts == found.facts
    for label, cluster in found.clusters.items():
        assert again.clusters[label].trace.hash() == cluster.trace.hash(), label


@pytest.mark.parametrize("name", list(el.cases))
def test_a_picture_has_a_panel_for_each_thing_to_see(name: str) -> None:
    found = result(name)
    axes = found.plot()
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    assert len(axes) == len(found.panels) >= 2
    for panel, one in zip(found.panels, axes, strict=True):
        assert one.get_title(loc="left").startswith(panel.title)
        if isinstance(panel, Timeline):
            assert panel.cluster in found.clusters
            assert len(one.get_yticks()) == found.clusters[panel.cluster].actors
        elif isinstance(panel, Bars):
            drawn = sorted(p.get_height() for p in one.patches if isinstance(p, Rectangle))
            given = sorted(v for series in panel.values.values() for v in series.values())
            assert np.allclose(drawn, given)
        elif isinstance(panel, Holders):
            assert len(one.patches) == sum(len(spans) for spans in panel.lanes.values())
        else:
            assert isinstance(panel, Shares)
            assert len(one.lines) >= len(panel.values)
    figure.canvas.draw()
    boxes = [one.get_tightbbox() for one in axes]
    for upper, lower in itertools.pairwise(boxes):
        assert upper is not None
        assert lower is not None
        assert upper.y0 > lower.y1  # no panel's text reaches into the next one
    plt.close(figure)


def test_given_axes_are_drawn_on_and_counted() -> None:
    found = result("chained")
    figure, axes = plt.subplots(2)
    assert found.plot(ax=axes) == list(axes)
    with pytest.raises(ValueError, match="must be 2 axes"):
        found.plot(ax=[axes[0]])
    plt.close(figure)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match=r"case='kafak': must be one of database, .*lost_vote"):
        el.cases["kafak"]
    with pytest.raises(ValueError, match="runs=0: must be"):
        el.cases["herd"].run(runs=0)
    with pytest.raises(ValueError, match="seed=-1: must be"):
        el.cases["herd"].run(seed=-1)
    assert "kafak" not in el.cases


# --- the command ----------------------------------------------------------------------------------


def call(*arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(app, ["case", *arguments])
    assert found.exit_code == code, (arguments, found.output, found.exception)
    return found


def test_the_command_lists() -> None:
    text = call().output
    for name, case in el.cases.items():
        assert f"  {name} " in text
        assert case.title in text
    listed = json.loads(call("--json").output)
    assert [one["name"] for one in listed] == list(el.cases)


def test_the_command_runs_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    picture = tmp_path / "herd.png"
    text = call("herd", "--plot", str(picture)).output
    assert "watch_leader_9_nodes_woken" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads(call("lost_vote", "--seed", "1", "--runs", str(RUNS), "--json").output)
    assert (told["case"], told["seed"], told["runs"]) == ("lost_vote", 1, RUNS)
    assert told["facts"] == result("lost_vote").facts


def test_the_command_refuses() -> None:
    assert "must be one of database" in call("herds", code=2).output
    assert "--plot" in call("herd", "--plot", "herd.txt", code=2).output
    assert "needs the name of a case" in call("--plot", "herd.png", code=2).output
    assert "runs=0" in call("herd", "--runs", "0", code=2).output


def test_the_page_says_what_the_cases_say() -> None:
    page = " ".join((ROOT / "docs" / "cases.md").read_text(encoding="utf-8").split())
    for name, case in el.cases.items():
        assert f"electionlab case {name}" in page
        for text in (case.title, case.question, case.story):
            assert text in page, (name, text)
