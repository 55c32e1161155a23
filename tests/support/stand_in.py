"""Networks whose outputs are known, as prediction outside the pipeline sees them."""

import numpy as np

from deeppose.core.skeleton import FULL_BODY
from deeppose.deploy.people import Finding
from deeppose.deploy.runtime import Outputs

FINDING = Finding(
    search=480,
    face_boxes=[[1.0, 4.0, 8.0], [2.0, 8.0, 16.0]],
    windows=[],
    enlarged=None,
    least=0.4,
    least_unseen=0.4,
    apart=0.5,
    logistic={"first": [-3.0, -3.0], "last": [-2.0, -2.5]},
)
PERSON = (200, 30, 40)
"""The colour of a rectangle that is a person to :class:`Sees`."""
TEMPLATE = np.array([(5 * joint % 14, joint) for joint in range(14)]) / 13
"""Joints well apart, in shares of the rectangle that they fill."""


class StandIn:
    """A stage's network; `say` makes its outputs of crops."""

    def __init__(self, say, stage=1, skeleton=FULL_BODY, has_maps=True, size=24, **described):
        self.description = {"stage": stage, "average_mirrored": False, "initial_box": {"kind": "image"}}
        self.description |= {"sigma": 1.0, "smallest_box": 0.05} | described
        self.skeleton, self.has_maps, self.size, self.padding = skeleton, has_maps, size, (9, 9, 9)
        self.say = say

    def run(self, crops):
        joints, variances = self.say(crops)
        return Outputs(np.float32(joints), None if variances is None else np.float32(variances))


def says(joints, variances=None):
    """The same of every crop."""
    return lambda crops: (
        np.repeat(np.asarray(joints)[None], len(crops), axis=0),
        None if variances is None else np.repeat(np.asarray(variances)[None], len(crops), axis=0),
    )


def sees(crops):
    """Joints in the rectangle of the colour PERSON; the surer, the nearer to half the crop its height is."""
    joints, variances = [], []
    for crop in crops:
        rows, columns = np.nonzero(np.abs(crop.astype(int) - PERSON).sum(axis=-1) < 60)
        if len(rows) == 0:
            joints.append(TEMPLATE - 0.5)
            variances.append(np.full(TEMPLATE.shape, 1.0))
            continue
        first = np.array([columns.min(), rows.min()]) / len(crop) - 0.5
        sides = np.array([np.ptp(columns) + 1, np.ptp(rows) + 1]) / len(crop)
        joints.append(first + TEMPLATE * sides)
        variances.append(np.full(TEMPLATE.shape, (0.02 + 0.1 * abs(sides[1] - 0.5)) ** 2))
    return np.stack(joints), np.stack(variances)


def photo_of(*rectangles, width=200, height=160):
    """A grey photo with people in rectangles of first column, first row, width, height."""
    photo = np.full((height, width, 3), 110, np.uint8)
    for x, y, w, h in rectangles:
        photo[y : y + h, x : x + w] = PERSON
    return photo
