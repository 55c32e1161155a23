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

PREDICTIONS holds each joint of each test example, in the set's order, as one of:

\b
  .npz      array pred, (examples, joints, 2), x = 0 the centre of the first column
  .csv      columns example, joint, x, y: one row a joint; example and joint count from
            0, joint may also be a name; x = 0 the centre of the first column
  .parquet  as .csv
  .mat      array pred, (2, joints, examples), as published ones are: x = 1 the centre
            of the first column

A coordinate that is NaN (in .csv also: empty) is a miss, a missing row an error. A joint that is NaN, or one
constant, in all images is taken as not predicted: its figures, and those of limbs that need it, are null.

Joints of lsp and parse: {_numbered(FULL_BODY)}.

Joints of flic: {_numbered(FLIC_LABELLED)}.

Joints of buffy: {_numbered(BUFFY_STICKS)}.
"""


def score(
    dataset: Annotated[str, typer.Argument(help="A set that `deeppose datasets` lists.")],
    predictions: Annotated[Path, typer.Argument(help="A .npz, .csv, .parquet or .mat file.")],
    labels: Annotated[
        Literal["oc", "pc"],
        typer.Option(help="Observer-centric or person-centric; figures under the two don't compare."),
    ] = "oc",
    as_json: JsonOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Score a file of predictions on a set's test part."""
    from deeppose.evaluation.score import score_file, score_set

    own = own_set(dataset)
    if own is None:
        scored = score_file(dataset, predictions, labels, archive_folders(mirror))
    else:
        scored = score_set(own, predictions, labels)
    typer.echo(json.dumps(scored.rates, indent=2) if as_json else _score_text(scored, predictions))


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
