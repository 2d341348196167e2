"""What the dissertation and SWIM's paper say, within the error of so many trials (five standard
errors and seeds that are fixed, so that chance fails no run)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from electionlab import formulas, published
from electionlab.published import Reproduction

TRIALS = 20_000


def off_by_errors(shown: Reproduction, beside: str) -> list[float]:
    """Distance from what is said, in standard errors: an interval of 95 % is two to each side."""
    frame = shown.frame
    error = (frame.high - frame.low) / (2 * 1.96)
    return ((frame.measured - frame[beside]).abs() / error).tolist()


def test_the_first_of_s_servers_times_out_after_one_part_of_s_and_one() -> None:
    assert max(off_by_errors(published.first_timeouts(trials=TRIALS), "closed_form")) < 5


def test_split_votes_are_as_many_as_the_binomial_says_and_the_text_quotes() -> None:
    shown = published.split_votes(trials=TRIALS)
    assert max(off_by_errors(shown, "closed_form")) < 5
    frame = shown.frame
    assert len(frame) == 9
    # The first three are quoted to a digit or two; the others as "about".
    assert frame.closed_form[:3].round(4).tolist() == [0.0006, 0.0523, 0.1808]
    assert (frame.closed_form - frame.quoted).abs().max() < 0.03


def test_later_terms_are_split_less_often_than_the_first() -> None:
    frame = published.terms_needed(trials=TRIALS).frame
    assert frame.measured.is_monotonic_increasing
    at = frame.set_index("latency")
    assert at.high[0.3] < at.closed_form[0.3]
    assert at.measured[0.3] > 0.85 * at.closed_form[0.3]
    assert off_by_errors(published.terms_needed((0.05,), trials=TRIALS), "closed_form")[0] < 5


def test_a_cluster_across_a_continent_elects_in_half_a_second() -> None:
    frame = published.wan(trials=TRIALS).frame.set_index("failed")
    # "about 475" and "about 650"; it waits for no heartbeat, and its first terms are all alike.
    assert frame.measured[1] == pytest.approx(475, rel=0.02)
    assert frame.measured[2] == pytest.approx(650, rel=0.06)
    assert (frame.p999_low_ms < frame.quoted_p999_ms).all()


def test_a_range_of_ten_latencies_is_past_the_knee() -> None:
    frame = published.overall(trials=5000).frame
    for _, rows in frame.groupby("failed"):
        at = rows.set_index("range")
        assert at.measured[10] < 20  # latencies
        # To the right it only rises, by the width; to the left split votes make up for it.
        assert at.measured[30] > at.measured[20] > at.measured[10]
        assert at.measured[2] > at.measured[4] - 0.5
        wide = Reproduction(title="", quantity="", x="", frame=rows[rows["range"] >= 15])
        assert max(off_by_errors(wide, "closed_form")) < 5


def test_swim_probes_a_crashed_member_after_so_many_periods_as_its_paper_says() -> None:
    shown = published.swim_detection((3, 5, 12), trials=TRIALS)
    assert max(off_by_errors(shown, "closed_form")) < 5
    # By hand, three nodes: two probes a period, each of the dead one or not.
    assert formulas.swim_detection_periods(3) == pytest.approx(1 / (1 - 1 / 4))
    assert formulas.swim_detection_periods(3, round_robin=True) == pytest.approx(1 + 1 / 4)
    assert shown.limit == pytest.approx(1.5820, abs=5e-5)
    for in_rounds in (False, True):
        far = formulas.swim_detection_periods(100_000, round_robin=in_rounds)
        assert far == pytest.approx(shown.limit, rel=1e-4)
        assert far < shown.limit
    # Drawn anew and round-robin are told apart: three nodes, six standard errors and more.
    three = shown.frame[shown.frame.nodes == 3].set_index("targets")
    assert three.low["drawn anew"] > three.high["round-robin"]


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="servers=1: must be"):
        published.first_timeouts((1,))
    with pytest.raises(ValueError, match="trials=0: must be"):
        published.wan(trials=0)
    with pytest.raises(ValueError, match="threads=-1: must be"):
        published.split_votes(trials=10, threads=-1)
    with pytest.raises(ValueError, match="latencies=-1: must be"):
        published.terms_needed((-1,), trials=10)
    with pytest.raises(ValueError, match="ranges=0: must be"):
        published.overall((0,), trials=10)
    with pytest.raises(ValueError, match="nodes=2: must be"):
        published.swim_detection((2,), trials=10)
    with pytest.raises(ValueError, match="round_robin='no': must be"):
        formulas.swim_detection_periods(3, round_robin="no")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make", [published.split_votes, published.overall, published.wan, published.swim_detection]
)
def test_pictures_show_what_was_measured(make: object) -> None:
    shown: Reproduction = make(trials=200)  # type: ignore[operator]
    ax = shown.plot()
    try:
        assert ax.get_title(loc="left") == shown.title or ax.get_title() == shown.title
        assert ax.get_ylabel() == shown.quantity
        legend = ax.get_legend()
        assert legend is not None
        assert any(text.get_text().startswith("measured") for text in legend.get_texts())
        assert shown.title in str(shown)
    finally:
        plt.close(ax.figure)  # type: ignore[arg-type]
