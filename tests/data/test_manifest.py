"""What is noted of the archives of synthetic people, and when those are made again."""

import json

import horses
import pytest
from project import small_params, write_params

from deeppose.core.errors import MissingArchiveError, ParamsError
from deeppose.core.params_file import load_params
from deeppose.data.manifest import make_manifests


@pytest.fixture
def download(tmp_path, monkeypatch):
    """A function that gets the archives in a folder of its own and gives the notes of each model."""
    monkeypatch.chdir(tmp_path)

    def run(**changes):
        params = small_params()
        for path, value in changes.items():
            section = params
            *sections, key = path.split("__")
            for name in sections:
                section = section[name]
            section[key] = value
        write_params(tmp_path, params)
        return make_manifests(load_params(), "demo")

    return run


def test_each_model_has_its_archives(download):
    noted = download()
    assert set(noted["lsp"]["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip", "people.zip"}
    assert set(noted["flic"]["archives"]) == {"FLIC.zip", "buffy_stickmen.zip"}
    assert noted["lsp"]["left_out"] == {}
    # Buffy with nobody named is in Buffy's archive.
    assert noted["flic"]["left_out"] == {}


@pytest.mark.parametrize("key", ["train", "test"])
def test_an_unknown_set_is_named_before_anything_is_drawn(download, tmp_path, key):
    with pytest.raises(ParamsError, match=rf"model\.flic\.{key} names 'lps', which is none of lsp, lsp-ext"):
        download(**{f"model__flic__{key}": ["flic", "lps"]})
    assert not (tmp_path / "data").exists()


def test_sets_without_person_centric_labels_are_left_out_where_those_are_asked_for(download):
    noted = download(model__lsp__labels="pc")
    assert set(noted["lsp"]["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip"}
    assert "observer-centric labels alone, and model.lsp.labels is pc" in noted["lsp"]["left_out"]["parse"]
    assert noted["flic"]["left_out"] == {}


def test_a_set_without_synthetic_people_is_left_out(download, tmp_path):
    download()
    stamp = tmp_path / "data" / "demo" / "archives" / "drawn-from.json"
    made = json.loads(stamp.read_text())
    del made["sets"]["parse"]
    stamp.write_text(json.dumps(made))
    noted = download()["lsp"]
    assert set(noted["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip"}
    assert noted["left_out"]["parse"].startswith("Image Parse has no synthetic people")


def test_a_damaged_archive_is_drawn_again(download, tmp_path):
    before = download()
    path = tmp_path / "data" / "demo" / "archives" / "people.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert download() == before
    assert path.read_bytes() != bytes(data)


@pytest.mark.parametrize(
    "damage", ['{"drawn_from": {', "[]", '{"drawn_from": STAMP}', '{"drawn_from": STAMP, "sets": 3}']
)
def test_a_damaged_note_of_what_was_drawn_is_made_again(download, tmp_path, damage):
    before = download()
    note = tmp_path / "data" / "demo" / "archives" / "drawn-from.json"
    text = note.read_text()
    note.write_text(damage.replace("STAMP", json.dumps(json.loads(text)["drawn_from"])))
    assert download() == before
    assert note.read_text() == text


def test_nothing_is_drawn_twice(download, tmp_path):
    download()
    folder = tmp_path / "data" / "demo" / "archives"
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    download()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


# Sets of one's own


@pytest.fixture
def with_horses(download, tmp_path):
    """Notes of a profile whose models are ours and one of one's own; changes are those of `download`."""
    horses.write(tmp_path)
    entry = {"joints": list(horses.JOINTS), "diameter": [["withers", "tail"]]}
    own = {"format": "coco", "annotations": "horses.json", "images": "photos", "skeleton": "horse"}
    model = small_params()["model"]["lsp"] | {"skeleton": "horse", "train": ["horses"], "test": ["horses"]}
    steps = dict.fromkeys(("lsp", "flic", "horses"), 2)
    of_stages = {f"profiles__demo__stage{stage}__steps": steps for stage in (1, 2, 3)}
    changes = {"model__horses": model, "models": ["lsp", "horses"], **of_stages}
    changes["profiles__demo__trusted"] = ["lsp", "horses"]
    changes |= {
        "profiles__demo__datasets": {"horses": own | {"test": 0.25}},
        "profiles__demo__skeletons": {"horse": entry},
    }
    return lambda **more: download(**changes, **more)


def test_ones_own_is_noted_beside_the_others_which_do_not_change(download, with_horses):
    ours, noted = download()["lsp"], with_horses()
    assert noted["lsp"] == ours
    assert set(ours) == {"archives", "left_out", "peers"}
    assert noted["horses"]["archives"] == {}
    assert noted["horses"]["skeleton"]["name"] == "horse"
    assert noted["horses"]["datasets"]["horses"]["entry"]["format"] == "coco"


def test_what_is_noted_of_ones_own_follows_its_entry_its_skeleton_and_its_files(with_horses, tmp_path):
    def of_horses(**more):
        return json.dumps(with_horses(**more)["horses"])

    before = of_horses()
    assert of_horses() == before
    assert of_horses(profiles__demo__datasets__horses__test=0.5) != before
    assert of_horses(profiles__demo__skeletons__horse__limbs={"back": ["withers", "tail"]}) != before
    path = tmp_path / "horses.json"
    path.write_text(path.read_text().replace('"iscrowd": 0', '"iscrowd": 0, "more": 1', 1))
    assert of_horses() != before


def test_a_set_of_ones_own_that_is_gone_is_named(with_horses, tmp_path):
    (tmp_path / "horses.json").unlink()
    with pytest.raises(MissingArchiveError, match=r"horses.json, a file of labels, is not there"):
        with_horses()


def test_a_set_of_ones_own_has_a_name_of_its_own(with_horses):
    own = {"format": "coco", "annotations": "horses.json", "images": "photos", "skeleton": "horse"}
    with pytest.raises(ParamsError, match=r"profiles/demo.yaml:datasets.lsp is a published set"):
        with_horses(profiles__demo__datasets__lsp=own)


def test_a_model_that_the_profile_does_not_train_is_named(download, tmp_path):
    with pytest.raises(ParamsError, match=r"profile demo doesn't train the model flic: .* say `models"):
        download(profiles__demo__stage1__steps={"lsp": 2})
    assert not (tmp_path / "data").exists()
