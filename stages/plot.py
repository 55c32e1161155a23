"""Draw the tables and figures of a model from what was evaluated."""

import json

import pandas as pd

from common import Item, run
from deeppose.curves import limbs_figure, pdj_curves, stages_figure, training_figure, write_curves
from deeppose.images import Images
from deeppose.normals_figure import normals_figure
from deeppose.pose_figures import choose_examples, stages_sheet, stick_sheet
from deeppose.predictions import read_predictions
from deeppose.style import save_photos, save_plot
from deeppose.tables import pcp_table, pdj_table, write_table

LIMB_JOINTS = ("elbow", "wrist", "knee", "ankle")
ROWS_OF_FIGURE_6 = 3
IMAGES_OF_FIGURE_8 = 24


def main(item: Item, _: int) -> None:
    joints = pd.read_parquet(item.evaluation / "joint-errors.parquet")
    limbs = pd.read_parquet(item.evaluation / "limb-errors.parquet")
    draw_tables_and_curves(item, joints, limbs)
    draw_training(item)
    draw_photos(item, joints)


def draw_tables_and_curves(item: Item, joints: pd.DataFrame, limbs: pd.DataFrame) -> None:
    """Table 1, a table of PDJ, Figure 4, and Figure 5's kind of plot."""
    labels = labels_of(item, "lsp")
    tables, figures = item.reports / "tables", item.reports / "figures"
    notes, shown = [about(item)], shown_set(item)
    table = pcp_table(limbs, item.skeleton, "lsp", labels)
    write_table(table, tables, "table1-pcp-lsp", f"Table 1: PCP at 0.5 on {shown}", notes)
    table = pdj_table(joints, item.skeleton, "lsp", labels)
    write_table(table, tables, "pdj-lsp", f"PDJ on {shown}", notes)
    curves = pdj_curves(joints, item.skeleton, "lsp")
    write_curves(curves, figures / "pdj-lsp.csv")
    of_last_stage = curves[curves["predictor"] == last_stage(item)]
    by_joint = of_last_stage.pivot(index="t", columns="joint", values="rate").reset_index()
    write_curves(by_joint, figures / "pdj-lsp-last-stage.csv")
    caption = f"{about(item)} Labels: {labels}."
    title = f"PDJ on {shown}"
    save_plot(
        limbs_figure(curves, last_stage(item), f"Figure 4: {title}", caption), figures, "figure4-pdj-lsp"
    )
    stages = stages_figure(curves, LIMB_JOINTS, f"Figure 5's kind: {title} after each stage", caption)
    save_plot(stages, figures, "figure5-kind-pdj-lsp-by-stage")


def draw_training(item: Item) -> None:
    """Training curves, and the Normals over what they were fitted to."""
    figures = item.reports / "figures"
    stages = range(1, item.params.cascade_stages + 1)
    logs = {f"stage {stage}": pd.read_csv(item.training_log(stage)) for stage in stages}
    save_plot(training_figure(logs, "Training", about(item)), figures, "training")
    unit = {"pixels": "pixels", "diameter": "pose diameters"}[item.profile.displacement_units]
    for stage in stages[1:]:
        figure = normals_figure(
            pd.read_parquet(item.displacements(stage)),
            pd.read_parquet(item.normals(stage)),
            unit,
            item.skeleton,
            f"Errors of stage {stage - 1} in training, and the Normals that simulate them in stage {stage}",
        )
        save_plot(figure, figures, f"displacement-normals-stage{stage}")


def draw_photos(item: Item, joints: pd.DataFrame) -> None:
    """Figures 6 and 8: poses on the images of the test set."""
    examples = item.read_examples()
    images = Images(item.images, examples.table)
    rows = examples.rows("test", "lsp")
    predicted = {
        f"stage {stage}": read_predictions(
            item.test_predictions / f"lsp-stage{stage}.parquet", len(rows), item.skeleton
        )
        for stage in range(1, item.params.cascade_stages + 1)
    }
    photos, last = item.reports / "photos", last_stage(item)
    choice = choose_examples(joints, "lsp", last, ROWS_OF_FIGURE_6)
    chosen = list(choice.examples)
    figure = stages_sheet(
        [images[row] for row in rows[chosen]],
        examples.poses[rows[chosen]],
        {stage: poses[chosen] for stage, poses in predicted.items()},
        item.skeleton,
        choice,
        f"Figure 6: poses on {shown_set(item)} after each stage",
    )
    save_photos(figure, photos, "figure6-poses-lsp-by-stage")
    choice = choose_examples(joints, "lsp", last, IMAGES_OF_FIGURE_8)
    chosen = list(choice.examples)
    figure = stick_sheet(
        [images[row] for row in rows[chosen]],
        predicted[last][chosen],
        item.skeleton,
        choice,
        f"Figure 8: poses on {shown_set(item)} after {last}",
    )
    save_photos(figure, photos, "figure8-poses-lsp")


def last_stage(item: Item) -> str:
    """The name of the cascade's last stage in tables of errors."""
    return f"stage {item.params.cascade_stages}"


def labels_of(item: Item, set_name: str) -> str:
    """Which labels a set was read with, in words."""
    report = json.loads((item.reports / "annotations.json").read_text())
    labels: str = report["sets"][set_name]["labels"]
    return labels


def shown_set(item: Item) -> str:
    """What stands for LSP in this profile, for titles."""
    return "drawn people" if item.profile.archives == "embedded" else "LSP"


def about(item: Item) -> str:
    """Where figures come from, for captions and notes."""
    network = item.profile.network
    size = f"input {network.input} px, {network.width:g} of the paper's width"
    if item.profile.archives == "embedded":
        return f"Profile {item.profile_name} ({size}): drawn people, not comparable with the paper."
    return f"Profile {item.profile_name} ({size})."


if __name__ == "__main__":
    run(main)
