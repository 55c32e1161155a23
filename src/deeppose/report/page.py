"""The report of a profile as one page: on the left what the paper shows, on the right what the run made.

The page holds no time and no date, so that the same run gives the same bytes; how long the stages took
stands in a script beside it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata, resources
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from deeppose.core.params import Params
from deeppose.report.catalogue import (
    INITIAL_BOXES,
    OF_THE_PAPER,
    SCALER,
    TRAINING,
    Exhibit,
    Kind,
    SetExhibits,
    counterpart_of,
    exhibits_of,
    normals_of,
    picture_size,
)
from deeppose.report.claims.judge import REDRAWN, VERDICTS
from deeppose.report.page_tables import glance, pcp_groups, pdj_rows, published_groups, published_notes
from deeppose.report.paper_catalogue import PAPER_EXHIBITS, PaperExhibit

TIMES = "times.js"

# What the paper has of one set and the page of others too, those of one's own among them.
_BEYOND: dict[Kind, str] = {
    "curves of stages": "What each stage adds on {}",
    "poses after each stage": "Poses after each stage on {}",
    "stick figures": "Poses on {}",
    "worst poses": "The worst tenth on {}",
}
_NOT_KEPT = (
    "pictures with photographs of the published sets are made where the archives are, and are no part of "
    "what is handed on"
)
_SUFFIXES = ("svg", "pdf", "csv", "md", "tex")


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
        From :func:`deeppose.report.claims.judge.judge`.
    others
        By set the other methods that were measured on it.
    photographs
        By model and file the pictures that show photographs, which need not be here: of a PNG its `width`
        and `height` in pixels.
    """

    profile: str
    params: Params
    folder: Path
    manifests: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    claims: pd.DataFrame
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    photographs: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

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
        loader=PackageLoader("deeppose.report"),
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
        glance=glance(run.metrics, run.params.cascade_stages),
        exhibits=[_exhibit(run, exhibit) for exhibit in PAPER_EXHIBITS],
        beyond=list(_beyond(run)),
        claims=run.claims.to_dict("records"),
        redrawn=REDRAWN,
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
    with resources.files("deeppose.report").joinpath("deviations.csv").open(encoding="utf-8") as file:
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


def _exhibit(run: Run, of_paper: PaperExhibit) -> dict[str, Any]:
    of_set, exhibit = counterpart_of(of_paper.heading)
    reason = _reason(run, of_set)
    is_table = exhibit.kind == "table of pcp"
    return {
        "paper": of_paper,
        "published": published_groups(of_set.name) if is_table else {},
        "notes": published_notes(of_set.name) if is_table else [],
        "is_table": is_table,
        "table": _table(run, of_set, exhibit, pcp_groups) if is_table and not reason else None,
        "picture": None if is_table else _picture(run, of_set.model, exhibit, _alt(of_paper), reason),
        "numbers": (
            _table(run, of_set, of_set.table_of_pdj, pdj_rows) if of_paper.with_pdj and not reason else None
        ),
        "differences": [] if reason else list(_differences(run, of_paper, of_set, exhibit)),
        "absent": reason or f"this run has not made {of_set.model}/{_path(exhibit)}.csv",
    }


def _differences(run: Run, of_paper: PaperExhibit, of_set: SetExhibits, exhibit: Exhibit) -> Iterator[str]:
    if run.drawn:
        yield f"{of_set.stand_in.capitalize()} stand in for {of_set.title}."
    yield from of_paper.differences
    if exhibit.kind == "curves of methods":
        others = ", ".join(run.others.get(of_set.name, ()))
        yield (
            f"Of other methods, those whose predictions are at hand: {others}."
            if others
            else "No other method's predictions are at hand: ours stand alone."
        )


def _alt(of_paper: PaperExhibit) -> str:
    return f"This run's counterpart of {of_paper.heading}: {of_paper.title}"


def _reason(run: Run, of_set: SetExhibits) -> str:
    """Why there is nothing of a set; "" if there should be something."""
    model = of_set.model
    if model not in run.params.models:
        return f"the model {model} is not among `models` in params.yaml"
    if model in run.skipped:
        return f"the model {model} was left out of this run: {run.skipped[model]}"
    return run.left_out.get(of_set.name, "")


def _table(
    run: Run, of_set: SetExhibits, exhibit: Exhibit, read: Callable[[Path], dict[str, Any]]
) -> dict[str, Any] | None:
    """What `read` makes of a table, and links to it; None if the run hasn't made it."""
    path = run.folder / of_set.model / f"{_path(exhibit)}.csv"
    return {**read(path), "files": _files(run, of_set.model, exhibit)} if path.is_file() else None


def _picture(run: Run, model: str, exhibit: Exhibit, alt: str, reason: str = "") -> dict[str, Any]:
    """A picture with its size and the other files of its name; or, where it isn't there, why not."""
    name = f"{exhibit.file}.png"
    not_kept = _NOT_KEPT if exhibit.folder == "photos" and not run.drawn else ""
    size = _size(run, model, exhibit)
    if reason or size is None:
        return {"file": name, "there": False, "absent": reason or not_kept or "this run has not made it"}
    return {
        "file": name,
        "there": True,
        "link": _link(model, f"{_path(exhibit)}.png"),
        "width": size[0],
        "height": size[1],
        "alt": alt,
        "absent": not_kept,
        "others": _files(run, model, exhibit),
    }


def _size(run: Run, model: str, exhibit: Exhibit) -> tuple[int, int] | None:
    """Width and height of a picture, pixels; None if the run hasn't made it."""
    name = f"{exhibit.file}.png"
    if exhibit.folder == "photos":
        known = run.photographs.get(model, {}).get(name)
        return None if known is None else (known["width"], known["height"])
    path = run.folder / model / exhibit.folder / name
    return picture_size(path) if path.is_file() else None


def _files(run: Run, model: str, exhibit: Exhibit) -> dict[str, str]:
    """Links to the files of an exhibit, by their kind."""
    photographs = run.photographs.get(model, {})
    return {
        suffix.upper(): _link(model, f"{_path(exhibit)}.{suffix}")
        for suffix in _SUFFIXES
        if (run.folder / model / f"{_path(exhibit)}.{suffix}").is_file()
        or (exhibit.folder == "photos" and f"{exhibit.file}.{suffix}" in photographs)
    }


def _path(exhibit: Exhibit) -> str:
    return f"{exhibit.folder}/{exhibit.file}"


def _link(model: str, file: str) -> str:
    return quote(f"{model}/{file}")


def _beyond(run: Run) -> Iterator[dict[str, Any]]:
    """What the paper doesn't have: of sets, of initial boxes made of faces, of each model."""
    of_paper = {exhibit.heading for exhibit in PAPER_EXHIBITS}
    for of_set in (*OF_THE_PAPER.values(), *_of_ones_own(run)):
        for exhibit in of_set.exhibits:
            if exhibit.kind in _BEYOND and exhibit.heading not in of_paper and of_set.model in run.metrics:
                title = _BEYOND[exhibit.kind].format(of_set.title)
                yield _titled(run, of_set.model, exhibit, title, _reason(run, of_set))
    for model in run.metrics:
        if run.params.model[model].initial_box == "face":
            yield _titled(run, model, INITIAL_BOXES, "Faces, and the initial boxes made of them")
            yield _titled(run, model, SCALER, "How far a face must be enlarged to contain the joints")
    for model in run.metrics:
        yield _titled(run, model, TRAINING, f"Training ({model})")
        for stage in range(2, run.params.cascade_stages + 1):
            title = f"Errors of stage {stage - 1}, and the Normals fitted to them ({model})"
            yield _titled(run, model, normals_of(stage), title)


def _of_ones_own(run: Run) -> Iterator[SetExhibits]:
    """The sets that the paper doesn't have, once for each model that is tested on them."""
    for model in run.metrics:
        for name in run.params.model[model].test:
            if name not in OF_THE_PAPER:
                yield replace(exhibits_of(name), model=model, title=f"{name} ({model})")


def _titled(run: Run, model: str, exhibit: Exhibit, title: str, reason: str = "") -> dict[str, Any]:
    return {"title": title, "picture": _picture(run, model, exhibit, title, reason)}


def _data_files(run: Run) -> Iterator[dict[str, str]]:
    for model, manifest in run.manifests.items():
        for file, found in manifest["archives"].items():
            yield {"model": model, "file": file, "what": found["packing"], "sha256": found["sha256"]}
        for file, found in manifest["peers"].items():
            what = f"predictions of {found['method']} on {exhibits_of(found['set']).title}"
            yield {"model": model, "file": file, "what": what, "sha256": found["sha256"]}
