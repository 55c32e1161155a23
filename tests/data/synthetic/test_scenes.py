"""The drawn film scenes, and the sets made of them: FLIC, Buffy; and Image Parse's stand-in."""

import io
import zipfile
from collections import Counter

import cv2
import numpy as np
import pytest
import scipy.io
from pydantic import ValidationError

from deeppose.boxes.face_detector import FaceDetector
from deeppose.core.params import Embedded
from deeppose.data.readers.buffy import read_buffy
from deeppose.data.readers.flic import read_flic
from deeppose.data.readers.parse import read_parse
from deeppose.data.synthetic import archives as embedded
from deeppose.data.synthetic import scenes
from deeppose.data.synthetic.archives import ARMS_AND_HIPS, BUFFY, FLIC, write_embedded
from deeppose.data.synthetic.bodies import (
    HEAD_TOP,
    L_ELBOW,
    L_SHOULDER,
    L_WRIST,
    NECK,
    R_ELBOW,
    R_SHOULDER,
    R_WRIST,
)

SEED = 7
SETTINGS = Embedded(
    lsp_images=4,
    extended_images=1,
    height=120,
    unlabelled=0.12,
    parse_images=130,
    flic_images=60,
    flic_test_images=20,
    buffy_frames=25,
    scene_height=128,
    quality=90,
)
FRAME = np.array([192, 128])
FLAT_GREY = [np.full((64, 64, 3), 128, np.uint8)]
FLIC_FIELDS = (
    "poselet_hit_idx", "moviename", "coords", "filepath", "imgdims", "currframe", "torsobox", "istrain",
    "istest",
)  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "SHARE_WITHOUT_STICKS", 0.2)
        paths = write_embedded(tmp_path_factory.mktemp("embedded"), SETTINGS, SEED)
    return {path.name: path for path in paths}


@pytest.fixture
def plain(monkeypatch):
    """One person a frame whose arms hang, so that nothing hides a face; no lens, no noise."""
    monkeypatch.setattr(scenes, "SHARE_OF_PAIRS", 0)
    monkeypatch.setattr(scenes, "SHARE_BEHIND_A_TABLE", 0)
    monkeypatch.setattr(scenes, "SHARE_FROM_THE_BACK", 0)
    monkeypatch.setattr(scenes, "SHARE_AVERTED", 0)
    monkeypatch.setattr(scenes, "GESTURES", ((1.0, scenes.GESTURES[0][1]),))
    monkeypatch.setattr(scenes, "develop", lambda rng, canvas: canvas)


def people(count, height=100):
    drawn = (scenes.draw_scene(np.random.default_rng([3, i]), FLAT_GREY, height) for i in range(count))
    return [person for scene in drawn for person in scene.people]


def images(path):
    with zipfile.ZipFile(path) as archive:
        return {
            name: cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            for name in archive.namelist()
            if name.endswith(".jpg")
        }


def mat(path, member, key):
    with zipfile.ZipFile(path) as archive:
        return scipy.io.loadmat(io.BytesIO(archive.read(member)))[key]


def flic_examples(archives):
    return mat(archives["FLIC.zip"], "FLIC/examples.mat", "examples")


def scene_of(part, index):
    rng = np.random.default_rng([SEED, part, index])
    return scenes.draw_scene(rng, embedded._load_textures(), SETTINGS.scene_height)


class TestArchives:
    def test_five_with_the_published_names(self, archives):
        assert list(archives) == [
            "lsp_dataset.zip", "lspet_dataset.zip", "people.zip", "FLIC.zip", "buffy_stickmen.zip",
        ]  # fmt: skip

    def test_packed_without_a_date(self, archives):
        for path in archives.values():
            with zipfile.ZipFile(path) as archive:
                assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
                for name in archive.namelist():
                    if name.endswith(".mat"):
                        assert b"Created on" not in archive.read(name)[:116]

    def test_no_two_images_are_the_same(self, archives):
        drawn = [image.tobytes() for path in archives.values() for image in images(path).values()]
        assert len(set(drawn)) == len(drawn) == 4 + 1 + 130 + 60 + 25

    def test_an_image_depends_on_its_own_number_alone(self, archives, tmp_path):
        fewer = SETTINGS.model_copy(
            update={"parse_images": 101, "flic_images": 8, "flic_test_images": 1, "buffy_frames": 6}
        )
        for path in write_embedded(tmp_path, fewer, SEED)[2:]:
            few, many = images(path), images(archives[path.name])
            assert set(few) < set(many)
            assert all((image == many[name]).all() for name, image in few.items())

    def test_readme_says_what_they_are_and_whose_face_it_is(self, archives):
        members = {
            "people.zip": "people_all/README.txt",
            "FLIC.zip": "FLIC/README.txt",
            "buffy_stickmen.zip": "README.txt",
        }
        for name, member in members.items():
            with zipfile.ZipFile(archives[name]) as archive:
                text = archive.read(member).decode()
            assert "drawn by a program" in text.replace("\n", " ")
            assert ("Collins" in text) == ("public domain" in text) == (name != "people.zip")
            assert max(map(len, text.splitlines())) <= 110

    def test_flic_needs_a_training_part(self):
        with pytest.raises(ValidationError, match="flic_test_images must leave some"):
            Embedded.model_validate({**SETTINGS.model_dump(), "flic_test_images": 60})


class TestParse:
    def test_layout(self, archives):
        points = mat(archives["people.zip"], "people_all/labels.mat", "ptsAll")
        assert points.shape == (14, 2, 130)
        assert points.dtype == np.float64
        expected = [f"people_all/im{number:04d}.jpg" for number in range(1, 131)]
        assert list(images(archives["people.zip"])) == expected

    def test_people_fill_less_of_the_image_than_in_lsp(self, archives):
        points = mat(archives["people.zip"], "people_all/labels.mat", "ptsAll")
        sizes = [image.shape[1::-1] for image in images(archives["people.zip"]).values()]
        shares = np.median((points.max(axis=0) - points.min(axis=0)).T / sizes, axis=0)
        assert shares == pytest.approx([0.48, 0.75], abs=0.05)
        assert (points >= 1).all()
        assert (points <= np.transpose(sizes)[None]).all()

    def test_reads_back_observer_centric(self, archives):
        parse = read_parse(archives["people.zip"])
        assert parse.train.sum() == 100
        turned = parse.poses[:, L_SHOULDER, 0] < parse.poses[:, R_SHOULDER, 0]
        upright = parse.poses[:, HEAD_TOP, 1] < parse.poses[:, NECK, 1]
        assert turned[upright].mean() < 0.05


class TestFlic:
    def test_layout(self, archives):
        examples = flic_examples(archives)
        assert examples.shape[0] == 1
        assert examples.dtype.names == FLIC_FIELDS
        shown = images(archives["FLIC.zip"])
        for example in examples[0]:
            assert example["coords"].shape == (2, 29)
            assert example["torsobox"].shape == (1, 4)
            assert example["imgdims"].tolist() == [[128, 192, 3]]
            image = shown[f"FLIC/images/{example['filepath'].item()}"]
            assert image.shape == (128, 192, 3)
            assert example["filepath"].item().startswith(example["moviename"].item())
            assert int(example["filepath"].item()[-12:-4]) == example["currframe"].item()

    def test_labels_are_in_the_published_columns_and_in_the_frame(self, archives):
        coords = np.stack(list(flic_examples(archives)[0]["coords"]))
        labelled = ~np.isnan(coords[:, 0])
        assert (np.flatnonzero(labelled.any(axis=0)) == [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]).all()
        points = coords.transpose(0, 2, 1)[labelled]
        assert (points >= 1).all()
        assert (points <= FRAME).all()
        assert 0 < 1 - labelled[:, [0, 1, 2, 3, 4, 5, 6, 9]].mean() < 0.05

    def test_two_people_are_two_examples_of_one_file_and_one_file_is_in_both_parts(self, archives):
        examples = flic_examples(archives)[0]
        names = [example["filepath"].item() for example in examples]
        train = np.array([example["istrain"].item() for example in examples], bool)
        test = np.array([example["istest"].item() for example in examples], bool)
        assert (train != test).all()
        assert set(Counter(names).values()) == {1, 2}
        assert len(set(names)) == 60
        seen_in = {
            name: {part for part, other in zip(train, names, strict=True) if other == name} for name in names
        }
        assert sorted(map(len, seen_in.values()))[-2:] == [1, 2]
        assert sum(parts == {False} for parts in seen_in.values()) == 20

    def test_reads_back_as_drawn(self, archives):
        flic = read_flic(archives["FLIC.zip"])
        rows = [row for row, member in enumerate(flic.members) if member == flic.members[0]]
        person = scene_of(FLIC, 0).people[-1]
        drawn = np.vstack([person.pose[ARMS_AND_HIPS], person.eyes, person.nose])
        keep = flic.labelled[rows[-1]]
        assert keep.sum() > 8
        assert flic.poses[rows[-1]][keep] == pytest.approx(drawn[keep], abs=1e-3)

    def test_torso_boxes_lie_around_shoulders_and_hips(self, archives):
        flic = read_flic(archives["FLIC.zip"])
        torso = flic.poses[:, [0, 3, 6, 7]]
        whole = flic.labelled[:, [0, 3, 6, 7]].all(axis=1)
        low, high = torso[whole].min(axis=1), torso[whole].max(axis=1)
        boxes = flic.torso_boxes[whole]
        assert np.abs(boxes[:, :2] - (low + high) / 2).max() < 0.3 * (high - low).max()
        assert boxes[:, 2:] == pytest.approx(high - low, rel=0.5)
        assert (boxes[:, 2:] / (high - low)).mean() == pytest.approx(1, abs=0.1)


class TestBuffy:
    def test_layout(self, archives):
        with zipfile.ZipFile(archives["buffy_stickmen.zip"]) as archive:
            names = archive.namelist()
            annotated = 0
            for episode in range(2, 7):
                lines = archive.read(f"data/buffy_s5e{episode}_sticks.txt").decode().splitlines()
                for start in range(0, len(lines), 7):
                    assert f"images/buffy_s5e{episode}/{int(lines[start]):06d}.jpg" in names
                    sticks = np.array([line.split() for line in lines[start + 1 : start + 7]], float)
                    assert sticks.shape == (6, 4)
                    assert (sticks >= 1).all()
                    assert (sticks.reshape(12, 2) <= FRAME).all()
                annotated += len(lines) // 7
        frames = [name for name in names if name.endswith(".jpg")]
        assert 0 < annotated < len(frames) == 25

    def test_left_is_the_images_left_and_ends_come_in_either_order(self):
        person = people(1)[0]
        rng = np.random.default_rng(0)
        texts = [embedded._stick_lines(rng, person, 100).split("\n")[:6] for _ in range(40)]
        ends = np.array([[line.split() for line in text] for text in texts], float).reshape(40, 6, 2, 2)
        shoulders = np.where(ends[:, :, 0, 1] < ends[:, :, 1, 1], ends[:, :, 0, 0], ends[:, :, 1, 0])
        assert (shoulders[:, 1] < shoulders[:, 2]).all()
        head_first = ends[:, 5, 0, 1] < ends[:, 5, 1, 1]
        assert 5 < head_first.sum() < 35

    def test_reads_back_as_drawn(self, archives):
        buffy = read_buffy(archives["buffy_stickmen.zip"])
        arms = [L_SHOULDER, L_ELBOW, L_WRIST, R_SHOULDER, R_ELBOW, R_WRIST]
        for member, pose in zip(buffy.members[:6], buffy.poses, strict=False):
            index = (int(member[-10:-4]) - 1000) // 17
            person = scene_of(BUFFY, index).people[-1]
            assert pose[:6] == pytest.approx(person.pose[arms], abs=2.5)
            assert pose[6] == pytest.approx(person.pose[NECK], abs=2.5)
            assert pose[8] == pytest.approx(person.pose[HEAD_TOP], abs=2.5)


class TestScenes:
    def test_upper_bodies_are_whole_and_eyes_are_in_the_head(self):
        for person in people(150):
            upper = person.pose[[*ARMS_AND_HIPS, NECK, HEAD_TOP]]
            assert (upper >= 0).all()
            assert (upper <= [149, 99]).all()
            if not np.isnan(person.nose[0]):
                length = np.linalg.norm(person.pose[HEAD_TOP] - person.pose[NECK])
                middle = (person.pose[HEAD_TOP] + person.pose[NECK]) / 2
                assert np.linalg.norm(person.eyes - middle, axis=1).max() < 0.5 * length
                assert person.eyes[0, 0] > person.eyes[1, 0]

    def test_shares_of_pairs_and_of_people_without_a_face(self):
        drawn = [scenes.draw_scene(np.random.default_rng([3, i]), FLAT_GREY, 100) for i in range(500)]
        pairs = np.mean([len(scene.people) == 2 for scene in drawn])
        assert 0.18 < pairs < 0.27
        faceless = np.mean([np.isnan(person.nose[0]) for scene in drawn for person in scene.people])
        assert 0.01 < faceless < 0.04

    def test_who_is_seen_from_the_back_is_named_from_where_we_stand_and_has_no_face(self, monkeypatch, plain):
        monkeypatch.setattr(scenes, "SHARE_FROM_THE_BACK", 1)
        for person in people(30):
            assert person.pose[L_SHOULDER, 0] > person.pose[R_SHOULDER, 0]
            assert np.isnan(person.eyes).all()
            assert np.isnan(person.nose).all()

    def test_averted_people_have_no_face(self, monkeypatch, plain):
        monkeypatch.setattr(scenes, "SHARE_AVERTED", 1)
        assert all(np.isnan(person.nose).all() for person in people(30))

    def test_eyes_and_nose_are_where_the_photograph_shows_them(self, monkeypatch, plain):
        """Dots in place of the portrait's eyes and nose come out at the labels, each in its colour."""
        real = scenes._portrait()
        dots = np.full_like(real.pixels, 40)
        places = (scenes.EYE_ON_THE_LEFT, scenes.EYE_ON_THE_RIGHT, scenes.NOSE)
        for channel, place in enumerate(places):
            colour = [0, 0, 0]
            colour[channel] = 255
            centre = np.round(np.array(place) - real.corner).astype(int).tolist()
            cv2.circle(dots, centre, 8, colour, -1)
        portrait = scenes.Portrait(dots, real.masks, real.corner)
        monkeypatch.setattr(scenes, "_portrait", lambda: portrait)
        mirrored = 0
        for seed in range(40):
            scene = scenes.draw_scene(np.random.default_rng(seed), FLAT_GREY, 240)
            (person,) = scene.people
            found = []
            for point in (*person.eyes, person.nose):
                column, row = np.round(point).astype(int)
                found.append(int(scene.image[row, column].argmax()))
            assert found in ([1, 0, 2], [0, 1, 2])
            mirrored += found == [0, 1, 2]
        assert 10 < mirrored < 30

    def test_a_face_takes_skin_and_hair_of_its_person(self):
        portrait = scenes._portrait()
        skin, hair = np.array([60.0, 90.0, 140.0]), np.array([20.0, 30.0, 40.0])
        size = portrait.size.astype(int).tolist()
        tinted = portrait.tinted(size, skin, hair, full_hair=True)
        face = portrait.masks[..., 1] > 0.99
        rest = (portrait.masks[..., 0] > 0.99) & (portrait.masks[..., 1] < 0.01)
        assert tinted[face][:, :3].mean(axis=0) == pytest.approx(skin, rel=0.1)
        assert tinted[rest][:, :3].mean(axis=0) == pytest.approx(hair, rel=0.1)
        alone = portrait.tinted(size, skin, hair, full_hair=False)
        assert (alone[rest] < 1).all()

    def test_a_detector_finds_nearly_all_faces(self):
        textures = embedded._load_textures()
        drawn = [scenes.draw_scene(np.random.default_rng([11, i]), textures, 192) for i in range(40)]
        faces = FaceDetector(threads=2).detect([scene.image[..., ::-1].copy() for scene in drawn])
        found = [
            (np.linalg.norm(boxes[:, :2] - person.nose, axis=1) < boxes[:, 2] / 2).any()
            for scene, boxes in zip(drawn, faces, strict=True)
            for person in scene.people
            if not np.isnan(person.nose[0])
        ]
        assert np.mean(found) > 0.9
