"""Whether the upper-body model finds people whose face was not found: measured on FLIC's training part.

    python scripts/faceless.py      write docs/faceless.json

It takes what `cpu` has in data/cpu/flic: examples, initial boxes, weights; minutes on two cores. Each person
starts from the full image, and from the box that stage 1 is most confident of among those all over the image
whose pose has its eyes where the torso's box has the face. Held-out images are looked at as if no face were
found. Training images that truly show none were trained on, from the full image: what they give is no fair
match.
"""

from pathlib import Path

import numpy as np
from people import right_joints

from deeppose.boxes.initial_boxes import FACE_PLACE, NO_FACE, REACH
from deeppose.core.ending import OneLineEnding
from deeppose.core.examples import TORSO_COLUMNS
from deeppose.core.files import read_parquet, write_json
from deeppose.core.geometry import Floats, image_box
from deeppose.core.images import Images, Pixels
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item
from deeppose.deploy.people import finding_of
from deeppose.deploy.pose import Pose

MEASURED = Path("docs/faceless.json")
STAGES = 2
EVERY = 4
"""Of the training images without a face one in so many is looked at."""
# Boxes of FLIC's training faces are 1.0 images high in the median, from 0.6 to 1.7 in nine of ten, 0.74 as
# wide as high; the faces in their middles lie from 0.19 to 0.40 of the image's height.
HEIGHTS, ASPECT = (0.7, 1.0, 1.4), 0.74
ACROSS, DOWN = np.linspace(0.2, 0.8, 5), (0.25, 0.4)


def main() -> None:
    item = Item(load_params(), "cpu", "flic")
    examples = item.train.read_examples()
    without = read_parquet(item.train.initial_boxes)["chosen"].to_numpy() == NO_FACE
    training = examples.rows("train")
    of_part = {
        "held-out images, as if no face were found": examples.rows("held-out"),
        "training images without a face": training[without[training]][::EVERY],
    }
    images, cascade = Images(item.train.images, examples.table), Pose("flic").cascade
    torsos = examples.table[TORSO_COLUMNS].to_numpy(np.float64)
    arms = [n for n, joint in enumerate(cascade.skeleton.joints) if joint.split()[-1] in ("elbow", "wrist")]

    def pose_from(photo: Pixels, box: Floats) -> Floats:
        estimate = cascade.initial(photo, box[None])
        for stage in range(2, STAGES + 1):
            estimate = cascade.refine(stage, photo, estimate.poses, box[None])
        return estimate.poses[0]

    def searched(photo: Pixels, torso: Floats) -> Floats | None:
        boxes = all_over(photo)
        first = cascade.initial(photo, boxes)
        eyes = first.poses[:, list(cascade.skeleton.joint_kinds["eye"])].mean(axis=1)
        away = np.linalg.norm((eyes - torso[:2]) / torso[2:] + [0, 0.5] - FACE_PLACE, axis=-1)
        scores = np.where(away <= REACH, finding_of(cascade.skeleton.name).scores(first.spreads), -np.inf)
        return boxes[scores.argmax()] if np.isfinite(scores.max()) else None

    measured = {}
    for part, rows in of_part.items():
        poses: dict[str, list[Floats]] = {"initial box": [], "full image": [], "searched": []}
        for row in rows:
            photo = images[row]
            whole = image_box(photo.shape[1], photo.shape[0])
            found = searched(photo, torsos[row])
            poses["initial box"].append(pose_from(photo, examples.boxes[row]))
            poses["full image"].append(pose_from(photo, whole))
            poses["searched"].append(pose_from(photo, whole if found is None else found))
        truth = np.where(examples.labelled[rows][..., None], examples.poses[rows], np.nan)
        measured[part] = {"people": len(rows)} | {
            name: round(float(np.nanmean(right_joints(np.array(of), truth, cascade.skeleton)[:, arms])), 3)
            for name, of in poses.items()
        }
        print(part, measured[part], flush=True)
    write_json(MEASURED, {"elbows and wrists within 0.2 diameters after stage 2": measured})


def all_over(photo: Pixels) -> Floats:
    """Boxes in a photo `(height, width, 3)`, `(30, 4)`, as if a face were in the middle of each."""
    height, width = photo.shape[:2]
    places = [(share, y, x) for share in HEIGHTS for y in DOWN for x in ACROSS]
    return np.array([[x * width, y * height, ASPECT * s * height, s * height] for s, y, x in places])


if __name__ == "__main__":
    with OneLineEnding("error"):
        main()
