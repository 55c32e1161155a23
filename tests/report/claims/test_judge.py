"""Each verdict both ways, on tables small enough to be read."""

from dataclasses import replace
from unittest import mock

import pandas as pd
import pytest

from deeppose.core.skeleton import FULL_BODY, UPPER_BODY
from deeppose.evaluation.evaluation import Evaluation
from deeppose.report.claims import judge as module
from deeppose.report.claims.judge import (
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    UNDECIDED,
    VERDICTS,
    judge,
    paper_claims,
    write_claims,
)

MODEC = "MODEC (Sapp and Taskar 2013)"
DANTONE = "Dantone et al."
NETWORK = "a network"
EXAMPLES = 100


def spread(rates):
    """Errors of 100 examples such that at each distance `rates` gives the share that is no further off."""
    errors, detected = [], 0
    for distance, rate in sorted(rates.items()):
        count = round(rate * EXAMPLES)
        errors += [distance - 0.001] * (count - detected)
        detected = count
    return errors + [9.0] * (EXAMPLES - detected)


def joint_errors(set_name, skeleton, rates_by_predictor):
    """By predictor the rates of all joints, or by kind of joint ("arms", "legs", "wrist")."""
    groups = {"arms": ("elbow", "wrist"), "legs": ("knee", "ankle")}
    rows = []
    for predictor, rates in rates_by_predictor.items():
        for joint in skeleton.joints:
            kind = joint.split()[-1]
            of_joint = rates
            for key, values in rates.items():
                if isinstance(values, dict) and (key == kind or kind in groups.get(key, ())):
                    of_joint = values
            if of_joint is rates and any(isinstance(values, dict) for values in rates.values()):
                of_joint = {}
            rows += [
                (set_name, predictor, example, joint, error) for example, error in enumerate(spread(of_joint))
            ]
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error"])


def limb_errors(set_name, skeleton, shares):
    """By predictor the share of limbs that are detected, of all kinds or by kind."""
    rows = []
    for predictor, share in shares.items():
        for limb in skeleton.limbs:
            if limb.kind is None:
                continue
            of_kind = share[limb.kind] if isinstance(share, dict) else share
            for example, error in enumerate(spread({0.5: of_kind})):
                rows.append((set_name, predictor, example, limb.name, error, error))
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "limb", "strict", "loose"])


def evaluation(set_name, *, joints=None, limbs=None, exchanged=None, model="a model"):
    """`exchanged`: by side that people are seen from, how many and in what share stage 3 exchanges sides."""
    skeleton = UPPER_BODY if set_name in ("flic", "buffy", "buffy-276") else FULL_BODY
    names = dict.fromkeys([*(joints or {}), *(limbs or {})])
    rates = [(set_name, "stage 3", "seen from", side, *found) for side, found in (exchanged or {}).items()]
    return Evaluation(
        model,
        joint_errors(set_name, skeleton, {name: (joints or {}).get(name, {}) for name in names}),
        limb_errors(set_name, skeleton, {name: (limbs or {}).get(name, 0) for name in names}),
        pd.DataFrame(rates, columns=["set", "predictor", "kind", "value", "poses", "exchanged"]),
        skeleton,
    )


# An upper body's model that somebody tests on LSP.
OF_OTHER_JOINTS = Evaluation(
    "my-flic",
    joint_errors("lsp", UPPER_BODY, {"stage 2": {0.2: 0.1}}),
    limb_errors("lsp", UPPER_BODY, {"stage 2": 0.1}),
    pd.DataFrame(columns=["set", "predictor", "kind", "value", "poses", "exchanged"]),
    UPPER_BODY,
)


def verdict(claim, *evaluations, synthetic=False, left_out=None):
    # The bootstrap takes most of the time; what it decides is tested below.
    with mock.patch.object(module, "VERDICT_RESAMPLES", 1), mock.patch.object(module, "DECIDED", 0):
        claims = judge(evaluations, synthetic=synthetic, seed=1, network=NETWORK, left_out=left_out)
    judged = claims.set_index("id").loc[claim]
    return judged["verdict"], judged["ours"], judged["notes"]


@pytest.mark.parametrize(
    ("claim", "joint", "ours", "expected"),
    [
        ("flic-elbow-at-0.2", "elbow", 0.75, HOLDS),
        ("flic-elbow-at-0.2", "elbow", 0.74, FAILS),
        ("flic-wrist-at-0.2", "wrist", 0.80, HOLDS),
        ("flic-wrist-at-0.2", "wrist", 0.79, FAILS),
    ],
)
def test_flic_at_0_2_against_the_best_method_at_hand(claim, joint, ours, expected):
    flic = evaluation(
        "flic",
        joints={
            "stage 2": {joint: {0.2: ours}},
            MODEC: {joint: {0.2: 0.6}},
            "another": {joint: {0.2: 0.3}},
        },
    )
    found, figures, reason = verdict(claim, flic)
    assert found == expected
    assert f"{ours - 0.6:+.3f}" in figures
    assert f"{MODEC} 0.600" in figures
    assert "only those at hand" in reason
    assert MODEC in reason


def test_a_gain_that_rounds_up_to_the_papers_figure_reaches_it():
    first = evaluation("flic", joints={"stage 2": {0.2: 0.74}, MODEC: {0.2: 0.6}})
    second = joint_errors("flic", UPPER_BODY, {"stage 2": {0.2: 0.75}, MODEC: {0.2: 0.6}})
    # 149 of 200 examples are detected.
    second["example"] += EXAMPLES
    limbs = first.limbs.assign(example=first.limbs["example"] + EXAMPLES)
    flic = replace(first, joints=pd.concat([first.joints, second]), limbs=pd.concat([first.limbs, limbs]))
    found, figures, _ = verdict("flic-elbow-at-0.2", flic)
    assert "+0.145" in figures
    assert found == HOLDS


def test_without_a_peer_nothing_is_said_of_peers():
    flic = evaluation("flic", joints={"stage 2": {0.2: 1.0}, "mean pose": {}})
    found, ours, reason = verdict("flic-elbow-at-0.2", flic)
    assert (found, ours) == (NOT_TESTABLE, "")
    assert "no other method's predictions on FLIC" in reason


def test_a_peer_without_the_joint_is_passed_over():
    flic = evaluation("flic", joints={"stage 2": {0.2: 1.0}, MODEC: {0.2: 0.5}})
    flic.joints.loc[
        (flic.joints["predictor"] == MODEC) & flic.joints["joint"].str.endswith("wrist"), "error"
    ] = float("nan")
    assert verdict("flic-wrist-at-0.2", flic)[0] == NOT_TESTABLE
    assert verdict("flic-elbow-at-0.2", flic)[0] == HOLDS


@pytest.mark.parametrize(
    ("ours", "expected"),
    [({0.1: 0.6, 0.2: 0.9}, HOLDS), ({0.1: 0.7, 0.2: 0.8}, FAILS), ({0.1: 0.0, 0.2: 0.59}, FAILS)],
)
def test_gains_on_flic_at_low_precision(ours, expected):
    flic = evaluation("flic", joints={"stage 2": ours, MODEC: {0.1: 0.5, 0.2: 0.6}})
    assert verdict("flic-gains-at-low-precision", flic)[0] == expected


@pytest.mark.parametrize(
    ("claim", "ours", "expected"),
    [
        ("lsp-at-0.5", {0.5: 0.8}, HOLDS),
        ("lsp-at-0.5", {0.5: 0.79}, FAILS),
        ("lsp-legs-at-0.2", {"legs": {0.2: 0.45}}, HOLDS),
        ("lsp-legs-at-0.2", {"legs": {0.2: 0.56}}, FAILS),
        ("lsp-legs-at-0.2", {"legs": {0.2: 0.44}}, FAILS),
        ("lsp-arms-at-0.2", {"arms": {0.2: 0.4}}, HOLDS),
        ("lsp-arms-at-0.2", {"arms": {0.2: 0.5}}, FAILS),
        ("lsp-arms-at-0.2", {"arms": {0.2: 0.39}}, FAILS),
        ("lsp-gains-at-low-precision", {0.2: 0.5, 0.5: 0.8}, HOLDS),
        ("lsp-gains-at-low-precision", {0.2: 0.7, 0.5: 0.8}, FAILS),
    ],
)
def test_lsp_against_dantone(claim, ours, expected):
    lsp = evaluation("lsp", joints={"stage 1": {}, "stage 3": ours, DANTONE: {0.2: 0.5, 0.5: 0.7}})
    assert verdict(claim, lsp)[0] == expected


def test_lsp_without_dantone_can_not_be_told():
    lsp = evaluation("lsp", joints={"stage 3": {0.2: 1.0}, "another": {0.2: 0.1}})
    for claim in ("lsp-at-0.5", "lsp-legs-at-0.2", "lsp-arms-at-0.2", "lsp-gains-at-low-precision"):
        found, _, reason = verdict(claim, lsp)
        assert found == NOT_TESTABLE
        assert "Dantone et al." in reason


@pytest.mark.parametrize(("share", "expected"), [(0.6, HOLDS), (0.59, FAILS), (0.5, FAILS)])
def test_the_best_average_in_table_1(share, expected):
    found, ours, _ = verdict("lsp-best-average", evaluation("lsp", limbs={"stage 1": 0.9, "stage 3": share}))
    assert found == expected
    assert "Wang et al. 0.59" in ours


@pytest.mark.parametrize(("share", "expected"), [(0.78, HOLDS), (0.77, FAILS)])
def test_upper_legs_after_stage_2(share, expected):
    kinds = {"arm_upper": 0.1, "arm_lower": 0.1, "leg_upper": share, "leg_lower": 0.1}
    found, ours, _ = verdict("lsp-upper-legs", evaluation("lsp", limbs={"stage 2": kinds, "stage 3": 0.1}))
    assert (found, ours) == (expected, f"{share:.3f}")


@pytest.mark.parametrize(
    ("shares", "expected"),
    [((0.5, 0.6, 0.61), HOLDS), ((0.5, 0.6, 0.6), FAILS), ((0.6, 0.5, 0.7), FAILS), ((0.5, 0.6), HOLDS)],
)
def test_better_by_stage(shares, expected):
    lsp = evaluation("lsp", limbs={f"stage {number}": share for number, share in enumerate(shares, start=1)})
    assert verdict("lsp-better-by-stage", lsp)[0] == expected


def test_one_stage_is_no_cascade():
    lsp = evaluation("lsp", limbs={"stage 1": 0.9, "mean pose": 0.1})
    assert verdict("lsp-better-by-stage", lsp)[::2] == (
        NOT_TESTABLE,
        "it takes 2 stages, and 1 were measured on LSP",
    )


@pytest.mark.parametrize(
    ("last", "at", "expected"),
    [
        ({0.05: 0.1, 0.17: 0.5, 0.3: 0.6, 0.5: 0.9}, "at 0.17", HOLDS),
        ({0.05: 0.5, 0.17: 0.5, 0.3: 0.6, 0.5: 0.9}, "at 0.05", FAILS),
        ({0.05: 0.5, 0.17: 0.6, 0.3: 0.6, 0.5: 0.9}, "at 0.17", HOLDS),
        ({0.05: 0.0, 0.17: 0.1, 0.3: 0.7, 0.5: 0.9}, "at 0.3", FAILS),
        ({0.05: 0.0, 0.17: 0.1, 0.3: 0.3, 0.5: 0.9}, "largest gain +0.000", FAILS),
    ],
)
def test_where_refinement_gains_most(last, at, expected):
    first = {0.05: 0.0, 0.12: 0.1, 0.3: 0.3, 0.5: 0.9}
    flic = evaluation("flic", joints={"stage 1": first, "stage 2": first, "stage 3": last})
    found, ours, _ = verdict("refinement-at-high-precision", flic)
    assert found == expected
    assert at in ours


@pytest.mark.parametrize(
    ("rates", "figures", "expected"),
    [
        ((0.1, 0.4, 0.5), "75% (+0.300 of +0.400)", HOLDS),
        ((0.1, 0.2, 0.5), "25% (+0.100 of +0.400)", FAILS),
        ((0.1, 0.3, 0.5), "50% (+0.200 of +0.400)", FAILS),
        ((0.5, 0.4, 0.3), "−0.100 of −0.200", FAILS),
    ],
)
def test_what_the_first_refinement_gains(rates, figures, expected):
    flic = evaluation("flic", joints={f"stage {s}": {0.15: rate} for s, rate in enumerate(rates, start=1)})
    assert verdict("first-refinement-gains-most", flic)[:2] == (expected, figures)


def test_the_first_refinement_takes_three_stages():
    flic = evaluation("flic", joints={"stage 1": {0.15: 0.1}, "stage 2": {0.15: 0.2}})
    assert verdict("first-refinement-gains-most", flic)[0] == NOT_TESTABLE


@pytest.mark.parametrize(("share", "carries", "level"), [(0.64, HOLDS, HOLDS), (0.63, HOLDS, FAILS)])
def test_image_parse(share, carries, level):
    parse = evaluation("parse", limbs={"stage 1": 0.9, "stage 3": share, "mean pose": 0.1})
    assert verdict("carries-over-to-parse", parse)[:2] == (
        carries,
        f"+{share - 0.1:.3f} ({share:.3f}; mean pose 0.100)",
    )
    assert verdict("parse-state-of-the-art", parse)[0] == level


def test_a_model_no_better_than_the_mean_pose_does_not_carry_over():
    parse = evaluation("parse", limbs={"stage 3": 0.1, "mean pose": 0.1})
    assert verdict("carries-over-to-parse", parse)[0] == FAILS
    buffy = evaluation("buffy", joints={"stage 2": {0.2: 0.3}, "mean pose": {0.2: 0.3}})
    assert verdict("carries-over-to-buffy", buffy)[0] == FAILS


@pytest.mark.parametrize(("peer", "level"), [(0.5, HOLDS), (0.51, FAILS)])
def test_buffy(peer, level):
    rates = {"stage 2": {0.2: 0.5}, "mean pose": {0.2: 0.3}}
    assert verdict("carries-over-to-buffy", evaluation("buffy", joints=rates))[0] == HOLDS
    assert verdict("buffy-state-of-the-art", evaluation("buffy", joints=rates))[0] == NOT_TESTABLE
    with_peer = evaluation("buffy-276", joints={**rates, "another": {0.2: peer}})
    assert verdict("buffy-state-of-the-art", with_peer)[0] == level


@pytest.mark.parametrize(
    ("back", "front", "expected"),
    [(0.08, 0.04, HOLDS), (0.05, 0.04, HOLDS), (0.08, 0.08, FAILS), (0.04, 0.01, FAILS)],
)
def test_left_taken_for_right(back, front, expected):
    joints = {"stage 2": {0.2: 1.0}, "stage 3": {0.2: 1.0}}
    lsp = evaluation("lsp", joints=joints, exchanged={"the back": (100, back), "the front": (200, front)})
    found, ours, note = verdict("left-and-right-from-the-back", lsp)
    assert found == expected
    assert ours == f"{back:.3f} of 100 from the back, {front:.3f} of 200 from the front"
    assert "observer-centric" in note


@pytest.mark.parametrize(
    ("exchanged", "reason"),
    [
        ({}, "don't say from which side a person is seen"),
        ({"the front": (3, 0.1)}, "nobody who counts on LSP is seen from the back"),
        ({"the back": (0, float("nan")), "the front": (3, 0.1)}, "nobody who counts on LSP is seen from the"),
    ],
)
def test_without_anybody_from_the_back_nothing_is_said_of_them(exchanged, reason):
    lsp = evaluation("lsp", joints={"stage 3": {0.2: 1.0}}, exchanged=exchanged)
    found, _, why = verdict("left-and-right-from-the-back", lsp)
    assert found == NOT_TESTABLE
    assert reason in why


@pytest.mark.parametrize("claim", ["time-for-an-image", "cost-of-training"])
def test_what_no_table_of_errors_tells(claim):
    found, ours, reason = verdict(claim, evaluation("lsp", joints={"stage 3": {0.2: 1.0}}))
    assert (found, ours) == (NOT_TESTABLE, "")
    assert reason


def test_a_set_left_out_says_what_would_bring_it():
    left_out = {"buffy": "put buffy_s5e2_sticks.txt into data/mirror"}
    found, _, reason = verdict("carries-over-to-buffy", left_out=left_out)
    assert found == NOT_TESTABLE
    assert reason == "Buffy is not part of this run: put buffy_s5e2_sticks.txt into data/mirror"


def test_synthetic_people_are_compared_with_nobody_but_with_themselves():
    lsp = evaluation("lsp", limbs={"stage 1": 0.5, "stage 2": 0.9, "stage 3": 0.95})
    assert verdict("lsp-best-average", lsp)[0] == HOLDS
    found, ours, reason = verdict("lsp-best-average", lsp, synthetic=True)
    assert (found, ours) == (NOT_TESTABLE, "")
    assert "synthetic people" in reason
    assert verdict("lsp-better-by-stage", lsp, synthetic=True)[::2] == (HOLDS, "measured on synthetic people")


def times_the_same(claim, *evaluations, seed=1):
    claims = judge(evaluations, synthetic=False, seed=seed, network=NETWORK).set_index("id")
    text = claims.loc[claim, "bootstrap"]
    same, times = text.split(" of ")
    assert times == "100"
    return int(same)


@pytest.mark.parametrize(("share", "fewest", "most"), [(0.95, 100, 100), (0.78, 30, 70), (0.3, 100, 100)])
def test_a_verdict_near_its_limit_hangs_on_the_test_images(share, fewest, most):
    lsp = evaluation("lsp", limbs={"stage 2": share, "stage 3": 0.1})
    assert fewest <= times_the_same("lsp-upper-legs", lsp) <= most


def test_predictors_are_compared_on_the_same_resampled_images():
    # A tenth more of the same images: were each predictor's resampled by themselves, one in ten would fail.
    buffy = evaluation("buffy", joints={"stage 2": {0.2: 0.5}, "mean pose": {0.2: 0.4}})
    assert times_the_same("carries-over-to-buffy", buffy) == 100


@pytest.mark.parametrize(("back", "fewest", "most"), [(0.9, 100, 100), (0.055, 40, 80), (0.0, 100, 100)])
def test_people_seen_from_the_back_are_resampled(back, fewest, most):
    exchanged = {"the back": (100, back), "the front": (200, 0.01), "a side": (0, float("nan"))}
    lsp = evaluation("lsp", joints={"stage 3": {0.2: 1.0}}, exchanged=exchanged)
    assert fewest <= times_the_same("left-and-right-from-the-back", lsp) <= most


def test_the_seed_decides_the_resamples():
    lsp = evaluation("lsp", limbs={"stage 2": 0.78, "stage 3": 0.1})
    found = [times_the_same("lsp-upper-legs", lsp, seed=seed) for seed in (1, 1, 2, 3)]
    assert found[0] == found[1]
    assert len(set(found)) > 1


def test_the_resamples_of_a_set_hang_on_no_other():
    lsp = evaluation("lsp", limbs={"stage 2": 0.78, "stage 3": 0.1})
    parse = evaluation("parse", limbs={"stage 2": 0.78, "stage 3": 0.1})
    assert times_the_same("lsp-upper-legs", parse, lsp) == times_the_same("lsp-upper-legs", lsp)


def test_what_is_not_testable_has_no_bootstrap():
    judged = judge(
        [evaluation("lsp", joints={"stage 3": {0.2: 1.0}})], synthetic=False, seed=1, network=NETWORK
    )
    assert judged.set_index("id").loc["lsp-at-0.5", "bootstrap"] == ""


def test_a_set_is_judged_by_the_model_that_the_paper_tests_on_it():
    papers = evaluation("lsp", limbs={"stage 2": 0.9, "stage 3": 0.9}, model="lsp")
    for order in ([papers, OF_OTHER_JOINTS], [OF_OTHER_JOINTS, papers]):
        assert verdict("lsp-upper-legs", *order)[1] == "0.900"


def test_a_model_without_the_limbs_of_a_claim_tells_nothing():
    found, _, reason = verdict("lsp-upper-legs", OF_OTHER_JOINTS)
    assert (found, reason) == (NOT_TESTABLE, "no limb of stage 2 counts on LSP")


def test_every_claim_is_judged_and_judged_once():
    claims = paper_claims()
    assert claims["id"].is_unique
    judged = judge([], synthetic=False, seed=1, network=NETWORK)
    assert judged["id"].tolist() == claims["id"].tolist()
    assert (judged["verdict"] == NOT_TESTABLE).all()
    assert judged["notes"].str.len().min() > 0
    assert set(VERDICTS) == {HOLDS, FAILS, UNDECIDED, NOT_TESTABLE}


def test_the_files_hold_every_claim(tmp_path):
    lsp = evaluation("lsp", limbs={"stage 1": 0.5, "stage 2": 0.6})
    judged = judge([lsp], synthetic=False, seed=1, network=NETWORK, left_out={"flic": "a | b"})
    write_claims(judged, tmp_path / "claims.csv", tmp_path / "claims.md", "Claims")
    read = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(read, judged, check_dtype=False)
    lines = (tmp_path / "claims.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(judged) + 2
    assert {line.replace(r"\|", "").count("|") for line in rows} == {8}


def test_verdicts_name_the_network():
    lsp = evaluation("lsp", limbs={"stage 1": 0.5, "stage 2": 0.6, "stage 3": 0.7})
    judged = judge([lsp], synthetic=False, seed=1, network=NETWORK)
    assert set(judged.loc[judged["ours"] != "", "network"]) == {NETWORK}
    assert set(judged.loc[judged["ours"] == "", "network"]) == {""}


@pytest.mark.parametrize(("share", "expected"), [(0.95, HOLDS), (0.78, UNDECIDED), (0.3, FAILS)])
def test_a_verdict_that_the_bootstrap_often_turns_over_is_undecided(share, expected):
    lsp = evaluation("lsp", limbs={"stage 2": share, "stage 3": 0.1})
    judged = judge([lsp], synthetic=False, seed=1, network=NETWORK).set_index("id")
    assert judged.loc["lsp-upper-legs", "verdict"] == expected
