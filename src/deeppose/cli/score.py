"""`deeppose score`: anybody's predictions on a set's test part."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deeppose.cli.options import JsonOption, MirrorOption, archive_folders, own_set
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, FULL_BODY, Skeleton

if TYPE_CHECKING:
    from deeppose.evaluation.score import Score


def _numbered(skeleton: Skeleton) -> str:
    return ", ".join(f"{index} {joint}" for index, joint in enumerate(skeleton.joints))


SCORE_HELP = f"""Score a file of predictions on a set's test part: PCP at 0.5, strict and loose, and PDJ.

PREDICTIONS holds the joints of each test example, in pixels, x = 0 the centre of the first column, as one of:

\b
  .csv      columns example, joint, x, y, one row a joint, in any order: example is the
            image (im1001.jpg) or a number, from 0 in the set's order; joint a name or a
            number, from 0. As any spreadsheet saves it: commas, semicolons or tabs,
            decimal points or commas, UTF-8, UTF-16 or Latin-1.
  .parquet  as .csv; takes `deeppose[pipeline]`
  .npz      array pred, (examples, joints, 2), in the set's order
  .mat      array pred, (2, joints, examples), as published ones are: in the set's order,
            and x = 1 is the centre of the first column
  .json     COCO's results: [{{"image_id": "im1001.jpg", "keypoints": [x1, y1, v1, …],
            "score": 0.9}}, …]; image_id as example above. 17 keypoints are COCO's, 16 are
            MPII's, as many as the set has joints are its own.

A coordinate that is NaN (in .csv also: empty; of COCO's three zeros) is a miss. So is, in .json alone, an
image without a result; elsewhere a missing row is an error. Of several results for one image the one with the
highest score counts. Keypoints go to the set's joints by name, MPII's upper neck to the neck.

A joint that no image has, or that is the same in all of them, is not predicted: its figures, and those of
limbs that need it, are null.

What looks wrong with the file as a whole is said below the figures, where another reading of it scores
clearly better: left and right or x and y exchanged, shifted by one example or one pixel, shares of the image
instead of pixels. COCO and MPII name sides as the person has them: compare with --labels pc.

Joints of lsp and parse: {_numbered(FULL_BODY)}.

Joints of flic: {_numbered(FLIC_LABELLED)}.

Joints of buffy: {_numbered(BUFFY_STICKS)}.
"""


def score(
    dataset: Annotated[str, typer.Argument(help="A set that `deeppose datasets` lists.")],
    predictions: Annotated[Path, typer.Argument(help="A .csv, .parquet, .npz, .mat or .json file.")],
    labels: Annotated[
        Literal["oc", "pc"],
        typer.Option(help="Observer-centric or person-centric; figures under the two don't compare."),
    ] = "oc",
    as_json: JsonOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Score a file of predictions on a set's test part."""
    from deeppose.data.registry import read_set
    from deeppose.evaluation.score import score as score_poses

    poseset = own_set(dataset) or read_set(dataset, archive_folders(mirror), labels)
    scored = score_poses(poseset, predictions, labels)
    if as_json:
        found = scored.rates | {"remarks": scored.remarks, "looks_wrong": scored.hints}
        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo(_score_text(scored, predictions))


def _score_text(scored: "Score", predictions: Path) -> str:
    figures = scored.rates
    pcp = {"PCP at 0.5, strict": figures["pcp"], "PCP at 0.5, loose": figures["pcp_loose"]}
    pdj = {f"PDJ at {threshold}": shares for threshold, shares in figures["pdj"].items()}
    lines = [
        f"{predictions} on the {figures['n']} test examples of {figures['dataset']}, in percent",
        f"labels: {figures['labels']} ({scored.labels})",
        "",
        *_table(pcp),
        "",
        *_table(pdj),
    ]
    if scored.not_predicted:
        lines += ["", f"not predicted: {', '.join(scored.not_predicted)}"]
    if scored.without_diameter:
        lines += ["", f"without a diameter, so in no PDJ: {scored.without_diameter} examples"]
    if scored.remarks:
        lines += ["", *scored.remarks]
    if scored.hints:
        lines += ["", *(f"looks wrong: {hint}" for hint in scored.hints)]
    return "\n".join(lines)


def _table(rows: Mapping[str, Mapping[str, float | None]]) -> Sequence[str]:
    kinds = list(next(iter(rows.values())))
    width = max(map(len, rows))
    cell_width = max(11, *(len(kind) + 2 for kind in kinds))
    lines = [" " * width + "".join(f"{kind.replace('_', ' '):>{cell_width}}" for kind in kinds)]
    for name, shares in rows.items():
        cells = ("–" if share is None else f"{100 * share:.2f}" for share in shares.values())
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>{cell_width}}" for cell in cells))
    return lines
