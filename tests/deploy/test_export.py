"""Exported networks give our values, outside of this package too; what goes wrong leaves no file."""

import contextlib
import importlib.util
import io
import json
import re
import shutil
import sys
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from project import ROOT, small_params, write_params

from deeppose.cascade.crops import crop
from deeppose.cli import main as cli
from deeppose.core.errors import ExportError
from deeppose.core.skeleton import FULL_BODY
from deeppose.deploy import export
from deeppose.deploy.people import poses_in
from deeppose.deploy.pose import load_cascade
from deeppose.networks.weights import build_network, load_network, save_network

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in export.PACKAGES),
    reason=f"not all of {', '.join(export.PACKAGES)} are installed; requirements.lock has them",
)

SHARED = {"joints": len(FULL_BODY.joints), "mean": (120.0, 110.0, 100.0)}
# By the kind of network, one of each in a cascade.
NETWORKS = {
    "spatial": SHARED | {"size": 64, "channels": 8, "initial_weights": "random"},
    "alexnet": SHARED
    | {"size": 60, "width": 0.1, "dropout": 0.5, "initial_weights": "he", "pixel_scale": 0.016},
}


def network(name):
    torch.manual_seed(0)
    made = build_network(name, **NETWORKS[name])
    # Fresh networks see every joint near the middle of every crop.
    layers = list(made.modules())
    last = [layer for layer in layers if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)][-1]
    torch.nn.init.normal_(last.weight, std=0.1)
    for layer in layers:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        made.train()(torch.from_numpy(crops_of(8, made.size)))
    return made.eval()


def crops_of(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the weights of a cascade of one network of each kind."""
    folder = tmp_path_factory.mktemp("project")
    write_params(folder, small_params() | {"cascade_stages": len(NETWORKS)})
    for stage, name in enumerate(NETWORKS, start=1):
        description = {
            "stage": stage,
            "skeleton": FULL_BODY.name,
            "average_mirrored": stage == 1,
            "initial_box": {"kind": "image"},
            "sigma": 2.0,
            "smallest_box": 0.1,
            "network": {"name": name, **NETWORKS[name]},
        }
        save_network(network(name), description, weights_of(folder)[stage - 1])
    return folder


def weights_of(project):
    return [project / "data" / "cpu" / "lsp" / f"stage{stage}.safetensors" for stage in (1, 2)]


def run(project, *arguments):
    """Call `deeppose export` there; gives status, output, errors."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(project),
        mock.patch.object(sys, "argv", ["deeppose", "export", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    return ended.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def exported(project):
    """What the command wrote of that cascade, and what it said."""
    status, out, err = run(project, "-o", "made/here")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 2
    return project / "made" / "here"


@pytest.mark.parametrize("stage", [1, 2], ids=NETWORKS)
def test_an_exported_network_gives_our_values_for_any_batch(project, exported, stage):
    ours, _ = load_network(weights_of(project)[stage - 1])
    session = export.open_session(exported / f"stage{stage}.onnx", threads=1)
    assert session.get_inputs()[0].shape == ["batch", ours.size, ours.size, 3]
    spread = 0.0
    for batch in (1, 2, 7):
        crops = crops_of(batch, ours.size, seed=batch)
        (found,) = session.run(["joints"], {"crops": crops})
        with torch.inference_mode():
            expected = ours(torch.from_numpy(crops)).numpy()
        np.testing.assert_allclose(found, expected, atol=export.TOLERANCE)
        spread = max(spread, float(expected.std(axis=0).max()))
    # Crops matter to the outputs by far more than what is tolerated.
    assert spread > 50 * export.TOLERANCE


def test_the_same_bytes_again_and_no_folder_of_ours_in_them(project, exported, tmp_path):
    stage = 1 + list(NETWORKS).index("alexnet")
    assert run(project, "--stage", stage, "-o", tmp_path)[0] == 0
    name = f"stage{stage}.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"stage{stage}.json", name]
    assert (tmp_path / name).read_bytes() == (exported / name).read_bytes()
    assert str(ROOT).encode() not in (tmp_path / name).read_bytes()


def test_a_network_with_other_values_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LRN_K", 2.5)
    with pytest.raises(ExportError, match="is not kept: its outputs differ from ours by"):
        export.export_network(network("alexnet"), tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_are_no_numbers_are_no_match(tmp_path):
    broken = network("alexnet")
    with torch.no_grad():
        broken.regressor[-1].bias[0] = torch.nan
    with pytest.raises(ExportError, match="differ from ours by nan"):
        export.export_network(broken, tmp_path / "network.onnx")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        export.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    with pytest.raises(ExportError, match=r"^onnxscript not installed: `pip install onnx onnxscript"):
        export.export_network(network("alexnet"), tmp_path / "network.onnx")


def test_beside_each_network_stands_what_it_takes_to_use_it(exported):
    files = sorted(path.name for path in exported.iterdir())
    assert files == ["stage1.json", "stage1.onnx", "stage2.json", "stage2.onnx"]
    first, second = (json.loads((exported / f"stage{stage}.json").read_text()) for stage in (1, 2))
    assert first["model"] == second["model"] == "cpu/lsp"
    assert first["joints"] == list(FULL_BODY.joints)
    assert first["initial_box"] == {"kind": "image"}
    assert (second["sigma"], second["smallest_box"]) == (2.0, 0.1)
    assert second["padding"] == [120, 110, 100]
    for about, sizes in zip((first, second), NETWORKS.values(), strict=True):
        assert about["input"]["shape"] == ["batch", sizes["size"], sizes["size"], 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "horses"], "no model 'horses' here, only lsp, flic"),
        (["--stage", "3"], "--stage 3: the cascade has stages 1 to 2"),
        (["--model", "flic"], "stage1.safetensors is not there"),
    ],
)
def test_what_is_not_there_is_said(project, tmp_path, arguments, said):
    status, out, err = run(project, "-o", tmp_path, *arguments)
    assert (status, out) == (1, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written(project, tmp_path):
    (tmp_path / "file").write_text("mine")
    status, _, err = run(project, "-o", tmp_path / "file", "--stage", 2)
    assert status == 1
    assert re.search(r"stage2.onnx can't be written: .*; name another folder by -o", err)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture(scope="module")
def page():
    """What the code on the page for those who deploy defines."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text("utf-8"), re.DOTALL)
    names = {"__name__": "page"}
    exec(code, names)
    return names


def smooth_photo():
    noise = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    return cv2.resize(noise, (60, 80), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("recrops", [0, 2])
def test_the_code_of_the_page_predicts_what_we_predict(project, exported, page, recrops):
    stages = [page["Stage"](exported / f"stage{number}.onnx") for number in (1, 2)]
    photo, box = smooth_photo(), np.array([31.0, 38.0, 50.0, 64.0])
    cascade = load_cascade(weights_of(project))
    for first, second in ([stage.description for stage in cascade.stages], [stage.about for stage in stages]):
        first["initial_box"] = {"kind": "image", "recrops": recrops, "margin": 0.2}
        second["shrinkage"] = 0.7
    (expected,) = poses_in(cascade, photo, box[None])
    found = page["predict"](photo, stages, box)
    moved = np.linalg.norm(expected.stages[1] - expected.stages[0], axis=-1)
    off = np.linalg.norm(found - expected.pose, axis=-1)
    assert off.max() < 0.05 * np.median(moved)


@pytest.mark.parametrize("box", [(29.5, 39.5, 60, 80), (5, 10, 120, 90), (20, 50, 30, 20)])
def test_the_crop_of_the_page_is_ours(page, box):
    ours = crop(smooth_photo(), np.array(box, float), 64, (9, 90, 200)).astype(int)
    theirs = page["crop"](smooth_photo(), box, 64, (9, 90, 200)).astype(int)
    assert np.abs(ours - theirs).mean() < 1


def test_all_outputs_are_checked_before_any_network_is_exported(project, tmp_path):
    (tmp_path / "stage2.onnx").mkdir()
    status, out, err = run(project, "-o", tmp_path)
    said = f"{tmp_path}/stage2.onnx can't be written: Is a directory; name another folder by -o"
    assert (status, out, err) == (1, "", f"deeppose: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["stage2.onnx"]


@pytest.mark.parametrize("stage", [1, 2])
def test_two_models_of_the_same_joints_do_not_mix_in_one_folder(project, exported, tmp_path, stage):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    shutil.copytree(project / "data" / "cpu", project / "data" / "demo", dirs_exist_ok=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    status, out, err = run(project, "-o", tmp_path, "--profile", "demo", "--stage", stage)
    assert (status, out) == (1, "")
    said = f"{tmp_path}/stage1.json is of cpu/lsp, not of demo/lsp: name another folder by -o"
    assert err == f"deeppose: {said}\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("text", ["mine", "[]", "{}"])
def test_a_file_of_no_known_model_is_not_written_over(project, tmp_path, text):
    (tmp_path / "stage2.json").write_text(text)
    status, out, err = run(project, "-o", tmp_path)
    assert (status, out) == (1, "")
    assert f"{tmp_path}/stage2.json is of no model that is known, not of cpu/lsp: name another" in err
    assert (tmp_path / "stage2.json").read_text() == text


def test_a_model_takes_the_place_of_its_own_export(project, exported, tmp_path):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    assert run(project, "-o", tmp_path, "--stage", 1)[0] == 0
