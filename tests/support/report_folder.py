"""A made-up run of two models, as far as the report stage reads it: errors, manifests, tables, pictures."""

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from project import ROOT, call, small_params, write_params

from deeppose.core.geometry import diameter
from deeppose.core.skeleton import SKELETONS, Skeleton
from deeppose.core.viewpoint import viewpoints
from deeppose.evaluation.error_tables import error_tables, matrix, of_set, predictors
from deeppose.evaluation.rates import rates
from deeppose.evaluation.viewpoint_rates import rates_by_viewpoint
from deeppose.report.catalogue import TRAINING, catalogue_of, normals_of
from deeppose.report.tables import pcp_table, pdj_table, write_table

ODD = "Odd & <b>\"quoted\"</b> 'method' {{ 1 }}"
SETS = {"lsp": ("lsp", "parse"), "flic": ("flic",)}
LEFT_OUT = {"buffy": "get it from https://example.org/buffy?a&b and put it <here> & there"}
LABELS = "observer-centric by the rule"


def made_up_project(project: Path) -> Path:
    """Both models of `demo`, without Buffy, and with one other method whose name is odd."""
    project.mkdir(parents=True)
    params = small_params()
    write_params(project, params)
    for model, sets in SETS.items():
        skeleton = SKELETONS[params["model"][model]["skeleton"]]
        write_evaluation(project, model, skeleton, (*sets, "held-out"))
        write_manifest(project, model, LEFT_OUT if model == "flic" else {})
        write_report_folder(project, model, skeleton, sets)
    write_times(project, {"plot@demo-lsp": 61.0, f"train-stage1@{ODD}": 3.25})
    return project


def write_report(project: Path, profile: str = "demo") -> Path:
    """Run the report stage there; gives the page."""
    done = call(project, sys.executable, str(ROOT / "stages" / "report.py"), profile)
    assert done.returncode == 0, done.stdout
    return project / "reports" / profile / "index.html"


def write_evaluation(project: Path, model: str, skeleton: Skeleton, sets: tuple[str, ...]) -> None:
    generator = np.random.default_rng(1)
    tables, seen, metrics = [], [], {}
    for name in sets:
        truth = generator.uniform(20, 180, size=(12, len(skeleton.joints), 2))
        labelled = np.ones(truth.shape[:2], dtype=bool)
        sizes = diameter(truth, labelled, skeleton)
        seen.append(viewpoints(name, truth, skeleton, None, np.arange(len(truth)) % 2 == 0))
        spreads = {"mean pose": 60, "stage 1": 25, "stage 2": 15, "stage 3": 12}
        if name == "flic":
            spreads[ODD] = 30
        for predictor, spread in spreads.items():
            predicted = truth + generator.normal(scale=spread, size=truth.shape)
            tables.append(error_tables(name, predictor, predicted, truth, labelled, sizes, skeleton))
    joints, limbs = (pd.concat(kind, ignore_index=True) for kind in zip(*tables, strict=True))
    limb_names = [limb.name for limb in skeleton.limbs if limb.kind is not None]
    for name in sets:
        of_joints, of_limbs = of_set(joints, name), of_set(limbs, name)
        metrics[name] = {
            predictor.replace(" ", "_"): rates(
                matrix(of_joints, predictor, "joint", skeleton.joints, "error"),
                *(
                    matrix(of_limbs, predictor, "limb", limb_names, measure)
                    for measure in ("strict", "loose")
                ),
                skeleton,
            )
            for predictor in predictors(of_joints)
        } | {f"gain_of_stage_{stage}": {"pdj@0.1": 0.02, "pcp.ave": -0.01} for stage in (2, 3)}
    folder = project / "data" / "demo" / "evaluation" / model
    folder.mkdir(parents=True)
    joints.to_parquet(folder / "joint-errors.parquet", index=False)
    limbs.to_parquet(folder / "limb-errors.parquet", index=False)
    apart = rates_by_viewpoint(joints, pd.concat(seen))
    apart.to_parquet(folder / "by-viewpoint.parquet", index=False)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def write_manifest(project: Path, model: str, left_out: dict[str, str]) -> None:
    manifest = {
        "archives": {f"{model}.zip": {"sha256": "0123456789abcdef" * 4, "packing": "drawn"}},
        "left_out": left_out,
        "peers": {"odd.mat": {"sha256": "f" * 64, "method": ODD, "set": "flic"}} if model == "flic" else {},
    }
    path = project / "data" / "demo" / "manifests" / f"{model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest))


def write_report_folder(project: Path, model: str, skeleton: Skeleton, sets: tuple[str, ...]) -> None:
    """The tables, and a picture for each name that the plot stage gives one."""
    reports = project / "reports" / "demo" / model
    evaluation = project / "data" / "demo" / "evaluation" / model
    joints = pd.read_parquet(evaluation / "joint-errors.parquet")
    limbs = pd.read_parquet(evaluation / "limb-errors.parquet")
    pictures = [TRAINING, normals_of(2), normals_of(3)]
    for name in sets:
        for entry in catalogue_of(name).entries:
            if entry.kind == "pcp table":
                table = pcp_table(limbs, skeleton, name, LABELS, 1)
                write_table(table, reports / "tables", entry.file, "PCP", [])
            elif entry.kind == "pdj table":
                table = pdj_table(joints, skeleton, name, LABELS, 1)
                write_table(table, reports / "tables", entry.file, "PDJ", [])
            elif entry.folder != "tables":
                pictures.append(entry)
    for picture in pictures:
        path = reports / picture.folder / f"{picture.file}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((60, 1260, 3), 200, dtype=np.uint8))
        if picture.folder == "figures":
            path.with_suffix(".svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    record = project / "data" / "demo" / "photographed" / f"{model}.json"
    record.parent.mkdir(exist_ok=True)
    photographs = {
        f"{one.file}.png": {"width": 1260, "height": 60} for one in pictures if one.folder == "photos"
    }
    record.write_text(json.dumps(photographs))


def write_times(project: Path, times: dict[str, float]) -> None:
    path = project / "logs" / "demo" / "runs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({stage: {"seconds": seconds} for stage, seconds in times.items()}))


def copy_of(project: Path, target: Path) -> Path:
    return Path(shutil.copytree(project, target))
