"""What the base installation scores, without the packages of the pipeline."""

import json
import shutil
import subprocess

import archives
import numpy as np
import pytest
from lsp_archive import PERSON, write_lsp_archive
from project import ROOT
from scipy.io import savemat
from without import PIPELINE, command_without

from deeppose.core.skeleton import FLIC_LABELLED, FULL_BODY


@pytest.fixture
def deeppose(tmp_path):
    write_lsp_archive(tmp_path / "mirror", PERSON + 5.0 * np.arange(8)[:, None, None])

    def run(*arguments):
        main = "from deeppose.cli.main import main; main()"
        command = command_without(PIPELINE, main, *arguments, "--mirror", "mirror")
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("suffix", ["csv", "npz", "mat", "json"])
def test_every_layout_but_parquet(deeppose, tmp_path, suffix):
    poses = PERSON + 5.0 * np.arange(4, 8)[:, None, None]
    path = tmp_path / f"p.{suffix}"
    rows = [
        (n, joint, x, y)
        for n, pose in enumerate(poses)
        for joint, (x, y) in zip(FULL_BODY.joints, pose, strict=True)
    ]
    keypoints = np.concatenate([poses, np.ones((*poses.shape[:2], 1))], axis=-1).reshape(len(poses), -1)
    if suffix == "csv":
        path.write_text("example,joint,x,y\n" + "".join(f"{n},{j},{x},{y}\n" for n, j, x, y in rows))
    elif suffix == "npz":
        np.savez(path, pred=poses)
    elif suffix == "mat":
        savemat(path, {"pred": poses.transpose(2, 1, 0) + 1})
    else:
        found = [{"image_id": n, "keypoints": row, "score": 1} for n, row in enumerate(keypoints.tolist())]
        path.write_text(json.dumps(found))
    done = deeppose("score", "lsp", path.name, "--labels", "pc", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pcp"]["ave"] == 1.0


def test_parquet_says_what_to_install(deeppose, tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"")
    done = deeppose("score", "lsp", "p.parquet", "--labels", "pc")
    assert done.returncode == 1
    assert (
        done.stderr
        == "deeppose: pyarrow is not installed: `pip install 'deeppose[pipeline]'`, or `make env`\n"
    )


def test_a_set_whose_labels_are_a_struct(deeppose, tmp_path):
    archives.write_flic(tmp_path / "mirror", [archives.flic_example(n, n < 2) for n in range(4)])
    np.savez(tmp_path / "p.npz", pred=np.zeros((2, len(FLIC_LABELLED.joints), 2)))
    done = deeppose("score", "flic", "p.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 2


@pytest.mark.parametrize("has_params", [False, True])
def test_sets_are_listed_and_checked(deeppose, tmp_path, has_params):
    if has_params:
        shutil.copy(ROOT / "params.yaml", tmp_path)
        shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    assert "lsp" in deeppose("datasets").stdout
    assert "not those of Leeds Sports Pose" in deeppose("datasets", "check", "lsp").stderr
