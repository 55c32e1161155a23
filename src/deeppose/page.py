"""The report of a profile as one page: on the left what the paper shows, on the right what the run made.

The page holds no time and no date, so that the same run gives the same bytes; how long the stages took
stands in a script beside it.
"""

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from deeppose.claims import VERDICTS
from deeppose.exhibits import exhibits_of
from deeppose.paper import LIMB_KINDS, NOTE_SEPARATOR, paper_results
from deeppose.params import Params

MEASURES = {"strict": "Strict PCP", "loose": "Looser PCP"}
TIMES = "times.js"

_PHOTOS = "photos"
_NOT_KEPT = (
    "pictures with photographs of the published sets are made where the archives are, and are no part of "
    "what is handed on"
)
_SUFFIXES = ("svg", "csv", "md", "tex")
_PNG_SIZE = slice(16, 24)


@dataclass(frozen=True)
class PaperExhibit:
    """A table or figure of the paper, in our words, and the files that are our counterpart.

    Attributes
    ----------
    shows
        What the paper's shows; its curves are not given as numbers, and its pictures are not ours to copy.
    table, pictures
        Names without a suffix, in the model's report folder.
    numbers
        The table of PDJ that goes with it.
    differences
        What differs whatever the run.
    beside_others
        Whether curves of other methods belong into it.
    """

    heading: str
    title: str
    model: str
    set_name: str
    shows: str
    table: str = ""
    table_of_paper: int = 0
    pictures: tuple[str, ...] = ()
    numbers: str = ""
    differences: tuple[str, ...] = ()
    beside_others: bool = False

    @property
    def anchor(self) -> str:
        """What a link to it ends with."""
        return self.heading.lower().replace(" ", "-")


PAPER_EXHIBITS = (
    PaperExhibit(
        "Table 1",
        "correct limbs on LSP",
        "lsp",
        "lsp",
        "Percentage of correct parts at 0.5 of the model trained on LSP and LSP extended, after each stage, "
        "beside five other methods.",
        table="tables/table1-pcp-lsp",
        table_of_paper=1,
    ),
    PaperExhibit(
        "Table 2",
        "correct limbs on Image Parse",
        "lsp",
        "parse",
        "Percentage of correct parts at 0.5 of the same model on a set that it was not trained on.",
        table="tables/table2-pcp-parse",
        table_of_paper=2,
        numbers="tables/pdj-parse",
    ),
    PaperExhibit(
        "Figure 3",
        "detected elbows and wrists on FLIC",
        "flic",
        "flic",
        "Detection rate of elbows and wrists against the distance to the true joint, up to 0.2 of the pose's "
        "diameter: DeepPose after two cascade stages, and four other methods. The text puts DeepPose at 0.2 "
        "ahead of the next best method by 0.15 for elbows and by 0.2 for wrists.",
        pictures=("figures/figure3-pdj-flic",),
        numbers="tables/pdj-flic",
        differences=(
            "The mean pose of the training images stands in the picture, to show what takes no network.",
        ),
        beside_others=True,
    ),
    PaperExhibit(
        "Figure 4",
        "detected joints on LSP",
        "lsp",
        "lsp",
        "Detection rate of ankles, knees, elbows and wrists up to 0.5 of the pose's diameter: DeepPose "
        "solid, Dantone et al. dashed, one colour a joint. The text puts DeepPose ahead by 0.1 at 0.5, with "
        "comparable legs and slightly worse arms at 0.2.",
        pictures=("figures/figure4-pdj-lsp",),
        numbers="tables/pdj-lsp",
        differences=(
            "The curves of Dantone et al. are published as a picture, not as numbers: the dotted lines here "
            "are the mean pose of the training images.",
        ),
    ),
    PaperExhibit(
        "Figure 5",
        "what each stage adds on FLIC",
        "flic",
        "flic",
        "Detection rate of elbows and wrists after stages 1, 2 and 3, over a larger range of distances. The "
        "text sees the largest gains from 0.15 to 0.2, and most of them from the first refinement.",
        pictures=("figures/figure5-pdj-flic-by-stage",),
        differences=("Where the range ends is not in the text: here at 0.5.",),
    ),
    PaperExhibit(
        "Figure 6",
        "poses after each stage on LSP",
        "lsp",
        "lsp",
        "Three images, a row each, with the predicted pose (red) and the true one (green) after stages 1, 2 "
        "and 3: refinement moves a pose of about the right shape onto the body.",
        pictures=("photos/figure6-poses-lsp-by-stage",),
        differences=("The images are chosen by a rule, which stands below them, not by eye.",),
    ),
    PaperExhibit(
        "Figure 7",
        "detected elbows and wrists on Buffy",
        "flic",
        "buffy",
        "Detection rate of elbows and wrists on a set that the FLIC model was not trained on: DeepPose after "
        "two cascade stages, and four other methods.",
        pictures=("figures/figure7-pdj-buffy",),
        numbers="tables/pdj-buffy",
        differences=("Buffy has no hips: the diameter of a pose is the length of its torso's stick.",),
        beside_others=True,
    ),
    PaperExhibit(
        "Figure 8",
        "stick figures on LSP",
        "lsp",
        "lsp",
        "Predicted poses on many images of LSP as stick figures, one colour a limb, the same in all images; "
        "among them upside-down people, foreshortening, hidden limbs, and left and right confused from the "
        "back.",
        pictures=("photos/figure8-poses-lsp",),
        differences=("The images are chosen by a rule, from the best to the worst.",),
    ),
    PaperExhibit(
        "Figure 9",
        "stick figures on FLIC",
        "flic",
        "flic",
        "Predicted poses on images of FLIC, drawn as in Figure 8; lower arms are where mistakes are seen.",
        pictures=("photos/figure9-poses-flic",),
        differences=("The images are chosen by a rule, from the best to the worst.",),
    ),
)

# What the paper doesn't have: picture, title, model, set.
BEYOND = (
    ("figures/figure5-kind-pdj-lsp-by-stage", "What each stage adds on LSP", "lsp", "lsp"),
    ("photos/figure6-kind-poses-flic-by-stage", "Poses after each stage on FLIC", "flic", "flic"),
    ("photos/initial-boxes", "Faces, and the initial boxes made of them", "flic", "flic"),
    ("figures/initial-box-scaler", "How far a face must be enlarged to contain the joints", "flic", "flic"),
)
OF_EACH_MODEL = (
    ("figures/training", "Training"),
    ("figures/displacement-normals-stage2", "Errors of stage 1, and the Normals fitted to them"),
    ("figures/displacement-normals-stage3", "Errors of stage 2, and the Normals fitted to them"),
)


@dataclass(frozen=True)
class Run:
    """All that the page is made from.

    Attributes
    ----------
    folder
        `reports/<profile>`, in which the page will lie and the models' report folders do.
    manifests
        By model its archives.json: `archives`, `left_out`, `peers`.
    skipped
        The models that were left out altogether, with the reason.
    metrics
        By model, set and predictor, as in metrics.json.
    claims
        From :func:`deeppose.claims.judge`.
    others
        By set the other methods that were measured on it.
    """

    profile: str
    params: Params
    folder: Path
    manifests: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    claims: pd.DataFrame
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def drawn(self) -> bool:
        """Whether drawn people stand in for the published sets."""
        return self.params.profiles[self.profile].archives == "embedded"

    @property
    def left_out(self) -> dict[str, str]:
        """The sets that are missing, each with what would bring it."""
        return dict(chain.from_iterable(manifest["left_out"].items() for manifest in self.manifests.values()))


def render_page(run: Run, versions: Mapping[str, str]) -> str:
    """The page as HTML, to be written into `run.folder`; it needs nothing but the files beside it.

    Parameters
    ----------
    versions
        By library its version.
    """
    environment = Environment(
        loader=PackageLoader("deeppose"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = _code
    return environment.get_template("report.html.jinja").render(
        run=run,
        profile=run.params.profiles[run.profile],
        glance=_glance(run),
        exhibits=[_exhibit(run, exhibit) for exhibit in PAPER_EXHIBITS],
        beyond=list(_beyond(run)),
        claims=run.claims.to_dict("records"),
        verdicts={verdict: int((run.claims["verdict"] == verdict).sum()) for verdict in VERDICTS},
        deviations=deviations().to_dict("records"),
        left_out={exhibits_of(name).title: reason for name, reason in run.left_out.items()},
        params_text=params_text(run.params, run.profile),
        versions=versions,
        data_files=list(_data_files(run)),
        times=TIMES,
    )


def deviations() -> pd.DataFrame:
    """Where the paper is silent or at odds with itself: `question`, `choice`, `reason`."""
    with resources.files("deeppose").joinpath("deviations.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", dtype=str, keep_default_na=False)


def library_versions() -> dict[str, str]:
    """The versions of what the project depends on directly, by name."""
    wanted = [line for line in metadata.requires("deeppose") or [] if "extra ==" not in line]
    names = sorted(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted)
    # Without the build's tag, as in 2.14.1+cpu, so that the page is the same for either build.
    return {name: metadata.version(name).partition("+")[0] for name in names}


def params_text(params: Params, profile: str) -> str:
    """All params that decide this profile's results, as YAML: neither `workers` nor `mirror` does."""
    values = {
        "profile": profile,
        "models": list(params.models),
        "sigma": params.sigma,
        "cascade_stages": params.cascade_stages,
        "seed": params.seed,
        "threads": params.threads,
        "model": {
            name: params.model[name].model_dump(mode="json", exclude_unset=True) for name in params.models
        },
        "profiles": {profile: params.profiles[profile].model_dump(mode="json", exclude_unset=True)},
    }
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return text


def times_script(times: Mapping[str, float]) -> str:
    """The script that gives the page the seconds that each stage took, by its name ("plot@demo-lsp")."""
    return f"window.stageTimes = {json.dumps(dict(times), indent=2, sort_keys=True)};\n"


def _code(text: str) -> Markup:
    """`text` with what stands between backticks as code."""
    parts = str(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def _exhibit(run: Run, exhibit: PaperExhibit) -> dict[str, Any]:
    reason = _reason(run, exhibit.model, exhibit.set_name)
    shown = exhibits_of(exhibit.set_name)
    differences = list(exhibit.differences)
    if run.drawn:
        differences.insert(0, f"{shown.stand_in.capitalize()} stand in for {shown.title}.")
    if exhibit.beside_others:
        others = ", ".join(run.others.get(exhibit.set_name, ()))
        differences.append(
            f"Of other methods, those whose predictions are at hand: {others}."
            if others
            else "No other method's predictions are at hand: ours stand alone."
        )
    return {
        "exhibit": exhibit,
        "paper_groups": _paper_groups(exhibit.table_of_paper),
        "notes": _paper_notes(exhibit.table_of_paper),
        "table": _pcp_groups(run, exhibit) if exhibit.table and not reason else None,
        "pictures": [
            _picture(run, exhibit.model, exhibit.set_name, name, _alt(exhibit.heading, exhibit.title))
            for name in exhibit.pictures
        ],
        "numbers": _numbers(run, exhibit.model, exhibit.numbers) if exhibit.numbers and not reason else None,
        "differences": [] if reason else differences,
        "absent": reason or f"this run has not made {exhibit.model}/{exhibit.table}.csv",
    }


def _alt(heading: str, title: str) -> str:
    return f"This run's counterpart of {heading}: {title}"


def _reason(run: Run, model: str, set_name: str) -> str:
    """Why there is nothing of a set; "" if there should be something."""
    if model not in run.params.models:
        return f"the model {model} is not among `models` in params.yaml"
    if model in run.skipped:
        return f"the model {model} was left out of this run: {run.skipped[model]}"
    return run.left_out.get(set_name, "")


def _picture(run: Run, model: str, set_name: str, name: str, alt: str) -> dict[str, Any]:
    """A picture with its size and the other files of its name; or, where it isn't there, why not."""
    path = run.folder / model / f"{name}.png"
    not_kept = _NOT_KEPT if name.startswith(_PHOTOS) and not run.drawn else ""
    reason = _reason(run, model, set_name)
    if reason or not path.is_file():
        absent = reason or not_kept or "this run has not made it"
        return {"file": path.name, "there": False, "absent": absent}
    width, height = struct.unpack(">II", path.read_bytes()[_PNG_SIZE])
    return {
        "file": path.name,
        "there": True,
        "link": _link(model, f"{name}.png"),
        "width": width,
        "height": height,
        "alt": alt,
        "absent": not_kept,
        "others": _files(run, model, name),
    }


def _files(run: Run, model: str, name: str) -> dict[str, str]:
    """Links to the files of a name, by their kind."""
    return {
        suffix.upper(): _link(model, f"{name}.{suffix}")
        for suffix in _SUFFIXES
        if (run.folder / model / f"{name}.{suffix}").is_file()
    }


def _link(model: str, file: str) -> str:
    return quote(f"{model}/{file}")


def _paper_groups(table: int) -> dict[str, list[dict[str, Any]]]:
    """The paper's rows of a table by the kind of PCP, each with its cells as published."""
    published = paper_results()
    published = published[published["table"] == table]
    groups: dict[str, list[dict[str, Any]]] = {}
    notes = _paper_notes(table)
    for row in published.to_dict("records"):
        marks = [notes.index(note) + 1 for note in row["note"].split(NOTE_SEPARATOR) if note]
        cells = [f"{row[column]:.3f}".removesuffix("0") for column in (*LIMB_KINDS, "ave")]
        labels = "" if row["labels"] == "not stated" else row["labels"]
        shown = {"method": row["method"], "labels": labels, "marks": marks, "cells": cells}
        groups.setdefault(MEASURES[row["pcp"]], []).append(shown)
    return groups


def _paper_notes(table: int) -> list[str]:
    published = paper_results()
    notes = published.loc[published["table"] == table, "note"]
    return list(dict.fromkeys(part for note in notes if note for part in note.split(NOTE_SEPARATOR)))


def _pcp_groups(run: Run, exhibit: PaperExhibit) -> dict[str, Any] | None:
    """Our rows of a table of PCP by its kind, each cell with the difference to the paper's, if it has one."""
    path = run.folder / exhibit.model / f"{exhibit.table}.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(
        path, keep_default_na=False, na_values={column: [""] for column in (*LIMB_KINDS, "ave")}
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    ours = table[table["source"] == "this run"]
    gaps = table[table["source"] == "difference"]
    for row in ours.to_dict("records"):
        beside = gaps[(gaps["pcp"] == row["pcp"]) & gaps["method"].str.startswith(f"{row['method']} − ")]
        gap = beside.to_dict("records")[0] if len(beside) else {}
        cells = [
            {"value": _share(row[column]), "gap": _signed(gap[column]) if gap else ""}
            for column in (*LIMB_KINDS, "ave")
        ]
        groups.setdefault(MEASURES[row["pcp"]], []).append({"method": row["method"], "cells": cells})
    return {
        "groups": groups,
        "labels": ", ".join(dict.fromkeys(ours["labels"])),
        "files": _files(run, exhibit.model, exhibit.table),
    }


def _numbers(run: Run, model: str, name: str) -> dict[str, Any] | None:
    """A table of PDJ as texts."""
    path = run.folder / model / f"{name}.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path).drop(columns=["labels"])
    words = [column for column in ("method", "images") if column in table.columns]
    numbers = [column for column in table.columns if column not in [*words, "t"]]
    rows = [
        {
            "words": [str(row[column]) for column in words],
            "cells": [f"{row['t']:g}", *(_share(row[column]) for column in numbers)],
        }
        for row in table.to_dict("records")
    ]
    heads = [column.replace("_", " ") for column in (*words, "t", *numbers)]
    return {"heads": heads, "words": len(words), "rows": rows, "files": _files(run, model, name)}


def _share(value: float | None) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:+.3f}".replace("-", "−")


def _glance(run: Run) -> dict[str, Any]:
    """Mean PDJ at 0.2 by set and predictor, of the mean pose and the stages."""
    columns = ["mean_pose"] + [f"stage_{stage}" for stage in range(1, run.params.cascade_stages + 1)]
    rows = []
    for model, sets in run.metrics.items():
        for name, by_predictor in sets.items():
            shares = [by_predictor[column]["pdj@0.2"]["mean"] for column in columns]
            held_out = f"held-out images of {model}"
            shown = held_out if name == "held-out" else exhibits_of(name).title
            rows.append({"set": shown, "cells": [_share(share) for share in shares]})
    return {"heads": [column.replace("_", " ") for column in columns], "rows": rows}


def _beyond(run: Run) -> Iterator[dict[str, Any]]:
    for name, title, model, set_name in BEYOND:
        if model in run.metrics:
            yield _beyond_picture(run, model, set_name, name, title)
    for model in run.metrics:
        for name, title in OF_EACH_MODEL:
            stage = int(name[-1]) if name[-1].isdigit() else 1
            if stage <= run.params.cascade_stages:
                yield _beyond_picture(run, model, model, name, f"{title} ({model})")


def _beyond_picture(run: Run, model: str, set_name: str, name: str, title: str) -> dict[str, Any]:
    return {"title": title, "picture": _picture(run, model, set_name, name, title)}


def _data_files(run: Run) -> Iterator[dict[str, str]]:
    for model, manifest in run.manifests.items():
        for file, found in manifest["archives"].items():
            yield {"model": model, "file": file, "what": found["packing"], "sha256": found["sha256"]}
        for file, found in manifest["peers"].items():
            what = f"predictions of {found['method']} on {exhibits_of(found['set']).title}"
            yield {"model": model, "file": file, "what": what, "sha256": found["sha256"]}
