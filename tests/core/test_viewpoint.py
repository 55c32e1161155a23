"""Which way a trunk points, from which side a person is seen, what is hidden: and errors apart by that."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeppose.core.metrics import share_within
from deeppose.core.skeleton import BUFFY_STICKS, FULL_BODY, SKELETONS
from deeppose.core.viewpoint import ORDER, viewpoints
from deeppose.evaluation.rates import PDJ_THRESHOLDS
from deeppose.evaluation.viewpoint_rates import rates_by_viewpoint

SHOULDERS = [FULL_BODY.joints.index(f"{side} shoulder") for side in ("left", "right")]
HIPS = [FULL_BODY.joints.index(f"{side} hip") for side in ("left", "right")]


def pose_turned_by(degrees):
    """Shoulders ten pixels from the hips, turned clockwise from upright (y points down)."""
    pose = np.zeros((len(FULL_BODY.joints), 2))
    angle = np.radians(degrees)
    up = np.array([np.sin(angle), -np.cos(angle)])
    across = 2 * np.array([np.cos(angle), np.sin(angle)])
    pose[SHOULDERS] = 10 * up + np.array([across, -across])
    pose[HIPS] = np.array([across, -across])
    return pose


def trunk(poses, skeleton=FULL_BODY):
    seen = viewpoints("lsp", np.array(poses), skeleton, None, None)
    assert set(seen["kind"]) <= {"trunk"}
    return seen.groupby("example")["value"].unique().map(lambda words: words.item()).to_dict()


def test_trunks_by_hand():
    turned = [0, 44, -44, 46, 90, -90, 134, -134, 136, 180]
    words = trunk([pose_turned_by(degrees) for degrees in turned])
    assert list(words.values()) == ["upright"] * 3 + ["on its side"] * 5 + ["upside down"] * 2


@given(st.floats(-180, 180), st.floats(0.1, 100), st.floats(-1000, 1000))
def test_neither_size_nor_place_nor_a_mirror_changes_the_trunk(degrees, size, place):
    if min(abs(abs(degrees) - 45), abs(abs(degrees) - 135)) < 1e-3:
        return
    pose = pose_turned_by(degrees)
    mirrored = (pose * [-1, 1])[list(FULL_BODY.mirrored)]
    assert len(set(trunk([pose, pose * size + place, mirrored]).values())) == 1


def test_a_trunk_that_is_not_labelled_is_left_out():
    hidden = pose_turned_by(0)
    hidden[HIPS[0]] = np.nan
    assert trunk([hidden, pose_turned_by(180), np.zeros((14, 2))]) == {1: "upside down"}


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_skeleton_names_the_upper_end_of_its_trunk_first(skeleton):
    ends = [[skeleton.joints[joint].split()[-1] for joint in pair] for pair in skeleton.diameter]
    assert all(pair in (["shoulder", "hip"], ["top", "bottom"]) for pair in ends)


def test_a_stick_is_a_trunk_too():
    pose = np.zeros((1, len(BUFFY_STICKS.joints), 2))
    top, bottom = BUFFY_STICKS.diameter[0]
    pose[0, top], pose[0, bottom] = (5, 5), (5, 50)
    assert trunk(pose, BUFFY_STICKS) == {0: "upright"}


def test_what_a_set_says_of_its_people_and_joints():
    poses = np.array([pose_turned_by(0), pose_turned_by(0)])
    occluded = np.zeros((2, 14), dtype=bool)
    occluded[1, 6] = True
    seen = viewpoints("lsp", poses, FULL_BODY, occluded, np.array([True, False]))
    of_side = seen[seen["kind"] == "seen from"]
    assert of_side.groupby("example")["value"].first().tolist() == ["the back", "the front"]
    assert seen[seen["value"] == "occluded"][["example", "joint"]].to_numpy().tolist() == [[1, "right wrist"]]
    assert (seen["kind"] == "joint").sum() == 28


def errors(values, predictor="stage 1", set_name="lsp", opposite=1.0):
    """`values[example]`, of every joint."""
    rows = [
        (set_name, predictor, example, joint, value, opposite)
        for example, value in enumerate(values)
        for joint in FULL_BODY.joints
    ]
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error", "opposite"])


def test_shares_by_hand():
    poses = np.array([pose_turned_by(degrees) for degrees in (0, 0, 180)])
    occluded = np.zeros((3, 14), dtype=bool)
    occluded[0] = True
    seen = viewpoints("lsp", poses, FULL_BODY, occluded, None)
    both = pd.concat([errors([0.1, 0.3, 0.3]), errors([0.1, 0.1, np.nan], "stage 2")], ignore_index=True)
    shares = rates_by_viewpoint(both, seen)
    shown = ["joints", "pdj@0.1", "pdj@0.2", "pdj@0.5", "poses", "exchanged"]
    assert shares.columns.tolist() == ["set", "predictor", "kind", "value", *shown]
    found = shares.set_index(["predictor", "value"])[["joints", "pdj@0.2"]]
    assert found.loc[("stage 1", "upright")].tolist() == [28, 0.5]
    assert found.loc[("stage 1", "upside down")].tolist() == [14, 0]
    assert found.loc[("stage 1", "occluded")].tolist() == [14, 1]
    assert found.loc[("stage 1", "visible")].tolist() == [28, 0]
    assert found.loc[("stage 2", "upright")].tolist() == [28, 1]
    assert found.loc[("stage 2", "upside down"), "joints"] == 0
    assert np.isnan(found.loc[("stage 2", "upside down"), "pdj@0.2"])


def test_left_taken_for_right_by_hand():
    """Upright: nearer exchanged, not nearer, not counting, missed. On its side: nearer in the mean alone."""
    poses = np.array([pose_turned_by(degrees) for degrees in (0, 0, 0, 0, 90)])
    occluded = np.ones((5, 14), dtype=bool)
    seen = viewpoints("lsp", poses, FULL_BODY, occluded, np.array([True, False, False, False, True]))
    table = errors([0.5, 0.2, np.nan, np.inf, 0.5])
    table["opposite"] = table["example"].map({0: 0.4, 1: 0.4, 2: np.nan, 3: np.inf, 4: 0.6})
    table.loc[table.index[-2:], "opposite"] = 0.0
    shares = rates_by_viewpoint(table, seen).set_index("value")[["poses", "exchanged"]]
    assert shares.loc["upright"].tolist() == [3, pytest.approx(1 / 3)]
    assert shares.loc["on its side"].tolist() == [1, 0]
    assert shares.loc["the back"].tolist() == [2, 0.5]
    assert shares.loc["the front"].tolist() == [2, 0]
    assert np.isnan(shares.loc["occluded", "exchanged"])
    table.loc[table.index[-4:], "opposite"] = 0.0
    nearer = rates_by_viewpoint(table, seen).set_index("value")["exchanged"]
    assert nearer[["on its side", "the back"]].tolist() == [1, 1]


def test_poses_that_do_not_count_exchange_nothing():
    seen = viewpoints("lsp", np.array([pose_turned_by(0)]), FULL_BODY, None, None)
    shares = rates_by_viewpoint(errors([np.nan], opposite=np.nan), seen)
    assert shares["poses"].tolist() == [0]
    assert shares["exchanged"].isna().all()


def test_sets_are_kept_apart():
    seen = viewpoints("lsp", np.array([pose_turned_by(0)]), FULL_BODY, None, None)
    shares = rates_by_viewpoint(pd.concat([errors([0.1]), errors([0.1], set_name="held-out")]), seen)
    assert shares["set"].tolist() == ["lsp"]


@pytest.mark.parametrize("known", [0, 3])
def test_nothing_known_gives_no_rows(known):
    poses = np.full((known, 14, 2), np.nan)
    seen = viewpoints("lsp", poses, FULL_BODY, None, None)
    assert seen.empty
    assert rates_by_viewpoint(errors([0.1]), seen).empty


def shares_by_one_merge(joint_errors, seen):
    """As rates_by_viewpoint has it in words: all errors beside all viewpoints."""
    known = joint_errors.merge(seen, on=["set", "example", "joint"])
    known["value"] = pd.Categorical(known["value"], list(ORDER))
    rows = []
    for key, group in known.groupby(["set", "kind", "value", "predictor"], sort=True, observed=True):
        set_name, kind, value, predictor = key
        means = group.groupby("example")[["error", "opposite"]].mean().dropna()
        row = {"set": set_name, "predictor": predictor, "kind": kind, "value": value}
        row["joints"] = int(group["error"].notna().sum())
        row |= {f"pdj@{t}": share_within(group["error"].to_numpy(), t) for t in PDJ_THRESHOLDS}
        nearer = (means["opposite"] < means["error"]).mean() if kind != "joint" else np.nan
        rows.append(row | {"poses": len(means), "exchanged": nearer})
    return pd.DataFrame(rows)


def test_a_predictor_at_a_time_is_as_all_at_once():
    random = np.random.default_rng(0)
    tables, seen = [], []
    for set_name, count in (("parse", 7), ("lsp", 9)):
        poses = np.array([pose_turned_by(degrees) for degrees in random.uniform(0, 360, count)])
        occluded = random.random((count, 14)) < 0.3 if set_name == "lsp" else None
        behind = random.random(count) < 0.5
        seen.append(viewpoints(set_name, poses, FULL_BODY, occluded, behind))
        for predictor in ("stage 2", "mean pose", "stage 1"):
            table = errors(random.random(count), predictor, set_name)
            table["error"] = random.random(len(table))
            table.loc[random.random(len(table)) < 0.2, "error"] = np.nan
            table["opposite"] = table["error"] + random.normal(0, 0.1, len(table))
            tables.append(table)
    # A set of which nothing is known counts nowhere.
    tables.append(errors([0.1], "stage 1", "held-out"))
    both = pd.concat(tables, ignore_index=True), pd.concat(seen, ignore_index=True)
    pd.testing.assert_frame_equal(rates_by_viewpoint(*both), shares_by_one_merge(*both), check_exact=True)
