"""Tables, figures and photographs of made-up errors: what is written, whatever is there or isn't."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from project import ROOT, write_params

from deeppose.boxes.faces import faces_table
from deeppose.core.examples import BOX_COLUMNS, TORSO_COLUMNS, Examples, write_examples
from deeppose.core.geometry import diameter
from deeppose.core.images import write_images
from deeppose.core.params_file import load_params, read_values
from deeppose.core.paths import Item
from deeppose.core.pose_files import write_poses
from deeppose.core.skeleton import SKELETONS
from deeppose.core.viewpoint import viewpoints
from deeppose.evaluation.error_tables import error_tables
from deeppose.evaluation.viewpoint_rates import rates_by_viewpoint
from deeppose.report import catalogue, photos, plots

MODEC = "MODEC (Sapp and Taskar 2013)"
LABELS = "observer-centric as published"
NETWORK = "(EfficientNet-Lite0 with maps)"
TRAINED = {"lsp": ["lsp", "lsp-extended"], "flic": ["flic"]}
EICHNER = "Eichner et al. (2010)"
TESTED = {"lsp": ["lsp", "parse"], "flic": ["flic", "buffy", "buffy-confidence"]}
EXAMPLES = 6
FIRST_PART = 3
WIDTH, HEIGHT = 60, 40


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that makes what both stages read, runs them, and gives the report folder and the figures."""
    monkeypatch.chdir(tmp_path)
    # Saving takes most of the time; one test below is about the files.
    written = {}

    def keep(figure, folder, name):
        written[name] = figure
        (folder / f"{name}.png").write_bytes(b"")

    def make_all(model, *, profile="cpu", stages=3, left_out=(), peer=False, save=False, again=False):
        if not again:
            make(tmp_path, profile, model, stages, left_out, peer)
        monkeypatch.setattr(plots, "save_plot", plot_saver if save else keep)
        monkeypatch.setattr(plots, "save_picture", picture_saver if save else keep)
        monkeypatch.setattr(photos, "save_picture", photo_saver if save else keep)
        monkeypatch.setattr(photos, "picture_size", measure if save else lambda _: (1, 1))
        item = Item(load_params(), profile, model)
        if item.reports.is_dir():
            for folder in ("tables", "figures", "photos"):
                shutil.rmtree(item.reports / folder, ignore_errors=True)
        written.clear()
        plots.plot(item)
        photos.plot_photos(item)
        return tmp_path / "reports" / profile / model, dict(written)

    plot_saver, picture_saver = plots.save_plot, plots.save_picture
    photo_saver, measure = photos.save_picture, photos.picture_size
    return make_all


def write_initial_boxes(data, offsets):
    """Every example has one face, in the middle of its image."""
    boxes = pd.DataFrame([(WIDTH / 2, HEIGHT / 2, 40.0, 32.0)] * len(offsets), columns=BOX_COLUMNS)
    boxes.assign(chosen="only face").to_parquet(data / "test-initial-boxes.parquet")
    face = np.array([[WIDTH / 2, HEIGHT / 2, 10.0, 8.0, 0.9]])
    faces_table(offsets, [face] * len(offsets)).to_parquet(data / "test-faces.parquet")
    (data / "containment.csv").write_text("factor,share\n1,0.1\n4,1\n")
    (data / "initial-boxes.json").write_text(json.dumps({"scale": 4.0, "share_contained": 1.0}))


def make(root, profile, model, stages, left_out, peer):
    params = read_values(ROOT / "params.yaml") | {"cascade_stages": stages}
    write_params(root, params)
    skeleton = SKELETONS[params["model"][model]["skeleton"]]
    joints = len(skeleton.joints)
    data, reports = root / "data" / profile / model, root / "reports" / profile / model
    evaluation = root / "data" / profile / "evaluation" / model
    for folder in (data, reports, evaluation):
        folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    tested = [name for name in TESTED[model] if name not in left_out]
    table = pd.DataFrame({"set": np.repeat(np.array(tested, dtype=object), EXAMPLES), "part": "test"})
    images = [random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(len(table))]
    table[["offset", "width", "height"]] = write_images(data / "test/images.rgb", images)
    poses = random.uniform(5, 35, (len(table), joints, 2))
    labelled = np.ones((len(table), joints), dtype=bool)
    # As on Buffy: neither hips nor eyes.
    bare = [index for index, name in enumerate(skeleton.joints) if name.split()[-1] in ("hip", "eye")]
    labelled[np.ix_(table["set"].str.startswith("buffy"), bare)] = False
    diameters = diameter(poses, np.ones_like(labelled), skeleton)
    examples = Examples(
        table.assign(diameter=diameters, **dict.fromkeys(TORSO_COLUMNS, np.nan)), poses, labelled
    )
    write_examples(examples, data / "test/examples.parquet", data / "test/joints.parquet")
    write_initial_boxes(data, table["offset"].to_numpy())
    errors = []
    for name in tested:
        rows = examples.rows("test", name)
        for predictor in [*(f"stage {stage}" for stage in range(1, stages + 1)), "mean pose"]:
            off = 30 if predictor == "mean pose" else 12 - 3 * int(predictor[-1])
            predicted = poses[rows] + random.normal(0, off, (EXAMPLES, joints, 2))
            # As sure as right.
            spreads = np.linalg.norm(predicted - poses[rows], axis=-1) / diameters[rows][:, None]
            has_maps = profile == "cpu" and predictor != "mean pose"
            file = "mean" if predictor == "mean pose" else predictor.replace(" ", "")
            write_poses(data / "test-predictions" / f"{name}-{file}.parquet", predicted)
            first = rows[:FIRST_PART]
            parts = {name: rows} | ({f"{name}-276": first} if name.startswith("buffy") else {})
            errors += [
                error_tables(
                    part,
                    predictor,
                    predicted[: len(of_part)],
                    poses[of_part],
                    labelled[of_part],
                    diameters[of_part],
                    skeleton,
                    spreads[: len(of_part)] if has_maps else None,
                )
                for part, of_part in parts.items()
            ]
        if peer and name == "flic":
            arms = np.array(["hip" not in joint and "eye" not in joint for joint in skeleton.joints])
            truth = poses[rows], labelled[rows] & arms
            errors.append(error_tables(name, MODEC, poses[rows], *truth, diameters[rows], skeleton))
        if peer and name == "buffy":
            of_part = (poses[first], labelled[first], diameters[first], skeleton)
            errors.append(error_tables("buffy-276", EICHNER, poses[first] + 1, *of_part))
    for kind, frames in zip(("joint", "limb"), zip(*errors, strict=True), strict=True):
        pd.concat(frames, ignore_index=True).to_parquet(evaluation / f"{kind}-errors.parquet")
    joints_table = pd.read_parquet(evaluation / "joint-errors.parquet")
    seen = [viewpoints(name, poses[examples.rows("test", name)], skeleton, None, None) for name in tested]
    apart = rates_by_viewpoint(joints_table, pd.concat(seen))
    apart.to_parquet(evaluation / "by-viewpoint.parquet")
    because = {name: f"no {name} here: get it from its page" for name in left_out}
    manifests = data.parent / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / f"{model}.json").write_text(json.dumps({"archives": {}, "left_out": because, "peers": {}}))
    trained = {name: {"labels": LABELS, "train": {}, "test": {}} for name in TRAINED[model]}
    (data / "annotations.json").write_text(
        json.dumps({"sets": {name: {"labels": LABELS, "test": {}} for name in tested} | trained})
    )
    for stage in range(1, stages + 1):
        log = pd.DataFrame({"step": [1, 2], "loss": [0.2, 0.1], "held_out_pdj@0.2": [0.1, 0.2]})
        log.to_csv(reports / f"training-stage{stage}.csv", index=False)
    for stage in range(2, stages + 1):
        (data / f"augmented-set-stage{stage}.json").write_text(json.dumps({"boxes": 3}))
        observed = pd.DataFrame({"joint": range(joints), "dx": 0.1, "dy": 0.2})
        observed.to_parquet(data / f"displacements-stage{stage}.parquet")
        fitted = {"mean_x": 0.0, "mean_y": 0.0, "var_x": 1.0, "var_y": 1.0, "cov_xy": 0.0}
        normals = pd.DataFrame({"joint": range(joints)}).assign(**fitted)
        normals.to_parquet(data / f"displacement-normals-stage{stage}.parquet")


def caption(figure):
    return " ".join(figure.get_supxlabel().split())


def title(figure):
    return " ".join(figure.get_suptitle().split())


def legend(axes):
    return [line.get_label().split("\n") for line in axes.lines]


def test_lsp_brings_its_tables_and_figures_and_parse_table_2(project):
    reports, written = project("lsp")
    assert set(written) == {
        "figure4-pdj-lsp",
        "figure5-kind-pdj-lsp-by-stage",
        "figure6-poses-lsp-by-stage",
        "figure8-poses-lsp",
        "worst-poses-lsp",
        "risk-lsp",
        "risk-parse",
        "training",
        "displacement-normals-stage2",
        "displacement-normals-stage3",
    }
    tables = {path.stem for path in (reports / "tables").iterdir()}
    assert tables == {
        "table1-pcp-lsp",
        "pdj-lsp",
        "pdj-lsp-by-viewpoint",
        "refinements-lsp",
        "table2-pcp-parse",
        "pdj-parse",
        "counts",
    }
    apart = (reports / "tables" / "pdj-lsp-by-viewpoint.md").read_text("utf-8")
    assert "| stage 3 | trunk: upright |" in apart
    assert "stage 3 − DeepPose | difference" in (reports / "tables" / "table2-pcp-parse.md").read_text(
        "utf-8"
    )
    assert title(written["figure4-pdj-lsp"]) == "Figure 4: PDJ on LSP"
    assert "the curves of Dantone et al. are published as a picture" in caption(written["figure4-pdj-lsp"])
    assert "as if the person faced the camera" in caption(written["figure8-poses-lsp"])
    assert "model lsp, trained on lsp and lsp-extended" in caption(written["figure4-pdj-lsp"])
    assert f"Measured on 6 test examples. Labels: {LABELS}." in caption(written["figure4-pdj-lsp"])
    for name in tables - {"counts"}:
        assert "Measured on 6 test examples." in (reports / "tables" / f"{name}.md").read_text("utf-8")


def test_risk_rises_with_coverage_where_the_surest_joints_are_right(project):
    reports, written = project("lsp")
    (axes,) = written["risk-lsp"].axes
    assert title(written["risk-lsp"]) == "Risk against coverage on LSP"
    assert legend(axes) == [[f"DeepPose, stage {stage}", NETWORK] for stage in (1, 2, 3)]
    curves = pd.read_csv(reports / "figures" / "risk-lsp.csv")
    assert set(curves["predictor"]) == {"stage 1", "stage 2", "stage 3"}
    assert curves.groupby("predictor")["risk"].first().tolist() == [0, 0, 0]
    assert (curves.groupby("predictor")["risk"].last() > 0).all()


def test_a_network_without_maps_has_no_risk_curves(project, capsys):
    _, written = project("lsp", profile="demo")
    assert not any(name.startswith("risk") for name in written)
    assert "risk-lsp is left out: its network has no maps" in capsys.readouterr().out


def test_flic_brings_figures_3_5_and_9_and_buffy_figure_7(project, capsys):
    reports, written = project("flic")
    assert set(written) == {
        "figure3-pdj-flic",
        "figure5-pdj-flic-by-stage",
        "figure6-kind-poses-flic-by-stage",
        "figure7-pdj-buffy",
        "figure9-poses-flic",
        "worst-poses-flic",
        "risk-flic",
        "risk-buffy",
        "initial-boxes",
        "initial-box-scaler",
        "training",
        "displacement-normals-stage2",
        "displacement-normals-stage3",
    }
    assert {path.stem for path in (reports / "tables").iterdir()} == {
        "pdj-flic",
        "refinements-flic",
        "pdj-buffy",
        "counts",
    }
    assert capsys.readouterr().out == ""
    figure = written["figure3-pdj-flic"]
    assert title(figure) == "Figure 3: PDJ on FLIC after two cascade stages"
    assert [axes.get_xlim() for axes in figure.axes] == [(0, 0.2)] * 2
    assert legend(figure.axes[0]) == [["DeepPose, stage 2", NETWORK], ["mean pose"]]
    assert "after stage 2 of 3" in caption(figure)
    assert "with flic_oc_Sapp_CVPR13.mat in predictions/ of the mirror folder" in caption(figure)
    assert [axes.get_xlim() for axes in written["figure5-pdj-flic-by-stage"].axes] == [(0, 0.5)] * 2
    assert len(legend(written["figure5-pdj-flic-by-stage"].axes[0])) == 4
    buffy_is_shown_whole_and_in_its_parts(reports, written["figure7-pdj-buffy"])


def buffy_is_shown_whole_and_in_its_parts(reports, figure):
    ours = ["DeepPose, stage 2", NETWORK]
    images = [
        "all 6 images",
        "3 of episodes 2, 5, 6",
        "all 6, most confident face",
        "3 of them, most confident face",
    ]
    expected = [[*ours, images[0]], *([words] for words in images[1:]), ["mean pose", images[0]]]
    assert legend(figure.axes[0]) == legend(figure.axes[1]) == expected
    assert "the pose diameter is the length of the torso's stick" in caption(figure)
    table = pd.read_csv(reports / "tables" / "pdj-buffy.csv")
    assert table["images"].unique().tolist() == images
    assert table["hip"].isna().all()
    assert table["all_joints"].notna().all()


def test_who_predicts_a_part_alone_stands_beside_ours_on_that_part(project):
    reports, written = project("flic", peer=True)
    figure = written["figure7-pdj-buffy"]
    theirs = ["Eichner et al.", "(2010)", "3 of episodes 2, 5, 6"]
    assert [lines for lines in legend(figure.axes[0]) if lines[0] == theirs[0]] == [theirs]
    assert "Ours alone" not in caption(figure)
    table = pd.read_csv(reports / "tables" / "pdj-buffy.csv")
    assert set(table.loc[table["method"] == EICHNER, "images"]) == {theirs[2]}
    assert f"{EICHNER}: predictions that others made" in (reports / "tables/pdj-buffy.md").read_text("utf-8")


def test_a_set_of_ones_own_brings_curves_of_all_its_joints_and_pictures(project, monkeypatch):
    monkeypatch.setitem(TESTED, "flic", ["mine"])
    reports, written = project("flic")
    assert {"pdj-mine-by-stage", "poses-mine-by-stage", "poses-mine", "worst-poses-mine"} <= set(written)
    curves = written["pdj-mine-by-stage"]
    assert title(curves) == "PDJ on mine after each stage"
    assert [axes.get_title() for axes in curves.axes] == ["Shoulder", "Elbow", "Wrist", "Hip", "Eye"]
    assert {path.stem for path in (reports / "tables").iterdir()} == {
        "pcp-mine",
        "pdj-mine",
        "refinements-mine",
        "counts",
    }


def test_joints_that_are_labelled_nowhere_have_no_panel(project, monkeypatch):
    # As on Buffy, neither hips nor eyes.
    monkeypatch.setitem(TESTED, "flic", ["buffy"])
    monkeypatch.setattr(catalogue, "PAPER_SETS", {})
    _, written = project("flic")
    panels = [axes.get_title() for axes in written["pdj-buffy-by-stage"].axes]
    assert panels == ["Shoulder", "Elbow", "Wrist"]


def test_a_set_without_any_diameter_brings_tables_alone(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(TESTED, "flic", ["mine"])
    project("flic")
    errors = tmp_path / "data/cpu/evaluation/flic/joint-errors.parquet"
    pd.read_parquet(errors).assign(error=np.nan).to_parquet(errors)
    reports, written = project("flic", again=True)
    assert not [name for name in written if "mine" in name]
    assert {path.stem for path in (reports / "tables").iterdir()} == {"pcp-mine", "pdj-mine", "counts"}
    said = capsys.readouterr().out
    for name in ("pdj-mine-by-stage", "poses-mine-by-stage", "poses-mine", "worst-poses-mine"):
        assert f"{name} is left out: no pose of mine has a diameter, so no joint counts" in said


def test_other_methods_stand_beside_ours(project):
    reports, written = project("flic", peer=True)
    figure = written["figure3-pdj-flic"]
    for axes in figure.axes:
        assert legend(axes) == [
            ["DeepPose, stage 2", NETWORK],
            ["MODEC", "(Sapp and Taskar 2013)"],
            ["mean pose"],
        ]
        assert set(axes.lines[1].get_ydata()) == {1.0}
    assert "mirror folder" not in caption(figure)
    assert all("MODEC" not in label for label, *_ in legend(written["figure5-pdj-flic-by-stage"].axes[0]))
    assert f"| {MODEC} | 0.1 | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 | – | – | – |" in (
        reports / "tables" / "pdj-flic.md"
    ).read_text("utf-8")
    the_curves_lie_beside_each_figure_as_they_are_drawn(reports, written)


def the_curves_lie_beside_each_figure_as_they_are_drawn(reports, written):
    for name in ("figure3-pdj-flic", "figure5-pdj-flic-by-stage"):
        curves = pd.read_csv(reports / "figures" / f"{name}.csv")
        for axes, joint in zip(written[name].axes, ("elbow", "wrist"), strict=True):
            drawn = np.concatenate([line.get_xydata() for line in axes.lines])
            rows = curves["joint"] == joint
            np.testing.assert_allclose(drawn, curves.loc[rows, ["t", "rate"]], rtol=1e-5)


@pytest.mark.parametrize(("stages", "after"), [(1, "one cascade stage"), (2, "two cascade stages")])
def test_a_shorter_cascade(project, stages, after):
    reports, written = project("flic", stages=stages)
    figure = written["figure3-pdj-flic"]
    assert title(figure) == f"Figure 3: PDJ on FLIC after {after}"
    assert f"after stage {stages} of {stages}" in caption(figure)
    assert len(legend(written["figure5-pdj-flic-by-stage"].axes[0])) == stages + 1
    assert len(written["figure6-kind-poses-flic-by-stage"].axes) == 3 * stages
    assert title(written["figure9-poses-flic"]) == f"Figure 9: poses on FLIC after stage {stages}"
    assert ("displacement-normals-stage2" in written) == (stages == 2)
    assert (reports / "figures" / "pdj-flic-last-stage.csv").is_file()


def test_a_set_that_is_left_out_takes_its_tables_and_figures_along(project, capsys):
    reports, written = project("flic", left_out=["buffy", "buffy-confidence"])
    assert capsys.readouterr().out.splitlines() == [
        "pdj-buffy is left out: no buffy here: get it from its page",
        "Figure 7 (figure7-pdj-buffy) is left out: no buffy here: get it from its page",
        "risk-buffy is left out: no buffy here: get it from its page",
    ]
    assert "figure3-pdj-flic" in written
    assert not list(reports.rglob("*buffy*"))


def test_without_any_test_set_of_photographs_the_folder_is_there_all_the_same(project, capsys):
    reports, _ = project("lsp", left_out=["lsp"])
    assert (reports / "photos").is_dir()
    assert not list((reports / "photos").iterdir())
    assert {path.stem for path in (reports / "tables").iterdir()} == {
        "table2-pcp-parse",
        "pdj-parse",
        "counts",
    }
    assert "Figure 8 (figure8-poses-lsp) is left out" in capsys.readouterr().out


def test_only_what_shows_photographs_stands_on_them(project, tmp_path):
    reports, _ = project("flic")
    noted = json.loads((tmp_path / "data/cpu/photographed/flic.json").read_text())
    assert set(noted) == {path.name for path in (reports / "photos").iterdir()}
    assert "photos" not in (tmp_path / "data/cpu/plotted/flic.json").read_text()
    shutil.rmtree(tmp_path / "data/cpu/flic/test")
    shutil.rmtree(tmp_path / "data/cpu/flic/test-predictions")
    plots.plot(Item(load_params(), "cpu", "flic"))


@pytest.mark.parametrize(("model", "stand_in"), [("lsp", "synthetic people"), ("flic", "synthetic scenes")])
def test_synthetic_people_are_named_as_such(project, model, stand_in):
    reports, written = project(model, profile="demo")
    names = {"lsp": "LSP", "parse": "Image Parse", "flic": "FLIC", "buffy": "Buffy"}
    for name in set(TESTED[model]) & set(names):
        assert f"on {stand_in} in place of {names[name]}" in (
            reports / "tables" / f"pdj-{name}.md"
        ).read_text("utf-8")
    for name, figure in written.items():
        if name.startswith("figure"):
            assert stand_in in title(figure)
            if "poses" not in name:
                assert "synthetic people, not comparable with the paper" in caption(figure)
    for name in {"figure3-pdj-flic", "figure4-pdj-lsp", "figure7-pdj-buffy"} & set(written):
        assert caption(written[name]).endswith("Other methods have no predictions on synthetic images.")


def test_one_stage_has_no_refinements(project, capsys):
    reports, _ = project("flic", stages=1)
    assert "refinements-flic is left out: the cascade has one stage" in capsys.readouterr().out
    assert not list(reports.rglob("refinements*"))


def test_the_same_bytes_twice(project):
    files = []
    for _ in range(2):
        reports, _ = project("flic", stages=1, peer=True, save=True)
        files.append(
            {path.relative_to(reports): path.read_bytes() for path in reports.rglob("*") if path.is_file()}
        )
    assert files[0] == files[1]
    kinds = {path.suffix for path in files[0]}
    assert kinds == {".png", ".svg", ".csv", ".md", ".tex", ".json"}
