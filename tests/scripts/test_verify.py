"""scripts/verify.py: how numbers are compared, what is said, and a project whose stages write a line each."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, call, dvc, git

from deeppose.core.params_file import load_params

pytestmark = pytest.mark.xdist_group("verify")


@pytest.fixture
def verify(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import verify

    return verify


# Numbers


def measures(pcp: float, wrist: float | None = 0.25) -> dict:
    return {
        "pcp": {"ave": pcp},
        "pdj@0.1": {"mean": 0.5, "wrist": wrist},
        "pdj@0.2": {"mean": 0.75, "wrist": 0.625},
    }


def compared(verify, published, here, people=1000):
    numbers = verify.compare(
        verify.flat({"lsp": published}), verify.flat({"lsp": here}), dict.fromkeys(SETS, people)
    )
    return numbers, {number.name: number.verdict for number in numbers}


SETS = [("lsp", "lsp"), ("lsp", "parse")]


def test_equal_numbers_are_the_same_and_null_is_none(verify):
    one = {"lsp": {"stage_1": measures(0.7, wrist=None)}}
    numbers, verdicts = compared(verify, one, one)
    assert set(verdicts.values()) == {verify.SAME}
    assert len(numbers) == 4
    assert "lsp/lsp/stage_1/pdj@0.1/wrist" not in verdicts
    assert verify.summary(numbers) == ["4 published numbers: 4 the same."]


@pytest.mark.parametrize(
    ("now", "people", "predictor", "verdict"),
    [
        (0.7 + 1e-16 * 2, 1000, "stage_1", "within rounding"),
        (0.702, 1000, "stage_1", "within rounding"),
        (0.6979, 1000, "stage_1", "different"),
        (0.7049, 205, "stage_1", "different"),
        (0.7048, 205, "stage_1", "within rounding"),
        (0.704, 1000, "gain_of_stage_2", "within rounding"),
        (0.704, 1000, "mean_pose", "different"),
    ],
)
def test_what_differs_by_a_person_or_less_is_rounding(verify, now, people, predictor, verdict):
    _, verdicts = compared(
        verify, {"lsp": {predictor: measures(0.7)}}, {"lsp": {predictor: measures(now)}}, people
    )
    assert verdicts.pop(f"lsp/lsp/{predictor}/pcp/ave") == verdict
    assert set(verdicts.values()) == {"the same"}


def test_a_set_that_is_not_here_is_missing_and_a_new_one_is_new(verify):
    numbers, verdicts = compared(
        verify,
        {"lsp": {"stage_1": measures(0.7)}},
        {"parse": {"stage_1": measures(0.6)}},
    )
    assert verdicts["lsp/lsp/stage_1/pcp/ave"] == verify.MISSING
    assert verdicts["lsp/parse/stage_1/pcp/ave"] == verify.NEW
    assert verify.summary(numbers) == [
        "5 published numbers: 5 not measured here.",
        "Not measured here: lsp/lsp (5).",
        "Not in the published run: lsp/parse (5).",
    ]


def test_a_predictor_that_is_not_here_is_missing_by_name(verify):
    stage = {"stage_1": measures(0.7)}
    numbers, _ = compared(verify, {"lsp": {**stage, "MODEC": measures(0.6)}}, {"lsp": stage})
    assert verify.summary(numbers) == [
        "10 published numbers: 5 the same, 5 not measured here.",
        "Not measured here: lsp/lsp/MODEC (5).",
    ]


def test_a_number_that_a_measured_set_lost_is_different(verify):
    _, verdicts = compared(
        verify, {"lsp": {"stage_1": measures(0.7)}}, {"lsp": {"stage_1": measures(0.7, wrist=None)}}
    )
    assert verdicts["lsp/lsp/stage_1/pdj@0.1/wrist"] == verify.DIFFERS


def test_the_table_has_both_and_the_difference(verify):
    numbers, _ = compared(
        verify,
        {"lsp": {"stage_1": measures(0.7), "mean_pose": measures(0.3)}},
        {"lsp": {"stage_1": measures(0.71), "mean_pose": measures(0.3)}, "parse": {"stage_1": measures(0.6)}},
    )
    rows = [line.split() for line in verify.table(numbers)[2:]]
    assert rows == [
        ["lsp", "1", "0.700", "0.710", "+0.0100", "0.500", "0.500", "same", "0.750", "0.750", "same"],
        ["parse", "1", "-", "0.600", "new", "-", "0.500", "new", "-", "0.750", "new"],
    ]
    most, rounding = verify.summary(numbers)[-2:]
    assert most == "The largest difference: lsp/lsp/stage_1/pcp/ave, 0.7000 published, 0.7100 here."
    assert "0.002" in rounding


# What is here

ARCHIVES = {
    "lsp": "lsp_dataset.zip",
    "lsp-extended": "lspet_dataset.zip",
    "lsp-oc": "lsp-joints-OC.mat",
    "parse": "people.zip",
    "flic": "FLIC.zip",
    "buffy": "buffy.zip",
}


def folder_without(folder: Path, *missing: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in ARCHIVES.items():
        if name not in missing:
            (folder / file).touch()
    peer = folder / "predictions/flic_oc_Sapp_CVPR13.mat"
    peer.parent.mkdir(exist_ok=True)
    peer.touch()
    return folder


@pytest.mark.parametrize(
    ("missing", "models", "incomplete", "words"),
    [
        ((), ["lsp", "flic"], [], ""),
        (("buffy",), ["lsp", "flic"], [], "nothing is measured on buffy."),
        (("parse",), ["lsp", "flic"], [], "nothing is measured on parse, unless it can be downloaded"),
        (("lsp-oc",), ["lsp", "flic"], [], "a rule makes the labels, and numbers on lsp differ"),
        (("lsp-extended",), ["lsp", "flic"], ["lsp"], "lsp is measured, not drawn"),
        (("lsp", "parse", "lsp-oc"), ["flic"], [], "the model lsp is not checked"),
        (("flic",), ["lsp"], [], "the model flic is not checked"),
    ],
)
def test_what_can_be_checked_follows_from_the_archives(verify, tmp_path, missing, models, incomplete, words):
    here = verify.look_around(load_params(ROOT / "params.yaml"), [folder_without(tmp_path, *missing)])
    assert list(here.train) == models
    assert sorted(here.incomplete) == incomplete
    assert [note for note in here.notes if str(tmp_path) in note] == list(here.notes[:1])
    assert len(here.notes[1:]) == len(missing)
    assert words in "".join(here.notes)
    assert ("report@cpu" in here.targets) == (not incomplete)


def test_without_its_file_a_peer_is_named(verify, tmp_path):
    shutil.rmtree(folder_without(tmp_path) / "predictions")
    here = verify.look_around(load_params(ROOT / "params.yaml"), [tmp_path])
    assert "MODEC" in "".join(here.notes)


def test_the_mean_pose_of_other_training_images_is_not_compared(verify, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evaluated = {"lsp": {"mean_pose": measures(0.3), "stage_1": measures(0.7)}}
    for model in ("lsp", "flic"):
        (verify.evaluation(model)).mkdir(parents=True)
        (verify.evaluation(model) / "metrics.json").write_text(json.dumps(evaluated))
    here = verify.Here({"lsp": ["lsp"], "flic": ["flic"]}, frozenset({"lsp"}), [])
    found = {key[:3] for key in verify.measured(here)}
    assert found == {("lsp", "lsp", "stage_1"), ("flic", "lsp", "stage_1"), ("flic", "lsp", "mean_pose")}


def test_an_archive_with_other_bytes_is_named(verify, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "data/cpu/manifests/flic.json"
    manifest.parent.mkdir(parents=True)
    here = {"FLIC.zip": {"sha256": "a", "packing": "published archive"}, "buffy.zip": {"sha256": "c"}}
    manifest.write_text(json.dumps({"archives": here}))
    published = {"flic": {"FLIC.zip": {"sha256": "b", "packing": "half size"}}}
    (remark,) = verify.other_archives(published, ["flic"])
    assert remark.startswith("FLIC.zip is not the file of the published run")
    assert remark.endswith("published archive here, half size there")
    published["flic"]["FLIC.zip"]["sha256"] = "a"
    assert verify.other_archives(published, ["flic"]) == []


# A small project

DATA = "data/${item.profile}"
TRAINED = [
    *(f"{DATA}/${{item.model}}/stage{stage}.safetensors" for stage in (1, 2, 3)),
    *(f"{DATA}/${{item.model}}/displacements-stage{stage}.parquet" for stage in (2, 3)),
    *(f"{DATA}/${{item.model}}/displacement-normals-stage{stage}.parquet" for stage in (2, 3)),
    *(f"{DATA}/${{item.model}}/augmented-set-stage{stage}.json" for stage in (2, 3)),
]
MODELS = {"profile": ["${profile}"], "model": "${models}"}
WRITE = "mkdir -p $(dirname $path); echo $path > $path"
EVALUATE = """
import json, sys
from pathlib import Path
import pandas as pd, yaml

model, folder = sys.argv[1], Path(sys.argv[2])
mirror = Path(yaml.safe_load(Path("params.yaml").read_text())["mirror"])
scores = json.loads(Path("scores.json").read_text())[model]
if not (mirror / "people.zip").exists():
    scores.pop("parse", None)
if model == "lsp" and (mirror / "broken").exists():
    sys.exit("error: an archive is broken")
if (mirror / "buffy.zip").exists() and model == "flic":
    scores["buffy"] = scores["flic"]
folder.mkdir(parents=True)
(folder / "metrics.json").write_text(json.dumps(scores))
people = [(name, example) for name in scores for example in range(1000)]
pd.DataFrame(people, columns=["set", "example"]).to_parquet(folder / "joint-errors.parquet")
"""
REPORT = """
import json
from pathlib import Path

paths = Path("data/cpu/evaluation").glob("*/metrics.json")
found = {path.parent.name: json.loads(path.read_text()) for path in paths}
Path("reports/cpu").mkdir(parents=True, exist_ok=True)
Path("reports/cpu/metrics.json").write_text(json.dumps(found))
Path("reports/cpu/index.html").write_text("drawn from " + " ".join(sorted(found)))
"""
PIPELINE = {
    "stages": {
        "train-stage1": {
            "matrix": MODELS,
            "cmd": f"test ! -e .git/no-training && for path in {' '.join(TRAINED)}; do {WRITE}; done",
            "outs": TRAINED,
        },
        "evaluate": {
            "matrix": MODELS,
            "cmd": f"python evaluate.py ${{item.model}} {DATA}/evaluation/${{item.model}}",
            "deps": TRAINED,
            "outs": [f"{DATA}/evaluation/${{item.model}}"],
        },
        "report": {
            "matrix": {"profile": ["${profile}"]},
            "cmd": "python report.py",
            "deps": [f"{DATA}/evaluation"],
            "outs": [{"reports/${item.profile}/index.html": {"cache": False}}],
            "metrics": [{"reports/${item.profile}/metrics.json": {"cache": False}}],
        },
    }
}
SCORES = {
    "lsp": {"lsp": {"stage_1": measures(0.7)}, "parse": {"stage_1": measures(0.6)}},
    "flic": {"flic": {"stage_1": measures(0.8)}},
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A project that has run as `cpu` without Buffy, is published and committed."""
    project = tmp_path_factory.mktemp("verify") / "project"
    for name in ("scripts", ".dvc/config", ".dvc/.gitignore", ".gitignore", "params.yaml", "profiles"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, project / name)
    (project / "src").symlink_to(ROOT / "src")
    (project / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    (project / "scores.json").write_text(json.dumps(SCORES))
    (project / "evaluate.py").write_text(EVALUATE)
    (project / "report.py").write_text(REPORT)
    folder_without(project / "data/mirror", "buffy")
    git(project, "init", "--quiet")
    params = project / "params.yaml"
    demo = params.read_text()
    params.write_text(demo.replace("profile: demo", "profile: cpu", 1))
    dvc(project, "repro")
    dvc(project, "push", "--remote", "published")
    params.write_text(demo)
    (project / "reports/cpu/provenance.json").write_text('{"archives": {"lsp": {}, "flic": {}}}')
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "a published run")
    return project


@pytest.fixture
def clone(published, tmp_path):
    """A clone of it with a folder for archives, in which training would fail."""
    git(tmp_path, "clone", "--quiet", str(published), "clone")
    return tmp_path / "clone"


def run(project: Path, **variables: str):
    done = call(project, sys.executable, "scripts/verify.py", **variables)
    assert git(project, "status", "--short") == "", done.stdout
    assert not (project / "data/verify").exists()
    return done


def test_with_all_archives_each_number_comes_out_the_same_and_buffy_is_new(clone):
    folder_without(clone / "data/mirror")
    done = run(clone)
    assert done.returncode == 0, done.stdout
    assert "15 published numbers: 15 the same." in done.stdout
    assert "Not in the published run: flic/buffy (5)." in done.stdout
    assert "train-stage1" not in done.stdout
    assert (clone / "reports/verify/index.html").read_text() == "drawn from flic lsp"
    assert (clone / "reports/verify/numbers.csv").read_text().count("the same") == 15


def test_a_model_without_its_archives_is_left_out_and_the_mirror_may_lie_elsewhere(clone):
    folder_without(clone.parent / "elsewhere", "lsp", "lsp-extended", "lsp-oc", "parse", "buffy")
    done = run(clone, DEEPPOSE_MIRROR="../elsewhere")
    assert done.returncode == 0, done.stdout
    assert "lsp_dataset.zip (Leeds Sports Pose): the model lsp is not checked" in done.stdout
    assert "15 published numbers: 5 the same, 10 not measured here." in done.stdout
    assert "Not measured here: lsp/lsp (5), lsp/parse (5)." in done.stdout
    assert (clone / "reports/verify/index.html").read_text() == "drawn from flic"


def test_without_any_archive_it_says_what_to_get_before_anything_runs(clone):
    done = run(clone)
    assert done.returncode == 1
    assert "lsp_dataset.zip (Leeds Sports Pose): the model lsp is not checked. From https://" in done.stdout
    assert "From https://bensapp.github.io/flic-dataset.html" in done.stdout
    assert done.stdout.splitlines()[-1] == "error: nothing can be checked without them"
    assert not (clone / "reports/verify").exists()


def test_what_differs_and_what_fails_is_no_success(clone):
    folder_without(clone / "data/mirror", "buffy")
    (clone / "data/mirror/broken").touch()
    (clone / "scores.json").write_text(json.dumps(SCORES).replace("0.8", "0.9"))
    git(clone, "commit", "--quiet", "--all", "--message", "other scores")
    done = run(clone)
    assert done.returncode == 1
    assert "error: an archive is broken" in done.stdout
    assert "15 published numbers: 4 the same, 1 different, 10 not measured here." in done.stdout
    assert "flic/flic/stage_1/pcp/ave, 0.8000 published, 0.9000 here" in done.stdout
    assert "an archive is broken" in (clone / "reports/verify/repro.log").read_text()
    assert "Traceback" not in done.stdout
