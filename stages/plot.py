"""Draw the tables and figures of a model from what was evaluated; those that show photographs come apart."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from captions import left_out_for, stages_of, title_of
from deeppose.core.files import read_json, sha256, write_json
from deeppose.core.paths import Item
from deeppose.report.catalogue import (
    SCALER,
    TRAINING,
    Exhibit,
    Kind,
    SetExhibits,
    exhibits_of,
    left_out_lines,
    normals_of,
)
from deeppose.report.figures.curves import (
    containment_figure,
    joints_figure,
    limbs_figure,
    pdj_curves,
    select,
    training_figure,
    write_curves,
)
from deeppose.report.figures.normals import normals_figure
from deeppose.report.style import save_plot
from deeppose.report.tables import (
    MEAN_POSE,
    by_images,
    circumstance_table,
    is_peer,
    of_set,
    pcp_table,
    pdj_table,
    predictors,
    write_table,
)
from run import run

# The paper's FLIC model is shown after two stages where it stands beside other methods (Fig. 3 and 7).
STAGES_BESIDE_PEERS = 2


@dataclass(frozen=True)
class Evaluated:
    """What is drawn from: errors of joints and limbs, by circumstance too, labels, training sets."""

    joints: pd.DataFrame
    limbs: pd.DataFrame
    by_circumstance: pd.DataFrame
    labels: dict[str, str]
    trained_on: tuple[str, ...]


def outputs(item: Item, _: int) -> list[Path]:
    return [item.drawn, item.reports / "tables", item.reports / "figures"]


def main(item: Item, _: int) -> None:
    annotations = read_json(item.reports / "annotations.json")["sets"]
    evaluated = Evaluated(
        joints=pd.read_parquet(item.evaluation / "joint-errors.parquet"),
        limbs=pd.read_parquet(item.evaluation / "limb-errors.parquet"),
        by_circumstance=pd.read_parquet(item.evaluation / "by-circumstance.parquet"),
        labels={name: found["labels"] for name, found in annotations.items()},
        trained_on=tuple(name for name, found in annotations.items() if "train" in found),
    )
    for folder in ("tables", "figures"):
        (item.reports / folder).mkdir(parents=True, exist_ok=True)
    sets = [name for name in dict.fromkeys(evaluated.joints["set"]) if name in annotations]
    for line in left_out_lines(item.left_out, sets):
        print(line)
    for name in sets:
        of_this_set = exhibits_of(name)
        write_all_curves(item, evaluated, name)
        for exhibit in of_this_set.exhibits:
            if exhibit.folder == "photos":
                continue
            if reason := left_out_for(evaluated.joints, of_this_set, exhibit):
                print(reason)
            else:
                DRAW[exhibit.kind](item, evaluated, of_this_set, exhibit)
    draw_training(item, evaluated)
    if item.model.initial_box == "face":
        draw_scaler(item)
    note_what_was_drawn(item)


def note_what_was_drawn(item: Item) -> None:
    """The checksum of every file that was drawn: what the profile's report waits for, and stands on."""
    drawn = sorted(path for folder in ("tables", "figures") for path in (item.reports / folder).iterdir())
    files = {str(path.relative_to(item.reports)): sha256(path) for path in drawn}
    write_json(item.drawn, {"files": files, "manifest": item.read_manifest()})


# Tables


def draw_pcp_table(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    table = pcp_table(evaluated.limbs, item.skeleton, shown.name, evaluated.labels[shown.name])
    title = exhibit.titled(f"PCP at 0.5 on {title_of(item, shown)}")
    notes = [about(item, evaluated), measured_on(evaluated, shown), *shown.notes]
    write_table(table, item.reports / exhibit.folder, exhibit.file, title, notes)


def draw_pdj_table(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    parts = parts_of(evaluated, shown)
    labels = evaluated.labels[shown.name]
    tables = {
        words: pdj_table(evaluated.joints, item.skeleton, name, labels) for name, words in parts.items()
    }
    table = by_images(tables) if len(tables) > 1 else tables[parts[shown.name]]
    notes = [about(item, evaluated), measured_on(evaluated, shown), *shown.notes]
    peers = [name for name in predictors(of_set(evaluated.joints, shown.name)) if is_peer(name)]
    if peers:
        notes.append(
            f"{', '.join(peers)}: predictions that others made, measured here as ours are; "
            f"a joint that they don't predict is left empty."
        )
    title = exhibit.titled(f"PDJ on {title_of(item, shown)}")
    write_table(table, item.reports / exhibit.folder, exhibit.file, title, notes)


def draw_circumstances(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    table = circumstance_table(evaluated.by_circumstance, shown.name, evaluated.labels[shown.name])
    title = exhibit.titled(f"PDJ, and sides exchanged, by how a person is seen, {title_of(item, shown)}")
    notes = [
        about(item, evaluated),
        measured_on(evaluated, shown),
        "All kinds of joints pooled. The trunk, from hips to shoulders, is upright within 45° of vertical, "
        "upside down from 135° on. Seen from the back: observer-centric labels exchange the arms' sides.",
        "Sides exchanged: of the poses the share whose mean error falls once the prediction's left and right "
        "are exchanged.",
        *shown.notes,
    ]
    write_table(table, item.reports / exhibit.folder, exhibit.file, title, notes)


# Curves


def write_all_curves(item: Item, evaluated: Evaluated, name: str) -> None:
    """The curves of all predictors and joints, and those of the last stage in the layout of `dvc plots`."""
    figures = item.reports / "figures"
    curves = pdj_curves(evaluated.joints, item.skeleton, name)
    write_curves(curves, figures / f"pdj-{name}.csv")
    of_last_stage = curves[curves["predictor"] == stages_of(item)[-1]]
    by_joint = of_last_stage.pivot(index="t", columns="joint", values="rate").reset_index()
    write_curves(by_joint, figures / f"pdj-{name}-last-stage.csv")


def draw_limbs(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    last = stages_of(item)[-1]
    curves = pdj_curves(evaluated.joints, item.skeleton, shown.name, exhibit.end)
    curves = select(curves, [last, MEAN_POSE], exhibit.joints)
    title = exhibit.titled(f"PDJ on {title_of(item, shown)}")
    caption = f"{caption_of(item, evaluated, shown)} {what_of_peers(item, shown)}".rstrip()
    figure = limbs_figure(curves, last, title, caption)
    save_plot(figure, item.reports / exhibit.folder, exhibit.file)
    write_curves(curves, item.reports / exhibit.folder / f"{exhibit.file}.csv")


def draw_stages(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    curves = pdj_curves(evaluated.joints, item.skeleton, shown.name, exhibit.end)
    labelled = set(curves["joint"])
    joints = exhibit.joints or tuple(kind for kind in item.skeleton.joint_kinds if kind in labelled)
    curves = select(curves, [*stages_of(item), MEAN_POSE], joints)
    title = exhibit.titled(f"PDJ on {title_of(item, shown)} after each stage")
    figure = joints_figure(curves, joints, title, caption_of(item, evaluated, shown))
    save_plot(figure, item.reports / exhibit.folder, exhibit.file)
    write_curves(curves, item.reports / exhibit.folder / f"{exhibit.file}.csv")


def draw_methods(item: Item, evaluated: Evaluated, shown: SetExhibits, exhibit: Exhibit) -> None:
    count = min(STAGES_BESIDE_PEERS, item.params.cascade_stages)
    stage = stages_of(item)[count - 1]
    peers = [name for name in predictors(of_set(evaluated.joints, shown.name)) if is_peer(name)]
    parts = parts_of(evaluated, shown)
    pieces = {}
    for name, words in parts.items():
        curves = pdj_curves(evaluated.joints, item.skeleton, name, exhibit.end)
        baseline = [MEAN_POSE] if name == shown.name else []
        pieces[words] = select(curves, [stage, *peers, *baseline], exhibit.joints)
    curves = by_images(pieces) if len(pieces) > 1 else pieces[parts[shown.name]]
    after = f"{stage} of {item.params.cascade_stages}"
    beside = "" if peers else what_of_peers(item, shown)
    title = exhibit.titled(
        f"PDJ on {title_of(item, shown)} after {'two cascade stages' if count > 1 else 'one cascade stage'}"
    )
    caption = f"{caption_of(item, evaluated, shown)} DeepPose is this run's, after {after}. {beside}".rstrip()
    save_plot(
        joints_figure(curves, exhibit.joints, title, caption), item.reports / exhibit.folder, exhibit.file
    )
    write_curves(curves, item.reports / exhibit.folder / f"{exhibit.file}.csv")


def draw_training(item: Item, evaluated: Evaluated) -> None:
    """Training curves, and the Normals over what they were fitted to."""
    stages = range(1, item.params.cascade_stages + 1)
    logs = {f"stage {stage}": pd.read_csv(item.training_log(stage)) for stage in stages}
    course = training_figure(logs, "Loss and held-out PDJ in training", about(item, evaluated))
    save_plot(course, item.reports / TRAINING.folder, TRAINING.file)
    unit = {"pixels": "pixels", "diameter": "pose diameters"}[item.profile.displacement_units]
    for stage in stages[1:]:
        figure = normals_figure(
            pd.read_parquet(item.displacements(stage)),
            pd.read_parquet(item.normals(stage)),
            unit,
            item.skeleton,
            f"Errors of stage {stage - 1} in training, and the Normals that simulate them in stage {stage}",
            narrowest=item.profile.narrowest_normal,
        )
        exhibit = normals_of(stage)
        save_plot(figure, item.reports / exhibit.folder, exhibit.file)


def draw_scaler(item: Item) -> None:
    """How far the faces that initial boxes are made of had to be enlarged."""
    report = read_json(item.initial_boxes_report)
    curve = containment_figure(
        pd.read_csv(item.containment),
        report["scale"],
        report["share_contained"],
        "The scaler of the initial boxes",
    )
    save_plot(curve, item.reports / SCALER.folder, SCALER.file)


DRAW: dict[Kind, Callable[[Item, Evaluated, SetExhibits, Exhibit], None]] = {
    "table of pcp": draw_pcp_table,
    "table of pdj": draw_pdj_table,
    "table of circumstances": draw_circumstances,
    "curves of limbs": draw_limbs,
    "curves of methods": draw_methods,
    "curves of stages": draw_stages,
}


# Words


def parts_of(evaluated: Evaluated, shown: SetExhibits) -> dict[str, str]:
    """A set, and those of its parts that there are errors of, in words for tables and legends."""
    counts = evaluated.joints.groupby("set")["example"].nunique()
    words = shown.parts or {shown.name: "all {} images"}
    return {name: what.format(counts[name]) for name, what in words.items() if name in counts}


def caption_of(item: Item, evaluated: Evaluated, shown: SetExhibits) -> str:
    """What holds for every curve of a set."""
    labels = f"Labels: {evaluated.labels[shown.name]}."
    return " ".join([about(item, evaluated), measured_on(evaluated, shown), labels, *shown.notes])


def measured_on(evaluated: Evaluated, shown: SetExhibits) -> str:
    """How many examples a set's numbers stand on."""
    count = of_set(evaluated.joints, shown.name)["example"].nunique()
    return f"Measured on {count} test examples."


def what_of_peers(item: Item, shown: SetExhibits) -> str:
    """Why no other method's curve stands beside ours."""
    if item.profile.archives == "embedded":
        return "Of drawn pictures other methods have no predictions."
    return shown.without_peers


def about(item: Item, evaluated: Evaluated) -> str:
    """Where figures come from, for captions and notes."""
    trained = " and ".join(evaluated.trained_on)
    profile = f"Profile {item.profile_name} ({item.profile.network.words})"
    drawn = item.profile.archives == "embedded"
    warning = ": drawn pictures, not comparable with the paper." if drawn else "."
    return f"{profile}, model {item.model_name}, trained on {trained}{warning}"


if __name__ == "__main__":
    run(main, outputs)
