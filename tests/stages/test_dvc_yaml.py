"""What dvc.yaml says of stages is what their scripts are."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from pipeline import PIPELINE, STAGES
from project import ROOT

from deeppose.core.params_file import load_params
from deeppose.core.paths import Item


def test_the_stages_have_their_names_and_say_what_they_do():
    assert tuple(PIPELINE["stages"]) == STAGES
    assert all(stage["desc"] for stage in PIPELINE["stages"].values())


def module_file(module: str) -> Path | None:
    if (beside := ROOT / "stages" / f"{module}.py").is_file():
        return beside
    path = ROOT / "src" / Path(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imported(file: Path) -> set[Path]:
    """The project's own modules that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    own = {name for name in names if module_file(name) is not None}
    return {path for name in own if (path := module_file(name)) and path.name != "__init__.py"}


def stands_on(script: Path) -> set[str]:
    found, todo = set(), [script]
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            todo.extend(imported(file))
    return {str(path.relative_to(ROOT)) for path in found}


def packages(modules: set[str]) -> set[str]:
    """What `deps` names for modules: scripts by themselves, packages of ours as folders.

    Which commit and machine a run is of is no part of a result.
    """
    named = {re.sub(r"^(src/deeppose/\w+)/.*", r"\1", module) for module in modules}
    return named - {"src/deeppose/provenance.py"}


@pytest.mark.parametrize("name", STAGES)
def test_the_deps_of_a_stage_are_the_packages_it_imports(name):
    stage = PIPELINE["stages"][name]
    script = ROOT / stage["cmd"].split()[1]
    code = {dep for dep in stage["deps"] if dep.startswith(("src/", "stages/"))}
    assert code == packages(stands_on(script))


def test_a_figure_is_no_reason_to_train():
    trains = set(PIPELINE["stages"]["train-stage1"]["deps"])
    assert not trains & {f"src/deeppose/{name}" for name in ("report", "evaluation", "data", "boxes")}
    assert {"src/deeppose/cascade", "src/deeppose/networks"} <= trains


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"download", "report"}))
def test_a_stage_knows_its_outputs(name, monkeypatch):
    stage = PIPELINE["stages"][name]
    monkeypatch.syspath_prepend(str(ROOT / "stages"))
    _, script, _, _, *number = stage["cmd"].split()
    item = Item(load_params(ROOT / "params.yaml"), "demo", "lsp")
    known = importlib.import_module(Path(script).stem).outputs(item, int((number or [0])[0]))
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    listed = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    listed = [path.replace("${item.profile}", "demo").replace("${item.model}", "lsp") for path in listed]
    assert sorted(map(str, known)) == sorted(listed)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_training_depends_on_the_trusted_sets(stage):
    # The demo doesn't read them there, so running it doesn't tell: its trainings trust all sets to the end.
    *_, of_profile = PIPELINE["stages"][f"train-stage{stage}"]["params"]
    assert all("trusted" in names for names in of_profile.values())
