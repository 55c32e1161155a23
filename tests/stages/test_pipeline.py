"""The DAG, by running a small copy of the project: what runs, what runs again, what a kill leaves."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pipeline import PIPELINE, STAGES
from project import ROOT, call, dvc, environment, git, hashes, lock, small_copy, small_params, write_params

# One worker of pytest-xdist runs all of them, so that the copy is made once.
pytestmark = pytest.mark.xdist_group("pipeline")


# One run from nothing


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy in which everything has run once and is committed."""
    copy = small_copy(tmp_path_factory.mktemp("pipeline") / "project")
    dvc(copy, "repro")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "a run")
    return copy


@pytest.fixture
def copied(project, tmp_path):
    """A copy of that copy, to be spoilt."""
    return Path(shutil.copytree(project, tmp_path / "project", symlinks=True))


def ran(output: str) -> set[str]:
    return {name.split("@")[0] for name in re.findall(r"Running stage '([^']+)'", output)}


def test_everything_is_there_after_one_run(project):
    reports = project / "reports" / "demo"
    measured = json.loads((reports / "metrics.json").read_text())
    assert {model: set(of_model) for model, of_model in measured.items()} == {
        "lsp": {"lsp", "parse", "held-out"},
        "flic": {
            "flic",
            "buffy",
            "buffy-276",
            "buffy-confidence",
            "buffy-confidence-276",
            "held-out",
        },
    }
    metrics = measured["lsp"]
    stages = {"mean_pose", "stage_1", "stage_2", "stage_3", "gain_of_stage_2", "gain_of_stage_3"}
    assert set(metrics["lsp"]) == stages
    gain = metrics["lsp"]["stage_2"]["pdj@0.1"]["mean"] - metrics["lsp"]["stage_1"]["pdj@0.1"]["mean"]
    assert metrics["lsp"]["gain_of_stage_2"]["pdj@0.1"] == gain
    for name in (
        "lsp/figures/figure4-pdj-lsp",
        "lsp/figures/figure5-kind-pdj-lsp-by-stage",
        "lsp/figures/training",
        "flic/figures/figure3-pdj-flic",
        "flic/figures/figure5-pdj-flic-by-stage",
        "flic/figures/figure7-pdj-buffy",
    ):
        for kind in ("png", "svg"):
            assert (reports / f"{name}.{kind}").stat().st_size > 0
    for name in (
        "lsp/figures/displacement-normals-stage3",
        "lsp/photos/figure6-poses-lsp-by-stage",
        "lsp/photos/figure8-poses-lsp",
        "flic/photos/figure9-poses-flic",
    ):
        assert (reports / f"{name}.png").stat().st_size > 0
    for name in ("table1-pcp-lsp", "table2-pcp-parse"):
        for kind in ("csv", "md", "tex"):
            assert "mean pose" in (reports / "lsp" / "tables" / f"{name}.{kind}").read_text()
    assert "figure7-pdj-buffy.png" in (reports / "index.html").read_text()


def test_predictions_have_the_layout_that_is_promised(project):
    folder = project / "data" / "demo" / "lsp" / "test-predictions"
    for stage in (1, 2, 3):
        table = pd.read_parquet(folder / f"lsp-stage{stage}.parquet")
        assert table.columns.tolist() == ["example", "joint", "x", "y"]
        assert table["example"].tolist() == [example for example in range(6) for _ in range(14)]
        assert table["joint"].tolist() == list(range(14)) * 6
        assert table[["x", "y"]].notna().all(axis=None)


def test_held_out_images_are_in_no_training(project):
    folder = project / "data" / "demo" / "lsp"
    part = pd.read_parquet(folder / "train" / "examples.parquet")["part"]
    assert part.value_counts().to_dict() == {"train": 22, "held-out": 4}
    for stage in (2, 3):
        trained = pd.read_parquet(folder / f"augmented-set-stage{stage}.parquet")["example"].unique()
        assert set(part[trained]) == {"train"}


def test_a_second_run_has_nothing_to_do(copied):
    before = hashes(copied)
    assert ran(dvc(copied, "repro")) == set()
    assert hashes(copied) == before


def test_the_same_bits_by_force_with_other_workers(copied):
    before = hashes(copied)
    write_params(copied, small_params() | {"workers": 2})
    assert ran(dvc(copied, "repro", "--force")) == set(STAGES)
    assert hashes(copied) == before


# What runs again


def test_sigma_runs_again_only_what_follows_from_it(copied):
    output = dvc(copied, "exp", "run", "-S", "sigma=1.7")
    unmoved = {"annotate-normalize", "detect-faces", "initial-boxes", "train-stage1", "predict-train-stage1"}
    unmoved |= {"download", "fit-displacement-normals-stage2"}
    assert ran(output) == set(STAGES) - unmoved
    difference = dvc(copied, "metrics", "diff")
    assert "headline.json" in difference
    assert "metrics.json" not in difference
    assert max(map(len, difference.splitlines())) <= 120
    assert "1.7" in dvc(copied, "params", "diff")


def test_two_stages_are_enough_if_asked_for(copied):
    write_params(copied, small_params() | {"cascade_stages": 2})
    output = dvc(copied, "repro")
    assert "cascade_stages is 2: stage 3 is not used" in output
    of_stage_2 = {"train-stage2", "build-augmented-set-stage2", "fit-displacement-normals-stage2"}
    assert not ran(output) & {"annotate-normalize", "train-stage1", "predict-train-stage1", *of_stage_2}
    metrics = json.loads((copied / "reports" / "demo" / "metrics.json").read_text())["lsp"]["lsp"]
    assert "stage_2" in metrics
    assert "stage_3" not in metrics


@pytest.mark.realdata
def test_labels_that_are_put_into_the_mirror_folder_later_are_noticed(mirror, tmp_path):
    copy = small_copy(tmp_path / "project")
    params = small_params()
    params["profiles"]["demo"]["archives"] = "mirror"
    params["mirror"] = str(tmp_path / "mirror")
    write_params(copy, params)
    (tmp_path / "mirror").mkdir()
    published = ["lsp_dataset.zip", "lspet_dataset.zip", "lsp-joints-OC.mat"]
    found = []
    for names in (published[:2], published[2:]):
        for name in names:
            (tmp_path / "mirror" / name).symlink_to(mirror / name)
        dvc(copy, "repro", "--force", "download@demo")
        found.append(json.loads((copy / "data" / "demo" / "manifests" / "lsp.json").read_text()))
    assert set(found[0]["archives"]) == set(published[:2])
    assert set(found[1]["archives"]) == set(published)
    assert found[0]["archives"].items() <= found[1]["archives"].items()
    assert "people.zip" in found[1]["left_out"]["parse"]


# What a stage reads, beside its files


def is_within(path: str, listed: str) -> bool:
    return path == listed or path.startswith(f"{listed}.")


def flat(listed: list[str | dict[str, list[str] | None]]) -> Iterator[str]:
    for entry in listed:
        if isinstance(entry, str):
            yield entry
        else:
            assert set(entry) == {"profiles/${item.profile}.yaml"}
            (keys,) = entry.values()
            yield from (f"profiles.demo.{key}" for key in keys) if keys else ["profiles.demo"]


def test_the_params_of_a_stage_are_those_it_reads(copied):
    done = call(copied, sys.executable, str(ROOT / "tests" / "support" / "read_params.py"))
    assert done.returncode == 0, done.stdout
    read = json.loads(done.stdout.splitlines()[-1])
    free = {"workers", "mirror"}  # no part of a result: how many cut crops, where archives lie
    assert set(read) == set(STAGES) - {"download"}
    for name, paths in read.items():
        listed = PIPELINE["stages"][name]["params"]
        listed = [text.replace("${item.model}", "*") for text in flat(listed)]
        paths = {re.sub(r"(steps)\.\w+$", r"\1.*", path) for path in paths}
        unlisted = [path for path in paths - free if not any(is_within(path, one) for one in listed)]
        assert not unlisted, f"{name} reads {unlisted}"
        unread = {one for one in listed if not any(is_within(path, one) for path in paths)}
        assert not unread, f"{name} lists {unread}"


# Several processes


def training_log(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "reports" / "demo" / "lsp" / "training-stage1.csv")


def stage(project: Path, script: str, *arguments: str, launch: str = "") -> str:
    command = [sys.executable, f"stages/{script}.py", "demo", "lsp", *arguments]
    done = call(project, *command, DEEPPOSE_LAUNCH=launch)
    assert done.returncode == 0, done.stdout
    return done.stdout


def with_devices(project: Path, devices: int) -> None:
    params = small_params()
    params["profiles"]["demo"]["device"]["devices"] = devices
    params["profiles"]["demo"]["network"]["dropout"] = 0.0  # each process drops units of its own
    # Several batches for each process.
    params["profiles"]["demo"]["prediction_batch"] = 3
    write_params(project, params)


def test_four_processes_train_as_one(copied):
    logs = []
    for devices in (1, 4):
        with_devices(copied, devices)
        stage(copied, "train", "1")
        logs.append(training_log(copied))
    pd.testing.assert_frame_equal(*logs, rtol=1e-3)
    assert not list((copied / ".checkpoints").iterdir())


def test_processes_of_torchrun_train_as_those_of_fabric(copied):
    weights = copied / "data" / "demo" / "lsp" / "stage1.safetensors"
    with_devices(copied, 2)
    made = []
    for launch in ("", "torchrun --standalone --nproc-per-node 2"):
        weights.unlink()
        said = stage(copied, "train", "1", launch=launch)
        assert said.count(" parameters\n") == 1
        made.append(weights.read_bytes())
    assert made[0] == made[1]


def test_a_launch_without_torchrun_is_refused(copied):
    with_devices(copied, 2)
    done = call(
        copied, sys.executable, "stages/train.py", "demo", "lsp", "1", DEEPPOSE_LAUNCH="srun --ntasks 2"
    )
    assert done.returncode != 0
    assert "error: DEEPPOSE_LAUNCH is 'srun --ntasks 2', but must call torchrun" in done.stdout


def test_predictions_are_the_same_bytes_however_many_processes_make_them(copied):
    folder = copied / "data" / "demo" / "lsp"

    def made(devices: int) -> dict[str, bytes]:
        with_devices(copied, devices)
        made = [*folder.glob("train-predictions-stage2-*"), *(folder / "test-predictions").iterdir()]
        for path in made:
            path.unlink()
        stage(copied, "predict_train", "2")
        stage(copied, "predict_test")
        return {path.name: path.read_bytes() for path in made}

    one = made(1)
    assert len(one) == 2 + 3 * 4 + 1
    assert made(2) == one


# What goes wrong


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sigma": -1.0}, "sigma"),
        # Noticed as soon as a stage runs; nothing hangs on a key that no stage knows.
        ({"sigmma": 2.0, "seed": 7}, "sigmma"),
        ({"seed": "2014"}, "seed"),
    ],
)
def test_params_that_are_not_allowed_stop_at_once(copied, changes, said):
    before = hashes(copied)
    write_params(copied, small_params() | changes)
    done = call(copied, sys.executable, "-m", "dvc", "repro")
    assert done.returncode != 0
    assert "holds what is not allowed" in done.stdout
    assert said in done.stdout
    assert "Traceback" not in done.stdout
    assert hashes(copied) == before


def test_a_missing_archive_is_named_with_its_place_and_page(copied):
    params = small_params()
    params["profile"] = "small-cpu"
    params["profiles"]["small-cpu"] = params["profiles"]["demo"] | {"archives": "mirror"}
    params["mirror"] = "data/nothing-here"
    write_params(copied, params)
    # An address that can't be reached, so that the test needs no network.
    closed = {**environment(copied), "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=copied, env=closed, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "lsp_dataset.zip" in said
    assert "data/nothing-here" in said
    assert "https://sam.johnson.io/research/lsp.html" in said
    assert "Traceback" not in said
    assert not any("small-cpu" in name for name in lock(copied)["stages"])


def test_a_model_whose_archive_is_missing_is_left_empty_and_named(copied):
    manifest = copied / "data" / "demo" / "manifests" / "flic.json"
    why = "FLIC.zip is missing; get it from its page"
    manifest.write_text(json.dumps({"archives": {}, "left_out": {"flic": why}, "peers": {}}))
    for name in STAGES[1:-1]:
        block = PIPELINE["stages"][name]
        _, script, _, _, *number = block["cmd"].split()
        command = [sys.executable, script, "demo", "flic", *number]
        done = call(copied, *command, DVC_STAGE=f"{name}@demo-flic")
        assert done.returncode == 0, done.stdout
        assert f"model flic is left out: {why}" in done.stdout
    done = call(copied, sys.executable, "stages/report.py", "demo")
    assert done.returncode == 0, done.stdout
    assert why in done.stdout
    reports = copied / "reports" / "demo"
    assert set(json.loads((reports / "metrics.json").read_text())) == {"lsp"}
    page = (reports / "index.html").read_text()
    assert "figure4-pdj-lsp.png" in page
    assert 'src="flic/' not in page
    assert "FLIC.zip is missing" in page


# Kills


@pytest.mark.parametrize(
    "text", ["", "schema: '2.0'\nstages:\n  download@demo:\n    cmd: python stag\n    de"]
)
def test_a_lock_that_a_kill_cut_short_is_put_back(copied, text):
    before = hashes(copied)
    (copied / "dvc.lock").write_text(text)
    done = call(copied, sys.executable, "scripts/mend_lock.py")
    assert done.returncode == 0, done.stdout
    assert "the committed one is back" in done.stdout
    assert hashes(copied) == before


def test_a_record_of_readers_that_a_kill_cut_short_is_removed(copied):
    record = copied / ".dvc" / "tmp" / "rwlock"
    record.write_text("")
    done = call(copied, sys.executable, "scripts/mend_lock.py")
    assert done.returncode == 0, done.stdout
    assert not record.exists()
    record.write_text("{}")
    assert call(copied, sys.executable, "scripts/mend_lock.py").stdout == ""
    assert record.exists()


def test_a_whole_lock_is_left_alone(copied):
    before = (copied / "dvc.lock").read_bytes()
    with (copied / "dvc.lock").open("a") as file:
        file.write("# not committed\n")
    assert call(copied, sys.executable, "scripts/mend_lock.py").stdout == ""
    assert (copied / "dvc.lock").read_bytes() == before + b"# not committed\n"


def test_a_run_that_was_killed_ends_with_the_same_hashes(project, tmp_path):
    killed = small_copy(tmp_path / "project")
    moments = random.Random(7)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=killed,
            env=environment(killed),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(4, 16))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = call(killed, sys.executable, "scripts/mend_lock.py")
    assert done.returncode == 0, done.stdout
    dvc(killed, "repro")
    assert hashes(killed) == hashes(project)
    assert not list((killed / "data").rglob(".*.part"))
