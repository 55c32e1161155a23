"""The model of what several machines must tell each other, on a case that is reckoned by hand."""

import json

import pytest
from project import ROOT

# A step of 4 s on one machine; 125 MB over 1 Gbit/s take 1 s.
STEP, SIZE, LINK = 4.0, 125e6, 1.0
PAGE = ROOT / "reports" / "bench" / "communication.md"


@pytest.fixture
def communication(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import communication

    return communication


def test_all_but_one_nth_goes_round_twice(communication):
    seconds = [communication.ring_seconds(SIZE, machines, LINK) for machines in (1, 2, 4)]
    assert seconds == [0.0, 1.0, 1.5]
    assert communication.ring_seconds(SIZE, 4, 10 * LINK) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("machines", "shared", "overlap", "times"),
    [
        (1, True, False, 1),
        (2, True, False, 4 / (2 + 1)),
        (2, True, True, 4 / 2),
        (4, True, False, 4 / (1 + 1.5)),
        (4, True, True, 4 / 1.5),
        (4, False, False, 4 * 4 / (4 + 1.5)),
        (4, False, True, 4),
    ],
)
def test_times_one_machines_speed(communication, machines, shared, overlap, times):
    found = communication.speed_up(STEP, SIZE, machines, LINK, overlap=overlap, shared=shared)
    assert found == pytest.approx(times)


def test_it_scales_to_as_many_machines_as_reach_half_of_their_speed(communication):
    # Of 2, 4 and 8 machines' speed 0.67, 0.4 and 0.22 are left, with whole overlap 1, 0.67 and 0.29.
    assert communication.scales_to(STEP, SIZE, LINK, overlap=False, shared=True) == 2
    assert communication.scales_to(STEP, SIZE, LINK, overlap=True, shared=True) == 4
    # Of any number's speed 4 / (4 + 2) at least.
    assert (
        communication.scales_to(STEP, SIZE, LINK, overlap=False, shared=False) == communication.MACHINES[-1]
    )
    assert communication.scales_to(STEP, 9 * SIZE, LINK, overlap=False, shared=True) == 1


def test_the_page_is_of_the_committed_speeds(communication, monkeypatch):
    monkeypatch.chdir(ROOT)
    measured = json.loads((ROOT / communication.MEASURED).read_text("utf-8"))
    parameters = communication.paper_parameters()
    assert parameters == 58_396_060
    assert communication.page(measured, parameters) == PAGE.read_text("utf-8")


def test_what_docs_scale_says_of_it_follows(communication):
    measured = json.loads((ROOT / communication.MEASURED).read_text("utf-8"))
    size = communication.BYTES_A_NUMBER * 58_396_060

    def machines(precision, link, *, overlap):
        alone = measured["batch"] / measured["speeds"][precision][communication.FED]
        return communication.scales_to(alone, size, link, overlap=overlap, shared=True)

    for precision in measured["speeds"]:
        assert machines(precision, 10, overlap=True) == 1
        assert machines(precision, 100, overlap=False) == 1
    assert max(machines(precision, 100, overlap=True) for precision in measured["speeds"]) == 2
