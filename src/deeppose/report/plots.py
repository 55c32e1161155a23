"""The tables and figures of a model, but for those that show photographs."""

from collections.abc import Callable

from deeppose.core.files import read_csv, read_json, read_parquet, sha256, write_json
from deeppose.core.paths import Item
from deeppose.core.predictors import MEAN_POSE, stage_name
from deeppose.evaluation.bootstrap import NOTE
from deeppose.report.captions import Source, read_source
from deeppose.report.catalogue import (
    REFINEMENTS,
    RISK,
    SCALER,
    TRAINING,
    Entry,
    SetCatalogue,
    catalogue_of,
    left_out_lines,
    normals_of,
)
from deeppose.report.figures.curves import (
    containment_figure,
    joints_figure,
    limbs_figure,
    risk_curves,
    risk_figure,
    select,
    training_figure,
    write_curves,
)
from deeppose.report.figures.normals import normals_figure
from deeppose.report.style import save_picture, save_plot
from deeppose.report.tables import (
    pcp_table,
    pdj_table,
    refinement_table,
    stacked_by_images,
    viewpoint_table,
    write_table,
)

# The paper's FLIC model is shown after two stages where it stands beside other methods (Fig. 3 and 7).
STAGES_BESIDE_PEERS = 2
RISK_NOTE = (
    "The smaller the standard deviation of a joint's place on its map, in diameters of the predicted pose, "
    "the higher its confidence; all kinds of joints pooled."
)


def plot(item: Item) -> None:
    """Make every table and figure of the catalogue that can be made, and note their checksums."""
    source = read_source(item)
    for folder in ("tables", "figures"):
        (item.reports / folder).mkdir(parents=True, exist_ok=True)
    sets = [name for name in dict.fromkeys(source.evaluation.joints["set"]) if name in source.labels]
    for line in left_out_lines(item.left_out, sets):
        print(line)
    for shown in map(catalogue_of, sets):
        _write_all_curves(source, shown)
        for entry in shown.entries:
            if entry.folder == "photos":
                continue
            if reason := source.why_left_out(shown, entry):
                print(reason)
            else:
                MAKERS[entry.kind](source, shown, entry)
    _write_counts(item)
    _plot_training(source)
    if item.model.initial_box == "face":
        _plot_scaler(item)
    # What the profile's report waits for, and stands on.
    made = sorted(path for folder in ("tables", "figures") for path in (item.reports / folder).iterdir())
    files = {str(path.relative_to(item.reports)): sha256(path) for path in made}
    write_json(item.plotted, {"files": files, "manifest": item.read_manifest()})


def _write_counts(item: Item) -> None:
    """What was counted on the way to the results: of labels, of initial boxes, of augmented sets."""
    refinements = range(2, item.params.cascade_stages + 1)
    counts = {
        "annotations": read_json(item.annotations_report),
        "initial_boxes": read_json(item.initial_boxes_report),
        "augmented_sets": {stage_name(n): read_json(item.augmented_set_report(n)) for n in refinements},
    }
    write_json(item.reports / "tables" / "counts.json", counts)


def _write_pcp_table(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item, limbs = source.item, source.evaluation.limbs
    labels = source.labels[shown.name]
    table = pcp_table(limbs, item.skeleton, shown.name, labels, item.params.seed)
    title = entry.titled(f"PCP at 0.5 on {source.title(shown)}")
    notes = [*source.notes(shown), *shown.notes, f"±: {NOTE}"]
    write_table(table, item.reports / entry.folder, entry.file, title, notes)


def _write_pdj_table(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item, joints, labels = source.item, source.evaluation.joints, source.labels[shown.name]
    parts = source.parts(shown)
    tables = {
        words: pdj_table(joints, item.skeleton, name, labels, item.params.seed)
        for name, words in parts.items()
    }
    table = stacked_by_images(tables) if len(tables) > 1 else tables[parts[shown.name]]
    notes = [*source.notes(shown), *shown.notes, f"±: {NOTE}"]
    if others := source.other_methods(shown):
        notes.append(
            f"{', '.join(others)}: predictions that others made, measured here as ours are; "
            f"a joint that they don't predict is left empty."
        )
    title = entry.titled(f"PDJ on {source.title(shown)}")
    write_table(table, item.reports / entry.folder, entry.file, title, notes)


def _write_viewpoint_table(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    table = viewpoint_table(source.evaluation.by_viewpoint, shown.name, source.labels[shown.name])
    what = "PDJ and exchanged sides by trunk direction, view and occlusion"
    title = entry.titled(f"{what}, {source.title(shown)}")
    notes = [
        *source.notes(shown),
        "All kinds of joints pooled. The trunk, from hips to shoulders, is upright within 45° of vertical, "
        "upside down from 135° on. Seen from the back: observer-centric labels exchange the arms' sides.",
        "Sides exchanged: of the poses the share whose mean error falls once the prediction's left and right "
        "are exchanged.",
        *shown.notes,
    ]
    write_table(table, source.item.reports / entry.folder, entry.file, title, notes)


def _write_refinement_table(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item = source.item
    table = refinement_table(source.evaluation.joints, item.skeleton, shown.name, source.labels[shown.name])
    notes = [
        *source.notes(shown),
        "Errors in diameters of the true pose, all kinds of joints pooled.",
        *shown.notes,
    ]
    title = entry.titled(f"What refinements do by the error before them, {source.title(shown)}")
    write_table(table, item.reports / entry.folder, entry.file, title, notes)


def _write_all_curves(source: Source, shown: SetCatalogue) -> None:
    """The curves of all predictors and joints, and those of the last stage in the layout of `dvc plots`."""
    item, name = source.item, shown.name
    curves = source.curves(name)
    write_curves(curves, item.reports / "figures" / f"pdj-{name}.csv")
    of_last_stage = curves[curves["predictor"] == item.stage_names[-1]]
    by_joint = of_last_stage.pivot(index="t", columns="joint", values="rate").reset_index()
    write_curves(by_joint, item.reports / "figures" / f"pdj-{name}-last-stage.csv")


def _plot_limbs(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item, last = source.item, source.item.stage_names[-1]
    curves = select(source.curves(shown.name), [last, MEAN_POSE], entry.joints, entry.end)
    title = entry.titled(f"PDJ on {source.title(shown)}")
    caption = f"{source.caption(shown)} {source.without_other_methods(shown)}".rstrip()
    figure = limbs_figure(curves, last, source.network, title, caption)
    save_plot(figure, item.reports / entry.folder, entry.file)
    write_curves(curves, item.reports / f"{entry.path}.csv")


def _plot_stages(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item = source.item
    curves = source.curves(shown.name)
    labelled = set(curves["joint"])
    joints = entry.joints or tuple(kind for kind in item.skeleton.joint_kinds if kind in labelled)
    curves = select(curves, [*item.stage_names, MEAN_POSE], joints, entry.end)
    title = entry.titled(f"PDJ on {source.title(shown)} after each stage")
    figure = joints_figure(curves, joints, source.network, title, source.caption(shown))
    save_plot(figure, item.reports / entry.folder, entry.file)
    write_curves(curves, item.reports / f"{entry.path}.csv")


def _plot_methods(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    item = source.item
    count = min(STAGES_BESIDE_PEERS, item.params.cascade_stages)
    others, parts = source.other_methods(shown), source.parts(shown)
    pieces = {}
    for name, words in parts.items():
        baseline = [MEAN_POSE] if name == shown.name else []
        chosen = [stage_name(count), *others, *baseline]
        pieces[words] = select(source.curves(name), chosen, entry.joints, entry.end)
    curves = stacked_by_images(pieces) if len(pieces) > 1 else pieces[parts[shown.name]]
    after = f"{stage_name(count)} of {item.params.cascade_stages}"
    alone = "" if others else source.without_other_methods(shown)
    stages = "two cascade stages" if count > 1 else "one cascade stage"
    title = entry.titled(f"PDJ on {source.title(shown)} after {stages}")
    ours = f"DeepPose: this run's {source.network}, after {after}."
    caption = f"{source.caption(shown)} {ours} {alone}".rstrip()
    figure = joints_figure(curves, entry.joints, source.network, title, caption)
    save_plot(figure, item.reports / entry.folder, entry.file)
    write_curves(curves, item.reports / f"{entry.path}.csv")


def _plot_risk(source: Source, shown: SetCatalogue, entry: Entry) -> None:
    curves = risk_curves(source.evaluation.joints, shown.name)
    title = entry.titled(f"risk against coverage on {source.title(shown)}")
    caption = " ".join([source.about, source.measured_on(shown), RISK_NOTE])
    figure = risk_figure(curves, source.network, title, caption)
    save_plot(figure, source.item.reports / entry.folder, entry.file)
    write_curves(curves, source.item.reports / f"{entry.path}.csv")


def _plot_training(source: Source) -> None:
    """Training curves, and the normal distributions over what they were fitted to."""
    item, stages = source.item, range(1, source.item.params.cascade_stages + 1)
    logs = {stage_name(stage): read_csv(item.training_log(stage)) for stage in stages}
    course = training_figure(logs, "Loss and held-out PDJ in training", source.about)
    save_plot(course, item.reports / TRAINING.folder, TRAINING.file)
    unit = {"pixels": "pixels", "diameter": "pose diameters"}[item.profile.displacement_units]
    for stage in stages[1:]:
        figure = normals_figure(
            read_parquet(item.displacements(stage)),
            read_parquet(item.normals(stage)),
            unit,
            item.skeleton,
            f"Errors of {stage_name(stage - 1)} in training, and the normal distributions that simulate them "
            f"in {stage_name(stage)}",
            narrowest=item.profile.narrowest_normal,
        )
        entry = normals_of(stage)
        save_picture(figure, item.reports / entry.folder, entry.file)


def _plot_scaler(item: Item) -> None:
    """How far the faces that initial boxes are made of had to be enlarged."""
    report, curve = read_json(item.initial_boxes_report), read_csv(item.containment)
    title = "The scaler of the initial boxes"
    figure = containment_figure(curve, report["scale"], report["share_contained"], title)
    save_plot(figure, item.reports / SCALER.folder, SCALER.file)


MAKERS: dict[str, Callable[[Source, SetCatalogue, Entry], None]] = {
    "pcp table": _write_pcp_table,
    "pdj table": _write_pdj_table,
    "viewpoint table": _write_viewpoint_table,
    REFINEMENTS: _write_refinement_table,
    "limb curves": _plot_limbs,
    "method curves": _plot_methods,
    "stage curves": _plot_stages,
    RISK: _plot_risk,
}
