import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deeppose.core.geometry import diameter
from deeppose.core.skeleton import FULL_BODY
from deeppose.evaluation.error_tables import error_tables, matrix, predictors
from deeppose.evaluation.evaluation import Evaluation, metrics
from deeppose.evaluation.rates import rates

JOINTS = len(FULL_BODY.joints)
LIMBS = [limb.name for limb in FULL_BODY.limbs if limb.kind is not None]
WRIST, LEFT_WRIST = (FULL_BODY.joints.index(f"{side} wrist") for side in ("right", "left"))
# Left shoulder to right hip: (60, 80) apart, a diameter of 100. Right lower arm: 20 long.
POSE = np.array(
    [
        (20, 190), (20, 150), (20, 110), (60, 110), (60, 150), (60, 190), (5, 70), (5, 50),
        (20, 30), (80, 30), (95, 50), (95, 70), (50, 20), (50, 0),
    ],
    dtype=np.float64,
)  # fmt: skip


@pytest.fixture
def tables():
    """Three poses: one wrist moved, one wrist missed, one without a diameter and without labelled wrists."""
    truth = np.stack([POSE, POSE + 7, POSE])
    labelled = np.ones((3, JOINTS), dtype=bool)
    labelled[2, [2, 3, WRIST]] = False
    truth[~labelled] = np.nan
    predicted = np.stack([POSE, POSE + 7, POSE + np.array([0, 4])])
    predicted[0, WRIST] += (9, 12)
    predicted[1, WRIST] = np.nan
    return error_tables(
        "lsp", "stage 1", predicted, truth, labelled, diameter(truth, labelled, FULL_BODY), FULL_BODY
    )


def test_one_row_a_joint_and_a_limb_in_order(tables):
    joints, limbs = tables
    assert list(joints.columns) == ["set", "predictor", "example", "joint", "error", "opposite"]
    assert list(limbs.columns) == ["set", "predictor", "example", "limb", "strict", "loose"]
    for table in tables:
        assert (table["set"] == "lsp").all()
        assert (table["predictor"] == "stage 1").all()
        assert table["example"].dtype == np.int32
    assert joints["joint"].tolist() == list(FULL_BODY.joints) * 3
    assert joints["example"].tolist() == [n for n in range(3) for _ in range(JOINTS)]
    assert limbs["limb"].tolist() == LIMBS * 3
    assert limbs["example"].tolist() == [n for n in range(3) for _ in LIMBS]


def test_joint_errors_by_hand(tables):
    errors = tables[0]["error"].to_numpy().reshape(3, JOINTS)
    wanted = np.zeros((3, JOINTS))
    wanted[0, WRIST] = 0.15  # 15 pixels of 100
    wanted[1, WRIST] = np.inf
    wanted[2] = np.nan  # no hip, no diameter
    np.testing.assert_allclose(errors, wanted, atol=1e-12)


def test_opposite_errors_by_hand(tables):
    opposite = tables[0]["opposite"].to_numpy().reshape(3, JOINTS)
    # Wrists stand 90 apart, and the first right one was predicted 9 nearer to the left one and 12 below it.
    assert opposite[0, [WRIST, LEFT_WRIST]] == pytest.approx([0.9, np.hypot(90 - 9, 12) / 100])
    assert opposite[1, [WRIST, LEFT_WRIST]] == pytest.approx([0.9, np.inf])
    assert opposite[0, -2:] == pytest.approx([0, 0])  # the neck and the top of the head have no side
    assert np.isnan(opposite[2]).all()


def test_limb_errors_by_hand(tables):
    limbs = tables[1]
    lower_arm = limbs[limbs["limb"] == "right lower arm"]
    np.testing.assert_allclose(lower_arm["strict"], [15 / 20, np.inf, np.nan])
    np.testing.assert_allclose(lower_arm["loose"], [7.5 / 20, np.inf, np.nan])
    upper_arm = limbs[limbs["limb"] == "right upper arm"]
    np.testing.assert_allclose(upper_arm["strict"], [0, 0, 4 / 25])
    upper_leg = limbs[limbs["limb"] == "right upper leg"]
    np.testing.assert_allclose(upper_leg["loose"], [0, 0, np.nan])


def test_rates_of_the_tables_by_hand(tables):
    errors = tables[0]["error"].to_numpy().reshape(3, JOINTS)
    strict, loose = (tables[1][name].to_numpy().reshape(3, len(LIMBS)) for name in ("strict", "loose"))
    found = rates(errors, strict, loose, FULL_BODY)
    assert list(found) == ["pcp", "pcp_loose", "pdj@0.1", "pdj@0.2", "pdj@0.5"]
    # Lower arms: three left ones right, of the two right ones that count none, or loosely one.
    assert found["pcp"]["arm_lower"] == pytest.approx(3 / 5)
    assert found["pcp_loose"]["arm_lower"] == pytest.approx(4 / 5)
    assert found["pcp"]["ave"] == pytest.approx((3 + 3 / 5) / 4)
    assert found["pcp_loose"]["ave"] == pytest.approx((3 + 4 / 5) / 4)
    # Wrists: two left ones right, the right ones off by 0.15 and missed; the third pose doesn't count.
    assert [found[f"pdj@{t}"]["wrist"] for t in (0.1, 0.2, 0.5)] == [0.5, 0.75, 0.75]
    assert [found[f"pdj@{t}"]["knee"] for t in (0.1, 0.2, 0.5)] == [1, 1, 1]
    # Over joints, not kinds: the right wrist alone is not always right.
    assert found["pdj@0.1"]["mean"] == pytest.approx(13 / 14)
    assert found["pdj@0.2"]["mean"] == pytest.approx(13.5 / 14)


def test_what_nothing_counts_for_is_none():
    errors = np.full((2, JOINTS), np.nan)
    limbs = np.full((2, len(LIMBS)), np.nan)
    found = rates(errors, limbs, limbs, FULL_BODY)
    assert all(share is None for shares in found.values() for share in shares.values())
    json.dumps(found, allow_nan=False)

    errors[0, WRIST], limbs[0, LIMBS.index("right lower arm")] = np.inf, np.inf
    found = rates(errors, limbs, limbs, FULL_BODY)
    assert found["pcp"] == {"leg_lower": None, "leg_upper": None, "arm_lower": 0, "arm_upper": None, "ave": 0}
    assert (found["pdj@0.5"]["wrist"], found["pdj@0.5"]["elbow"], found["pdj@0.5"]["mean"]) == (0, None, 0)


def test_a_set_without_examples_has_empty_tables():
    joints, limbs = error_tables(
        "lsp",
        "stage 1",
        *np.zeros((2, 0, JOINTS, 2)),
        np.zeros((0, JOINTS), dtype=bool),
        np.zeros(0),
        FULL_BODY,
    )
    assert (len(joints), len(limbs)) == (0, 0)
    assert list(joints.columns) == ["set", "predictor", "example", "joint", "error", "opposite"]


def test_errors_are_in_diameters():
    labelled = np.ones((1, JOINTS), dtype=bool)
    diameters = np.array([100.0])
    joints, _ = error_tables("lsp", "stage 1", 3 * POSE[None], POSE[None], labelled, diameters, FULL_BODY)
    errors = joints.set_index("joint")["error"]
    assert errors["right wrist"] == pytest.approx(2 * np.hypot(5, 70) / 100)


def errors_of(*names):
    rows = [
        (name, example, joint, example + number / 100)
        for name in names
        for example in range(4)
        for number, joint in enumerate(FULL_BODY.joints)
    ]
    return pd.DataFrame(rows, columns=["predictor", "example", "joint", "error"])


def test_other_methods_stand_between_the_stages_and_the_mean_pose():
    errors = errors_of("mean pose", "an older method", "stage 2", "MODEC (Sapp and Taskar 2013)", "stage 1")
    expected = ["stage 1", "stage 2", "MODEC (Sapp and Taskar 2013)", "an older method", "mean pose"]
    assert predictors(errors) == expected


def test_matrix_keeps_the_skeletons_order():
    errors = errors_of("stage 2", "stage 1").sample(frac=1, random_state=0)
    expected = np.arange(4)[:, None] + np.arange(14) / 100
    np.testing.assert_array_equal(matrix(errors, "stage 1", "joint", FULL_BODY.joints, "error"), expected)


def test_a_skeleton_without_limbs_has_no_pcp():
    bare = replace(FULL_BODY, name="bare", limbs=())
    poses, labelled = np.stack([POSE, POSE]), np.ones((2, JOINTS), dtype=bool)
    of_stages = [
        error_tables("mine", f"stage {stage}", poses, poses, labelled, diameter(poses, labelled, bare), bare)
        for stage in (1, 2)
    ]
    joints, limbs = (pd.concat(kind, ignore_index=True) for kind in zip(*of_stages, strict=True))
    found = metrics(Evaluation("mine", joints, limbs, pd.DataFrame(), bare), 2)["mine"]
    assert found["stage_2"]["pcp"] == {"ave": None}
    assert found["stage_2"]["pdj@0.1"]["mean"] == 1
    assert found["gain_of_stage_2"]["pcp.ave"] is None
