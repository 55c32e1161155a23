"""The page on joints of one's own: its commands, from twelve photographs to a predicted one; its YAML."""

import json
import re
import shutil
import sys

import cv2
import horses
import pytest
import yaml
from project import ROOT, call, copy_params, git, small_copy
from project_copy import edited_params

from deeppose.core.params_file import load_params, read_values
from deeppose.core.paths import Item

PAGE = (ROOT / "docs" / "own-joints.md").read_text("utf-8")
DEEPPOSE = "import sys; from deeppose.cli.main import main; sys.argv[0] = 'deeppose'; main()"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path):
    """The project with params as they come, and the photographs and labels of the page."""
    project = small_copy(tmp_path / "project")
    shutil.rmtree(project / "profiles")
    copy_params(project)
    pose = horses.write(project)[0]
    cv2.imwrite(str(project / "photo.jpg"), horses.picture(pose))
    return project


def run(project, line):
    """Run a command of the page as its reader does, with this Python."""
    command, *arguments = line.split()
    begins = {"deeppose": ("-c", DEEPPOSE), "dvc": ("-m", "dvc")}[command]
    done = call(project, sys.executable, *begins, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_commands_of_the_page_lead_from_twelve_images_to_a_predicted_photo(project):
    commands = blocks("sh")[0].splitlines()
    assert len(commands) == 4
    said = run(project, commands[0])
    assert "12 examples in 12 images: 10 train, 2 test" in said
    assert "7 joints, 84 of 84 labelled, 0 of them hidden" in said
    assert "left front hoof and right front hoof, left hind hoof and right hind hoof" in said
    assert all(command.replace("photo.jpg", "PHOTO.jpg") in said for command in commands[1:])
    with edited_params(project) as params:
        profile = params["profiles"]["horses"]
        profile["network"]["input"], profile["training"]["batch"] = 64, 8
        for stage, steps in (("stage1", 4), ("stage2", 3), ("stage3", 2)):
            profile[stage] |= {"steps": {"horses": steps}, **({} if stage == "stage1" else {"input": 64})}
    assert "poses without diameter: 0\n" in run(project, commands[1])
    run(project, commands[2])
    assert sorted(path.name for path in (project / "reports").iterdir()) == ["horses"]
    for half in ("train", "test"):
        noted = json.loads((project / "data/horses/horses" / half / "skeleton.json").read_text())
        assert noted["joints"] == list(horses.JOINTS)
    assert "horses" in json.loads((project / "reports/horses/metrics.json").read_text())
    assert "coco: labels and images" in (project / "reports/horses/index.html").read_text()
    assert "by the weights in data/horses/horses" in run(project, commands[3])
    assert cv2.imread(str(project / "photo-pose.png")) is not None
    # Back to what params.yaml said before, the model is still there.
    text = (project / "params.yaml").read_text()
    with edited_params(project) as params:
        params |= {"profile": "demo", "models": ["lsp", "flic"]}
    found = json.loads(run(project, f"{commands[3]} --format json"))
    assert found["joints"] == list(horses.JOINTS)
    (project / "params.yaml").write_text(text)
    # Other joints are others' weights.
    skeleton = Item(load_params(project / "params.yaml"), "horses", "horses").skeleton
    with edited_params(project) as params:
        params["profiles"]["horses"]["skeletons"]["horses"]["joints"] = [*skeleton.joints[1:], "nose"]
    done = call(project, sys.executable, "-c", DEEPPOSE, *commands[3].split()[1:])
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert "for horses joints, as they were before they were changed" in done.stdout


def test_no_stage_of_the_others_trains_again(project):
    shutil.copy(ROOT / "dvc.lock", project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "before")
    run(project, blocks("sh")[0].splitlines()[0])
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(
        text.replace("profile: horses", "profile: cpu").replace("models: [horses]", "models: [lsp, flic]")
    )
    status = json.loads(run(project, "dvc status --json"))
    assert len(status) > 20  # no data is there
    changed = {
        stage: files
        for stage, reasons in status.items()
        for reason in reasons
        if isinstance(reason, dict)
        for file, files in reason.get("changed deps", {}).items()
        if file in ("params.yaml", "profiles/cpu.yaml")
    }
    # They read `model` as a whole, are done in seconds, and give what they gave.
    assert changed == {"download@cpu": {"model": "modified"}, "report@cpu": {"model": "modified"}}


def test_the_sections_of_the_page_are_those_of_a_profile(tmp_path):
    values = read_values(ROOT / "params.yaml")
    skeleton, dataset = (yaml.safe_load(block) for block in blocks("yaml"))
    copy_params(tmp_path)
    with edited_params(tmp_path) as params:
        params["profiles"]["horses"] = values["profiles"]["cpu"] | skeleton | dataset
    profile = load_params(tmp_path / "params.yaml").profiles["horses"]
    assert profile.skeleton_of_set("horses").mirrored == (0, 1, 2, 4, 3, 6, 5)
    assert [profile.datasets["horses"].format] == re.findall(r"^\| `(coco)` \|", PAGE, re.MULTILINE)
