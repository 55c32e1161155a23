"""Which weights `deeppose predict` takes, and which it doesn't."""

import copy
import json

import pytest
import safetensors.torch
import torch
from project_copy import edited_params
from small_cascade import write_weights

from deeppose.cli.weights import weights_of
from deeppose.core.skeleton import UPPER_BODY, skeleton_of
from deeppose.networks.weights import load_network, save_network


def test_weights_of_all_stages_are_needed(predict, project):
    (project / "data/cpu/lsp/stage3.safetensors").unlink()
    status, out, err = predict("photo.png")
    assert (status, out) == (1, "")
    there = "`python scripts/published.py weights` puts the published one there"
    trains = "`dvc repro` with profile cpu trains it"
    drawn = "--profile demo takes weights that have seen synthetic people alone"
    assert f"data/cpu/lsp/stage3.safetensors is not there: {there}, {trains}; {drawn}" in err


def test_a_profile_names_other_weights(predict, project):
    (project / "data/cpu").rename(project / "data/paper")
    assert predict("photo.png")[0] == 1
    assert predict("photo.png", "--profile", "paper")[0] == 0


def test_as_many_stages_as_the_params_say(predict, project):
    params = (project / "params.yaml").read_text().replace("cascade_stages: 3", "cascade_stages: 2")
    (project / "params.yaml").write_text(params)
    (image,) = json.loads(predict("photo.png", "--format", "json")[1])["images"]
    assert list(image["people"][0]["stages"]) == ["stage 1", "stage 2"]


def test_weights_that_are_published_go_before_those_of_drawn_people(predict, project):
    write_weights(project / "data/demo/lsp")
    assert "data/cpu/lsp" in predict("photo.png")[1]
    assert "data/demo/lsp" in predict("photo.png", "--profile", "demo")[1]
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("profile: demo", "profile: paper"))
    status, _, err = predict("photo.png")
    assert status == 1
    assert err.strip().endswith("stage1.safetensors is not there: `dvc repro` with profile paper trains it")


def test_weights_of_drawn_people_are_not_taken_for_those_that_are_gone(predict, project):
    """DVC removes what it put there for one profile when it checks another one out."""
    (project / "data/cpu").rename(project / "data/demo")
    status, out, err = predict("photo.png")
    assert (status, out) == (1, "")
    assert "data/cpu/lsp/stage1.safetensors is not there: `python scripts/published.py weights`" in err
    assert predict("photo.png", "--profile", "demo")[0] == 0


def with_a_weight(path, value):
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    state = safetensors.torch.load_file(path)
    state["features.0.bias"][0] = value
    safetensors.torch.save_file(state, path, metadata)


def test_no_weight_that_is_not_finite_gives_a_pose(predict, project):
    with_a_weight(project / "data/cpu/lsp/stage2.safetensors", torch.nan)
    status, out, err = predict("photo.png", "--format", "json")
    assert (status, out) == (1, "")
    assert "stage2.safetensors is no file of our weights or is damaged (features.0.bias is not finite)" in err
    assert "`python scripts/published.py weights`" in err


def test_finite_weights_that_give_no_number_give_no_pose(predict, project):
    for path in weights_of("lsp", None)[0]:
        network, description = load_network(path)
        with torch.no_grad():
            for value in network.parameters():
                value.fill_(60000.0)
        save_network(network, description, path)
    status, out, err = predict("photo.png", "--format", "json")
    assert (status, json.loads(out)["images"]) == (1, [])
    assert err == (
        "deeppose: photo.png: stage 1 predicts joints that are not finite: its weights are damaged, or were "
        "trained with too large a learning_rate; its weights are in data/cpu/lsp\n"
    )


def test_weights_of_another_stage_are_not_taken(predict, project):
    folder = project / "data/cpu/lsp"
    (folder / "stage3.safetensors").write_bytes((folder / "stage2.safetensors").read_bytes())
    status, out, err = predict("photo.png", "--format", "json")
    assert (status, out) == (1, "")
    assert "stage3.safetensors holds weights of stage 2 for full-body joints, not of stage 3" in err


def test_weights_of_another_model_are_not_taken(predict, project):
    write_weights(project / "data/cpu/lsp", skeleton=UPPER_BODY)
    status, out, err = predict("photo.png", "--format", "json")
    assert (status, out) == (1, "")
    assert "holds weights of stage 1 for upper-body joints, not of stage 1 for full-body joints" in err


# A model of one's own


@pytest.fixture
def own(project):
    """Params with a profile `horses` and its model, whose boxes labels give; its weights."""
    entry = {"joints": ["nose", "near ear", "off ear"], "pairs": [["near ear", "off ear"]]}
    entry["diameter"] = [["nose", "near ear"]]
    with edited_params(project) as params:
        profile = copy.deepcopy(params["profiles"]["cpu"]) | {"skeletons": {"ears": entry}, "trusted": None}
        for stage in ("stage1", "stage2", "stage3"):
            profile[stage] |= {"steps": {"horses": 9}, "repeated": {}}
        params["profiles"]["horses"] = profile
        model = {"skeleton": "ears", "train": ["horses"], "test": [], "initial_box": "annotation"}
        params["model"]["horses"] = params["model"]["lsp"] | model
    ears = skeleton_of("ears", entry)
    write_weights(project / "data/horses/horses", skeleton=ears, initial_box={"kind": "annotation"})
    return project


def test_the_profile_that_trains_a_model_is_found(predict, own):
    status, out, _ = predict("photo.png", "--model", "horses", "--box", "10,10,50,60")
    assert (status, "by the weights in data/horses/horses" in out) == (0, True)
    document = json.loads(
        predict("photo.png", "--model", "horses", "--box", "1,1,50,60", "--format", "json")[1]
    )
    assert document["joints"] == ["nose", "near ear", "off ear"]
    # Ours are found as before, whatever the params would run.
    with edited_params(own) as params:
        params |= {"profile": "horses", "models": ["horses"]}
    assert "by the weights in data/cpu/lsp" in predict("photo.png")[1]


def test_a_model_of_labelled_boxes_asks_for_one(predict, own):
    status, _, err = predict("photo.png", "--model", "horses")
    assert (status, "say by --box where it is" in err) == (1, True)


def test_weights_of_a_skeleton_that_has_changed_are_not_taken(predict, own):
    with edited_params(own) as params:
        params["profiles"]["horses"]["skeletons"]["ears"]["joints"] = ["nose", "off ear", "near ear"]
    status, _, err = predict("photo.png", "--model", "horses", "--box", "10,10,50,60")
    assert status == 1
    assert "stage 1 for ears joints, as they were before they were changed, not of stage 1 for ears" in err
