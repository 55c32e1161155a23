"""The page on joints of one's own: its code, on a folder and a zip that are laid out as it says."""

import re
from dataclasses import replace
from unittest import mock

import archives
import numpy as np
import pandas as pd
import pytest
import yaml
from project import ROOT

import deeppose.core.skeleton
from deeppose.core import params
from deeppose.core.errors import AnnotationError
from deeppose.core.metrics import limb_errors
from deeppose.core.params_file import read_values
from deeppose.core.skeleton import Limb, Skeleton
from deeppose.data import registry
from deeppose.data.annotate import annotate
from deeppose.data.check import check_set
from deeppose.evaluation.score import measure
from deeppose.report.tables import pcp_table

DOWN = np.array([0, 20])
"""Less than half of the neck's length, more than half of all other limbs'."""
PAGE = (ROOT / "docs" / "own-joints.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page():
    """What its code defines, each piece put where the page says; and the entry."""
    skeleton, reader, entry = blocks("python")
    names = {"Limb": Limb, "Skeleton": Skeleton, "Counts": registry.Counts, "Entry": registry.Entry}
    exec(skeleton, names)
    with mock.patch.object(deeppose.core.skeleton, "HORSE", names["HORSE"], create=True):
        exec(reader, names)
    names["ENTRY"] = eval(entry, names)
    assert isinstance(names["ENTRY"], registry.Entry)
    return names


@pytest.fixture(params=[archives.write_folder, archives.write_zip])
def written(request, tmp_path):
    """Writes the table of the page, and further lines, with the images that it names."""

    def write(*lines, without=()):
        table = "".join([*blocks("csv"), *(f"{line}\n" for line in lines)])
        names = {line.split(",")[0] for line in table.splitlines()[1:]} - set(without)
        members = {name: archives.jpeg(number, 120, 60) for number, name in enumerate(sorted(names))}
        name = "horses.zip" if request.param is archives.write_zip else "horses"
        return request.param(tmp_path / name, {"joints.csv": table.encode(), **members})

    return write


def test_the_table_of_the_page_is_read(page, written):
    horses = page["read_horses"](written("images/0002.jpg,test,right hind hoof,100.5,57"))
    assert horses.members == ("images/0001.jpg", "images/0002.jpg")
    assert horses.train.tolist() == [True, False]
    named = dict(zip(page["HORSE"].joints, horses.poses[0].tolist(), strict=True))
    assert (named["nose"], named["withers"]) == ([31.5, 40.0], [88.0, 35.5])
    assert horses.poses[1, 6].tolist() == [100.5, 57.0]
    assert horses.labelled.tolist() == [[True, True] + [False] * 5, [True] + [False] * 5 + [True]]
    assert np.isnan(horses.poses[~horses.labelled]).all()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("images/0002.jpg,test,noes,1,2", "line 5: joint is 'noes'"),
        ("images/0002.jpg,tests,tail,1,2", "line 5: part is 'tests'"),
        ("images/0002.jpg,test,nose,1,2", "line 5 has a joint again"),
        ("images/0002.jpg,train,tail,1,2", "images/0002.jpg in both parts"),
        ("images/0003.jpg,test,nose,1,2", "images/0003.jpg, which isn't there"),
    ],
)
def test_a_wrong_line_is_named(page, written, line, told):
    archive = written(line, without=["images/0003.jpg"])
    with pytest.raises(AnnotationError, match=re.escape(told)):
        page["read_horses"](archive)


def test_the_set_is_known_once_it_is_an_entry(page, written, monkeypatch):
    archive = written()
    monkeypatch.setattr(registry, "ENTRIES", (*registry.ENTRIES, page["ENTRY"]))
    found = check_set("horses", [archive.parent])
    assert (found["examples"], found["train"], found["test"]) == (2, 1, 1)
    assert found["arms_against_the_naming"] is None


def test_the_model_of_the_page_is_a_model(page, monkeypatch):
    monkeypatch.setitem(params.SKELETONS, "horse", page["HORSE"])
    values = read_values(ROOT / "params.yaml")
    (model,) = blocks("yaml")
    values["model"] |= yaml.safe_load(model)
    profile = values["profiles"]["cpu"]
    profile["trusted"] += ["horses"]
    for stage in ("stage1", "stage2", "stage3"):
        profile[stage]["steps"]["horses"] = 10
    found = params.Params.model_validate(values)
    assert found.model["horses"].skeleton == "horse"


@pytest.fixture
def three(page, tmp_path):
    """Three horses, two to train and one to test, all of whose joints are labelled."""
    places = [f"{x},{20 + x / 4}" for x in (31.5, 88.0, 110.0, 80.0, 85.0, 105.0, 112.0)]
    lines = [
        f"images/{image}.jpg,{part},{joint},{place}\n"
        for image, part in (("a", "train"), ("b", "train"), ("c", "test"))
        for joint, place in zip(page["HORSE"].joints, places, strict=True)
    ]
    table = "image,part,joint,x,y\n" + "".join(lines)
    images = {f"images/{name}.jpg": archives.jpeg(seed, 120, 60) for seed, name in enumerate("abc")}
    archive = archives.write_zip(tmp_path / "horses.zip", {"joints.csv": table.encode(), **images})
    return page["read_horses"](archive)


def test_its_poses_have_a_diameter(page, three, tmp_path):
    files = tmp_path / "train.rgb", tmp_path / "test.rgb"
    annotated = annotate([three], [three], page["HORSE"], *files, held_out=1, trusted=["horses"], seed=0)
    assert len(annotated.train.table) == 2
    np.testing.assert_allclose(annotated.test.table["diameter"], np.hypot(22.0, 5.5))


def test_its_limbs_and_joints_are_scored_by_their_own_kinds(three):
    figures = measure(three, three.poses[2:] + DOWN, "oc").rates
    assert figures["pcp"] == {"neck": 1.0, "back": 0.0, "leg_front": 0.0, "leg_hind": 0.0, "ave": 0.25}
    assert set(figures["pdj"]["0.1"]) == {"nose", "withers", "tail", "front_hoof", "hind_hoof"}


def test_a_kind_that_people_have_too_takes_no_other_away(three):
    knees = (name.replace("hoof", "knee") for name in three.skeleton.joints[3:])
    with_knees = replace(three.skeleton, joints=("nose", "withers", "knee", *knees))
    horses = replace(three, skeleton=with_knees)
    pdj = measure(horses, three.poses[2:], "oc").rates["pdj"]["0.1"]
    assert set(pdj) == {"nose", "withers", "knee", "front_knee", "hind_knee"}


def test_its_table_has_its_limbs(page, three):
    horse, truth = page["HORSE"], three.poses[2:]
    strict, loose = limb_errors(truth + DOWN, truth, three.labelled[2:], horse)
    errors = pd.DataFrame(
        {"limb": [limb.name for limb in horse.limbs], "strict": strict[0], "loose": loose[0]}
    ).assign(set="horses", predictor="stage 1", example=0)
    table = pcp_table(errors, horse, "horses", "ours", 1)
    assert table[["neck", "back", "leg_front", "leg_hind", "ave"]].iloc[0].tolist() == [1, 0, 0, 0, 0.25]
