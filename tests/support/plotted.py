"""Errors, poses and images to plot, for the tests of figures."""

import numpy as np
import pandas as pd

from deeppose.core.skeleton import FULL_BODY

STAGES = ("stage 1", "stage 2", "stage 3")
NETWORK = "a network"


def joint_errors(errors, predictors=("stage 1",), skeleton=FULL_BODY):
    """The same error of every joint of an example, `errors[example]`."""
    rows = [
        ("lsp", predictor, example, joint, error)
        for predictor in predictors
        for example, error in enumerate(errors)
        for joint in skeleton.joints
    ]
    return pd.DataFrame(rows, columns=["set", "predictor", "example", "joint", "error"])


def ours(stage):
    return f"DeepPose, {stage}\n({NETWORK})"


def pose(skeleton=FULL_BODY, seed=0):
    return np.random.default_rng(seed).uniform(5, 35, (len(skeleton.joints), 2))


def image():
    return np.full((60, 40, 3), 90, np.uint8)


def normals(count, joints=14):
    fitted = pd.DataFrame({"joint": range(joints), "mean_x": 1.0, "mean_y": 2.0, "var_x": 4.0, "var_y": 9.0})
    joints = np.repeat(np.arange(joints), count)
    noise = np.random.default_rng(0).normal(size=(len(joints), 2))
    observed = pd.DataFrame({"joint": joints, "dx": noise[:, 0], "dy": noise[:, 1]})
    return observed, fitted.assign(cov_xy=0.0)
