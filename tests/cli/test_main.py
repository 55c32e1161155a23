import json
import re
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import archives
import numpy as np
import pytest
from command_line import run_command
from lsp_archive import PERSON, write_lsp_archive
from project import ROOT, copy_params
from somebody import as_somebody, open_folder

from deeppose.cli.options import archive_folders
from deeppose.core.files import write_json
from deeppose.core.pose_files import write_poses

HEAVY = ("cv2", "matplotlib", "numpy", "pandas", "requests", "scipy", "torch")


@pytest.fixture
def deeppose(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder; gives status, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPPOSE_MIRROR", raising=False)

    return partial(run_command, monkeypatch, capsys)


@pytest.fixture
def truth():
    return PERSON + 5.0 * np.arange(8)[:, None, None]


@pytest.fixture
def predictions(tmp_path, truth):
    """The truth but for the right wrists; the archive they belong to lies in ./mirror."""
    write_lsp_archive(tmp_path / "mirror", truth)
    predicted = truth[4:].copy()
    predicted[:, 6] = 0.25
    path = tmp_path / "p.parquet"
    write_poses(path, predicted)
    return path


def test_score_as_json(deeppose, predictions):
    status, out, _ = deeppose("score", "lsp", predictions, "--labels", "pc", "--mirror", "mirror", "--json")
    assert status == 0
    figures = json.loads(out)
    shown = ["dataset", "labels", "n", "pcp", "pcp_loose", "pdj", "remarks", "looks_wrong"]
    assert list(figures) == shown
    assert (figures["remarks"], figures["looks_wrong"]) == ([], [])
    assert (figures["dataset"], figures["labels"], figures["n"]) == ("lsp", "pc", 4)
    assert figures["pcp"]["arm_lower"] is None
    assert figures["pcp"]["ave"] == 1


def test_score_as_a_table_says_which_labels(deeppose, predictions):
    status, out, _ = deeppose("score", "lsp", predictions, "--mirror", "mirror")
    assert status == 0
    assert "4 test examples of lsp" in out
    assert "labels: oc (observer-centric by the rule)" in out
    assert "not predicted: right wrist" in out
    lines = {line[:18].strip(): line[18:].split() for line in out.splitlines()}
    assert lines["PCP at 0.5, strict"] == ["0.00", "–", "0.00", "0.00", "0.00"]
    said = "looks wrong: with left and right exchanged this would be 1.00 (mean PDJ at 0.2, now 0.17)"
    assert out.splitlines()[-1] == said
    out = deeppose("score", "lsp", predictions, "--mirror", "mirror", "--labels", "pc")[1]
    assert "labels: pc (person-centric as published)" in out
    assert "100.00" in out


def test_an_error_is_one_message_without_a_traceback(deeppose, predictions, tmp_path):
    (tmp_path / "p.csv").write_text("example,joint,x,y\n0,left wrist,here,4\n")
    status, out, err = deeppose("score", "lsp", "p.csv", "--mirror", "mirror")
    assert (status, out) == (1, "")
    assert err == "deeppose: p.csv, line 2: x is 'here'; a number, or NaN for a miss, is expected\n"


def test_unknown_labels_are_a_usage_error(deeppose, predictions):
    status, _, err = deeppose("score", "lsp", predictions, "--labels", "xy")
    assert status == 2
    assert "'oc', 'pc'" in err


def test_archives_are_looked_for_where_the_pipeline_looks(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPPOSE_MIRROR", raising=False)
    assert archive_folders(None) == [Path("data/mirror")]
    project = Path(__file__).parents[2] / "params.yaml"
    text = project.read_text(encoding="utf-8").replace("mirror: data/mirror", "mirror: elsewhere")
    copy_params(tmp_path)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert archive_folders(None) == [Path("elsewhere")]
    monkeypatch.setenv("DEEPPOSE_MIRROR", "from/environment")
    assert archive_folders(None) == [Path("from/environment"), Path("elsewhere")]
    assert archive_folders(Path("given")) == [Path("given")]


def test_datasets_lists_what_is_there_and_what_is_missing(deeppose, predictions):
    status, out, _ = deeppose("datasets", "--mirror", "mirror")
    assert status == 0
    blocks = {block.split(":")[0]: block for block in out.split("\n\n")}
    assert {"lsp", "lsp-extended", "lsp-oc", "flic", "parse", "buffy"} <= set(blocks)
    assert f"there: {Path('mirror/lsp_dataset.zip')}" in blocks["lsp"]
    assert "missing: mirror/FLIC.zip, to be downloaded from http" in blocks["flic"]
    assert "to be put there by hand" in blocks["lsp-oc"]
    assert "missing: mirror/buffy*.zip or a folder buffy*, to be put there by hand" in blocks["buffy"]
    assert "missing; to draw MODEC (Sapp and Taskar 2013) beside ours" in blocks["flic_oc_Sapp_CVPR13.mat"]


def test_datasets_lists_a_folder_and_a_peer(deeppose, tmp_path):
    mirror = tmp_path / "mirror"
    members = archives.buffy_members({2: {1: archives.BUFFY_STICKS}}) | {"raw": bytes(2_000_000)}
    archives.write_folder(mirror / "Buffy", members)
    archives.write_folder(mirror / "predictions", {"flic_oc_Sapp_CVPR13.mat": b""})
    out = deeppose("datasets", "--mirror", "mirror")[1]
    assert f"there: {Path('mirror/Buffy')}, 2.0 MB" in out
    assert f"there: {Path('mirror/predictions/flic_oc_Sapp_CVPR13.mat')}, unknown file" in out
    status, out, _ = deeppose("datasets", "check", "buffy", "--mirror", "mirror")
    assert status == 0
    assert 'unexpected counts: ["1 examples for 748"' in out
    assert "torso boxes outside image: 0" in out


def test_datasets_says_what_the_last_run_did_without(deeppose, predictions, tmp_path):
    copy_params(tmp_path)
    manifest = {"archives": {"lsp_dataset.zip": {}}, "left_out": {"parse": "missing"}, "peers": {}}
    write_json(tmp_path / "data/cpu/manifests/lsp.json", manifest)
    assert "did without" not in deeppose("datasets", "--mirror", "mirror")[1]
    archives.write_folder(tmp_path / "mirror", {"people.zip": b"", "lsp-joints-OC.mat": b""})
    said = deeppose("datasets", "--mirror", "mirror")[1].split("\n\n")[-1]
    assert "profile cpu did without lsp-joints-OC.mat, people.zip, there now" in said
    assert "dvc repro --force --single-item download@cpu" in said


@pytest.mark.parametrize("closed", ["predictions/flic_oc_Sapp_CVPR13.mat", "predictions", "."])
def test_what_one_may_not_read_is_named_in_one_line(deeppose, closed):
    deeppose("datasets")  # a module that is read later would be out of reach
    with open_folder() as folder:
        archives.write_folder(folder / "mirror/predictions", {"flic_oc_Sapp_CVPR13.mat": b""})
        (folder / "mirror" / closed).chmod(0)
        with as_somebody():
            status, out, err = deeppose("datasets", "--mirror", folder / "mirror")
        (folder / "mirror" / closed).chmod(0o700)
    assert (status, out) == (1, "")
    assert re.fullmatch(rf"deeppose: {folder}/mirror\S*( can't be looked into)?: Permission denied\n", err)


@pytest.mark.parametrize("closed", [".", "data"])
def test_a_set_that_one_may_not_read_is_listed_so(deeppose, closed, monkeypatch):
    deeppose("datasets")
    with open_folder() as folder:
        monkeypatch.chdir(folder)
        members = archives.buffy_members({2: {1: archives.BUFFY_STICKS}})
        locked = archives.write_folder(folder / "buffy", members) / closed
        locked.chmod(0)
        with as_somebody():
            status, out, _ = deeppose("datasets", "--mirror", folder)
        locked.chmod(0o700)
        monkeypatch.undo()
    assert status == 0
    assert f"  there, but {locked} can't be read: Permission denied\n" in out


@pytest.mark.parametrize("before", [True, False])
def test_check_refuses_other_contents(deeppose, predictions, before):
    mirror = ["--mirror", "mirror"]
    status, out, err = deeppose("datasets", *mirror * before, "check", "lsp", *mirror * (not before))
    assert (status, out) == (1, "")
    assert err.startswith("deeppose: mirror/lsp_dataset.zip: the contents are not those of Leeds Sports Pose")


def test_check_of_an_unknown_set(deeppose):
    status, _, err = deeppose("datasets", "check", "cats")
    assert status == 1
    assert "'cats'" in err
    assert "Traceback" not in err


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["lsp", "lsp-oc"])
def test_check_of_published_contents(deeppose, mirror, name):
    status, out, err = deeppose("datasets", "check", name, "--mirror", mirror, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["packing"].startswith(("published archive", "known other packing", "unknown packing"))
    assert (found["examples"], found["train"], found["test"]) == (2000, 1000, 1000)
    status, out, _ = deeppose("datasets", "check", name, "--mirror", mirror)
    assert status == 0
    assert "labels: observer-centric as published" in out


@pytest.mark.parametrize("command", [[], ["predict"], ["score"], ["datasets"], ["export"]])
def test_help_imports_nothing_heavy(command):
    code = (
        f"import sys\nfrom deeppose.cli.commands import app\n"
        f"app({[*command, '--help']!r}, standalone_mode=False)\n"
        f"print('heavy:', *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in run.stdout
    assert run.stdout.splitlines()[-1].strip() == "heavy:"


def test_the_version_is_that_of_the_package(deeppose):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert deeppose("--version") == (0, f"deeppose {project['version']}\n", "")


def test_the_installed_command():
    command = shutil.which("deeppose", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("the package is not installed beside this Python")
    run = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "score" in run.stdout
    assert "datasets" in run.stdout
