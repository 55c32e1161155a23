"""Synthetic people: the published layouts, the same bytes every time, and bodies that a human could have."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from deeppose.core.geometry import diameter
from deeppose.core.params import Embedded
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.synthetic import bodies as figure
from deeppose.data.synthetic import painting as drawing
from deeppose.data.synthetic.archives import write_embedded

SETTINGS = Embedded(
    lsp_images=24,
    extended_images=120,
    height=160,
    unlabelled=0.12,
    parse_images=101,
    flic_images=2,
    flic_test_images=1,
    buffy_frames=5,
    scene_height=100,
    quality=90,
)
FLAT_GREY = [np.full((64, 64, 3), 128, np.uint8)]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return write_embedded(tmp_path_factory.mktemp("embedded"), SETTINGS, seed=7)[:2]


def read(path: Path):
    with zipfile.ZipFile(path) as archive:
        joints = scipy.io.loadmat(io.BytesIO(archive.read("joints.mat")))["joints"]
        images = [
            cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            for name in archive.namelist()
            if name.endswith(".jpg")
        ]
    return joints, images


def test_members_are_named_ordered_and_packed_as_published(archives):
    assert [path.name for path in archives] == ["lsp_dataset.zip", "lspet_dataset.zip"]
    for path, digits, count in zip(archives, (4, 5), (24, 120), strict=True):
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        images = [f"images/im{number:0{digits}d}.jpg" for number in range(1, count + 1)]
        assert [info.filename for info in infos] == ["joints.mat", "README.txt", *images]
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}


def test_joints_have_the_published_layouts(archives):
    lsp, extended = (read(path)[0] for path in archives)
    assert lsp.shape == (3, 14, 24)
    assert extended.shape == (14, 3, 120)
    assert lsp.dtype == extended.dtype == np.float64
    assert set(np.unique(lsp[2])) == {0, 1}
    assert set(np.unique(extended[:, 2])) == {0, 1}


def test_mat_header_names_no_day(archives):
    with zipfile.ZipFile(archives[0]) as archive:
        contents = archive.read("joints.mat")
    assert contents.startswith(b"MATLAB 5.0 MAT-file")
    assert b"Created on" not in contents[:116]
    assert contents[124:128] == b"\x00\x01IM"


def test_same_seed_same_bytes_and_other_seed_other_bytes(tmp_path):
    few = SETTINGS.model_copy(update={"lsp_images": 4, "extended_images": 3})

    def contents(name, seed):
        return [path.read_bytes() for path in write_embedded(tmp_path / name, few, seed)]

    first, again, other = contents("a", 1), contents("b", 1), contents("c", 2)
    assert len(first) == 5
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_an_image_depends_on_its_own_number_alone(tmp_path, archives):
    fewer = SETTINGS.model_copy(update={"lsp_images": 8, "extended_images": 5})
    for path, count in zip(write_embedded(tmp_path, fewer, seed=7)[:2], (8, 5), strict=True):
        with zipfile.ZipFile(path) as few, zipfile.ZipFile(archives[0].parent / path.name) as many:
            names = few.namelist()[2:]
            assert len(names) == count
            assert all(few.read(name) == many.read(name) for name in names)


def test_sets_share_no_image(archives):
    lsp, extended = (read(path)[1] for path in archives)
    shared = {image.tobytes() for image in lsp} & {image.tobytes() for image in extended}
    assert not shared


def test_every_labelled_joint_lies_in_its_image(archives):
    lsp, lsp_images = read(archives[0])
    extended, extended_images = read(archives[1])
    poses = [*lsp[:2].transpose(2, 1, 0), *extended[:, :2].transpose(2, 0, 1)]
    labelled = [*np.ones((24, 14), bool), *(extended[:, 2].T == 1)]
    for pose, keep, image in zip(poses, labelled, [*lsp_images, *extended_images], strict=True):
        rows, width = image.shape[:2]
        assert (pose[keep] >= 1).all()
        assert (pose[keep] <= (width, rows)).all()


def test_unlabelled_joints_are_as_many_as_asked_and_hold_garbage(archives):
    extended, _ = read(archives[1])
    missing = extended[:, 2] == 0
    assert missing.mean() == pytest.approx(SETTINGS.unlabelled, abs=0.04)
    assert missing.any(axis=0).mean() < 0.75
    assert (extended[:, :2].transpose(0, 2, 1)[missing] < 0).any()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_shares_of_unlabelled_joints_at_the_ends(tmp_path, share):
    settings = SETTINGS.model_copy(update={"lsp_images": 4, "extended_images": 200, "unlabelled": share})
    extended, _ = read(write_embedded(tmp_path, settings, seed=3)[1])
    assert (extended[:, 2] == 0).mean() == pytest.approx(share, abs=0.06)


def test_bones_are_never_longer_than_a_body_allows_and_poses_have_diameters(archives):
    lsp, _ = read(archives[0])
    poses = lsp[:2].transpose(2, 1, 0)
    longest = {"arm_upper": 0.165, "arm_lower": 0.145, "leg_upper": 0.245, "leg_lower": 0.235}
    for limb in FULL_BODY.limbs:
        if limb.kind is not None:
            lengths = np.linalg.norm(poses[:, limb.start] - poses[:, limb.end], axis=-1)
            assert lengths.max() < longest[limb.kind] * SETTINGS.height * 1.12 * 1.2
            assert lengths.max() > longest[limb.kind] * SETTINGS.height * 0.8
    assert diameter(poses, np.ones((24, 14), bool), FULL_BODY).min() > 10


def test_elbows_bend_to_the_front_and_knees_to_the_back(monkeypatch):
    bent = {**dict.fromkeys(figure.CALM, (0, 0)), "elbow": (80, 100), "knee": (80, 100)}
    monkeypatch.setattr(figure, "CALM", bent)
    monkeypatch.setattr(figure, "STRONG", bent)
    monkeypatch.setattr(figure, "SHARE_ANY_LEAN", 0)
    monkeypatch.setattr(figure, "_sample_yaw", lambda rng: 0.0)
    joints = figure.sample_figure(np.random.default_rng(0)).joints
    for (_, elbow, wrist), (_, knee, ankle) in zip(figure.ARMS, figure.LEGS, strict=True):
        assert joints[wrist, 2] - joints[elbow, 2] > 0.1
        assert joints[ankle, 2] - joints[knee, 2] < -0.1


def test_no_sampled_knee_bends_to_the_front():
    for seed in range(200):
        body = figure.sample_figure(np.random.default_rng(seed))
        for side, (hip, knee, ankle) in enumerate(figure.LEGS):
            thigh, shin = body.joints[knee] - body.joints[hip], body.joints[ankle] - body.joints[knee]
            sideways = np.cross(body.toes[side] - body.heels[side], shin)
            assert np.cross(thigh, shin) @ sideways >= -1e-9


def test_a_person_who_faces_us_has_their_left_on_the_right_and_from_the_back_on_the_left(monkeypatch):
    calm = dict.fromkeys(figure.CALM, (0, 0))
    monkeypatch.setattr(figure, "CALM", calm)
    monkeypatch.setattr(figure, "STRONG", calm)
    monkeypatch.setattr(figure, "SHARE_ANY_LEAN", 0)
    for yaw, sign in ((0.0, 1), (np.pi, -1)):
        monkeypatch.setattr(figure, "_sample_yaw", lambda rng, yaw=yaw: yaw)
        drawn = drawing.draw(np.random.default_rng(0), FLAT_GREY, 200)
        for left, right in zip(figure.ARMS[0] + figure.LEGS[0], figure.ARMS[1] + figure.LEGS[1], strict=True):
            assert np.sign(drawn.pose[left, 0] - drawn.pose[right, 0]) == sign
        assert drawn.pose[figure.HEAD_TOP, 1] < drawn.pose[figure.NECK, 1] < drawn.pose[figure.L_HIP, 1]
        assert not drawn.occluded.any()
        body = figure.sample_figure(np.random.default_rng(0))
        assert np.sign((body.toes - body.heels)[:, 2]).tolist() == [sign, sign]


def test_joints_lie_where_they_are_painted(monkeypatch):
    """On a white body before a black ground, without noise, each joint's pixel is of the body."""
    white = np.full(3, 255.0)
    dress = drawing.Clothes(white, white, white, white, white, 0.5, 0.5, 1.0)
    black = lambda rng, textures, rows, width, clothes: np.zeros((rows, width, 3), np.uint8)  # noqa: E731
    monkeypatch.setattr(drawing, "sample_clothes", lambda rng: dress)
    monkeypatch.setattr(drawing, "background", black)
    monkeypatch.setattr(drawing, "develop", lambda rng, canvas: canvas)
    for seed in range(40):
        drawn = drawing.draw(np.random.default_rng(seed), FLAT_GREY, 200)
        columns, rows = np.round(drawn.pose).astype(int).T
        assert (drawn.image[rows, columns] > 60).all()
        assert 0.03 < (drawn.image.max(axis=-1) > 0).mean() < 0.7


def test_a_visible_wrist_has_the_skin_and_a_hidden_one_has_not(monkeypatch):
    red, green = np.array([0.0, 0.0, 255.0]), np.array([0.0, 255.0, 0.0])
    dress = drawing.Clothes(red, green, green, green, green, 0.0, 0.95, 1.0)
    monkeypatch.setattr(drawing, "sample_clothes", lambda rng: dress)
    monkeypatch.setattr(drawing, "develop", lambda rng, canvas: canvas)
    seen = hidden = 0
    for seed in range(150):
        drawn = drawing.draw(np.random.default_rng(seed), FLAT_GREY, 200)
        for wrist in (figure.L_WRIST, figure.R_WRIST):
            column, row = np.round(drawn.pose[wrist]).astype(int)
            _, greenness, redness = drawn.image[row, column].astype(int)
            if drawn.occluded[wrist]:
                hidden += greenness > redness
            else:
                seen += redness > greenness
    assert seen > 240
    assert hidden > 10
