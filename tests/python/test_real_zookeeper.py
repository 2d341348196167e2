"""Real ZooKeeper servers, started and stopped here, on loopback; no distribution is asserted."""

from __future__ import annotations

from kazoo.client import KazooClient
from test_real_etcd import MARGIN_MS, assert_one_leader_per_epoch, descendants, runs, until

import electionlab as el


def test_a_crash_is_noticed_at_once_and_silence_after_the_sync_limit() -> None:
    with el.real.ZooKeeperEnsemble(3, tick_ms=200, sync_limit=5, partitions=False) as ensemble:
        pids = descendants()
        assert len(pids) == 4
        leader = ensemble.wait_leader()
        crashed = ensemble.crash(leader.node)
        after = ensemble.wait_leader(after_epoch=leader.epoch)
        assert after.node != crashed
        ensemble.restart(crashed)
        ensemble.wait_ready([crashed])
        paused = ensemble.pause(after.node)
        last = ensemble.wait_leader(after_epoch=after.epoch)
        assert last.node != paused
        ensemble.resume(paused)
        until(lambda: ensemble.leader == last, "the former leader follows")
    assert not [pid for pid in pids if runs(pid)]
    trace = ensemble.trace
    assert_one_leader_per_epoch(trace)
    after_crash, after_pause = trace.downtimes_ms
    assert after_pause > 5 * 200 * 0.9  # the last ping may have been under way
    assert min(after_crash, after_pause) > 0
    assert trace.system["server"].startswith("ZooKeeper 3.")

    rows = [trace.row(number) for number in range(len(trace))]

    def noticed_ms(action: str) -> float:
        """From an action until the first survivor looks for a leader."""
        at = next(r["time_ns"] for r in rows if r.get("action") == action)
        looks = (r["time_ns"] for r in rows if r["kind"] == "view" and r["role"] == "candidate")
        return (next(t for t in looks if t > at) - at) / 1e6

    assert noticed_ms("crash") < noticed_ms("pause")


def test_the_recipe_and_a_published_mistake() -> None:
    with el.real.ZooKeeperEnsemble(1, tick_ms=200, partitions=False) as ensemble:
        with el.real.Contest(ensemble, ttl_s=1, partitions=True) as contest:
            contest.wait_leader()
            contest.wait_waiting()
            assert len(contest.leaders) == 1
            crashed = contest.crash()
            contest.wait_leader()
            contest.restart(crashed)
            contest.wait_waiting()
            resigned = contest.resign()
            contest.wait_leader(other_than=resigned)
            after_crash, after_resignation = contest.takeovers_ms
            assert after_crash <= 1000 + 200 + MARGIN_MS
            assert after_resignation < after_crash

            paused = contest.pause()
            other = contest.wait_leader(other_than=paused)
            until(lambda: contest.writes[-1].node == other, "the new leader writes")
            contest.resume(paused)
            until(
                lambda: any(w.node == paused and not w.accepted for w in contest.writes),
                "the former leader's write is refused",
            )
            until(lambda: len(contest.leaders) == 1, "it has stopped")

            cut = contest.cut_off()  # suspended: it stops before its session is over
            until(lambda: cut not in contest.leaders, "it stops acting")
            contest.wait_leader(other_than=cut)
            contest.heal()
        tokens = [w.token for w in contest.writes if w.accepted]
        assert tokens == sorted(tokens)
        assert_one_leader_per_epoch(contest.trace)

        client = KazooClient(ensemble.endpoints[0])
        client.start()
        try:
            until(lambda: not client.get_children(contest.place), "sessions end, and their znodes")
            with el.real.Contest(ensemble, contenders=2, ttl_s=1, recipe="kazoo") as contest:
                first = contest.wait_leader()
                until(lambda: any(w.node == first for w in contest.writes), "it writes")
                contest.resign()
                second = contest.wait_leader(other_than=first)
                until(lambda: contest.writes[-1].node == second, "the next one writes")
                contest.crash(second)
                contest.wait_leader(other_than=second)
                assert_one_leader_per_epoch(contest.trace)
            until(lambda: not client.get_children(contest.place), "its lock's znodes")
            with el.real.Contest(
                ensemble, contenders=2, ttl_s=2, recipe="ignored_vanishing", rest_s=0.1
            ) as contest:
                contest.wait_leader()
                contest.wait_waiting()
                waiter = next(node for node in (1, 2) if node != contest.leaders[0])
                contest.crash(waiter)
                until(lambda: len(client.get_children(contest.place)) == 1, "it is gone")
                contest.restart(waiter)
                until(lambda: len(client.get_children(contest.place)) == 2, "it is in the line")
                # It has looked at the line, or is about to, and has not asked for the predecessor.
                contest.resign()
                until(lambda: not contest.leaders, "the leader has resigned")
                _nobody_leads_for(contest, 3.0)
        finally:
            client.stop()
            client.close()


def _nobody_leads_for(contest: el.real.Contest, seconds: float) -> None:
    try:
        contest.wait_leader(seconds)
    except el.real.ServerError:
        return
    raise AssertionError(f"somebody leads: {contest.said[-5:]}")
