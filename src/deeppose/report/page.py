"""The report of a profile as one page: what the paper shows beside what the run made.

The page holds no time and no date, so that the same run gives the same bytes; how long the stages took
stands in a script beside it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from deeppose.core.params import Params
from deeppose.core.predictors import stage_name
from deeppose.report.catalogue import (
    INITIAL_BOXES,
    KINDS,
    PAPER_ENTRIES,
    PAPER_SETS,
    RISK,
    SCALER,
    TRAINING,
    WITHOUT_MAPS,
    Entry,
    PaperEntry,
    SetCatalogue,
    catalogue_of,
    counterpart_of,
    normals_of,
)
from deeppose.report.claims.judge import BOOTSTRAP_NOTE, VERDICTS
from deeppose.report.page_tables import glance, pcp_groups, pdj_rows, published_groups, published_notes
from deeppose.report.style import picture_size

TIMES = "times.js"

_NOT_KEPT = (
    "it shows photographs of the published sets, which are made where the archives are and not handed on"
)
_SUFFIXES = ("svg", "csv", "md", "tex")


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
    def synthetic(self) -> bool:
        """Whether synthetic people stand in for the published sets."""
        return self.params.profiles[self.profile].synthetic

    @property
    def left_out(self) -> dict[str, str]:
        """The sets that are missing, each with what would bring it."""
        return dict(chain.from_iterable(manifest["left_out"].items() for manifest in self.manifests.values()))


def render_page(run: Run, versions: Mapping[str, str]) -> str:
    """The page as HTML, to be written into `run.folder`; it needs nothing but the files beside it.

    `versions` has by library its version.
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
        network=_network_words(run),
        glance=glance(run.metrics, run.params.cascade_stages),
        entries=[_shown(run, entry) for entry in PAPER_ENTRIES],
        beyond=list(_beyond(run)),
        claims=run.claims.to_dict("records"),
        bootstrap_note=BOOTSTRAP_NOTE,
        verdicts={verdict: int((run.claims["verdict"] == verdict).sum()) for verdict in VERDICTS},
        deviations=deviations().to_dict("records"),
        left_out={catalogue_of(name).title: reason for name, reason in run.left_out.items()},
        params_text=params_text(run.params, run.profile),
        versions=versions,
        data_files=list(_data_files(run)),
        times=TIMES,
    )


def _network_words(run: Run) -> str:
    """What a reader must know of the network, once where it is the same for all models."""
    network, models = run.params.profiles[run.profile].network, run.params.models
    by_model = {model: network.words(model) for model in models}
    if len({*by_model.values()}) == 1:
        return by_model[models[0]]
    return "; ".join(f"{words} ({model})" for model, words in by_model.items())


def deviations() -> pd.DataFrame:
    """Where the paper is silent or at odds with itself: `question`, `choice`, `reason`."""
    path = Path(__file__).with_name("deviations.csv")
    return pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)


def library_versions() -> dict[str, str]:
    """The versions of what the pipeline depends on directly, by name."""
    lines = metadata.requires("deeppose") or []
    wanted = [line for line in lines if re.search("extra == .(pipeline|score)|^((?!extra ==).)*$", line)]
    names = sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted} - {"deeppose"})
    # Without the build's tag, as in 2.14.1+cpu, so that the page is the same for either build.
    return {name: metadata.version(name).partition("+")[0] for name in names}


def params_text(params: Params, profile: str) -> str:
    """All params that decide this profile's results, as YAML: neither `workers` nor `mirror` does."""
    as_set: dict[str, Any] = {"mode": "json", "exclude_unset": True}
    values = {
        "profile": profile,
        "models": list(params.models),
        "sigma": params.sigma,
        "cascade_stages": params.cascade_stages,
        "seed": params.seed,
        "threads": params.threads,
        "model": {name: params.model[name].model_dump(**as_set) for name in params.models},
        "profiles": {profile: params.profiles[profile].model_dump(**as_set)},
    }
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def times_script(times: Mapping[str, float]) -> str:
    """The script that gives the page the seconds that each stage took, by its name ("plot@demo-lsp")."""
    return f"window.stageTimes = {json.dumps(dict(times), indent=2, sort_keys=True)};\n"


def _code(text: str) -> Markup:
    """`text` with what stands between backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _shown(run: Run, of_paper: PaperEntry) -> dict[str, Any]:
    of_set, entry = counterpart_of(of_paper.heading)
    reason = _reason(run, of_set)
    is_table = entry.kind == "pcp table"
    has_numbers = of_paper.with_pdj and not reason
    alt = f"This run's counterpart of {of_paper.heading}: {of_paper.title}"
    return {
        "paper": of_paper,
        "published": published_groups(of_set.name) if is_table else {},
        "notes": published_notes(of_set.name) if is_table else [],
        "is_table": is_table,
        "table": _table(run, of_set, entry, pcp_groups) if is_table and not reason else None,
        "picture": None if is_table else _picture(run, of_set.model, entry, alt, reason),
        "numbers": _table(run, of_set, of_set.pdj_table, pdj_rows) if has_numbers else None,
        "differences": [] if reason else list(_differences(run, of_paper, of_set, entry)),
        "absent": reason or f"this run has not made {of_set.model}/{entry.path}.csv",
    }


def _differences(run: Run, of_paper: PaperEntry, of_set: SetCatalogue, entry: Entry) -> Iterator[str]:
    if run.synthetic:
        yield f"{of_set.stand_in.capitalize()} stand in for {of_set.title}."
    yield from of_paper.differences
    if entry.kind == "method curves":
        parts = of_set.parts or (of_set.name,)
        others = ", ".join(dict.fromkeys(name for part in parts for name in run.others.get(part, ())))
        at_hand = f"Of other methods, those whose predictions are at hand: {others}."
        yield at_hand if others else "No other method's predictions are at hand: ours stands alone."


def _reason(run: Run, of_set: SetCatalogue) -> str:
    """Why there is nothing of a set; "" if there should be something."""
    model = of_set.model
    if model not in run.params.models:
        return f"the model {model} is not among `models` in params.yaml"
    if model in run.skipped:
        return f"the model {model} was left out of this run: {run.skipped[model]}"
    return run.left_out.get(of_set.name, "")


def _table(
    run: Run, of_set: SetCatalogue, entry: Entry, read: Callable[[Path], dict[str, Any]]
) -> dict[str, Any] | None:
    """What `read` makes of a table, and links to it; None if the run hasn't made it."""
    path = run.folder / of_set.model / f"{entry.path}.csv"
    return {**read(path), "files": _files(run, of_set.model, entry)} if path.is_file() else None


def _picture(run: Run, model: str, entry: Entry, alt: str, reason: str = "") -> dict[str, Any]:
    """A picture with its size and the other files of its name; or, where it isn't there, why not."""
    name = f"{entry.file}.png"
    not_kept = _NOT_KEPT if entry.folder == "photos" and not run.synthetic else ""
    size = _size(run, model, entry)
    if reason or size is None:
        return {"file": name, "there": False, "absent": reason or not_kept or "this run has not made it"}
    return {
        "file": name,
        "there": True,
        "link": _link(model, f"{entry.path}.png"),
        "width": size[0],
        "height": size[1],
        "alt": alt,
        "absent": not_kept,
        "others": _files(run, model, entry),
    }


def _size(run: Run, model: str, entry: Entry) -> tuple[int, int] | None:
    """Width and height of a picture, pixels; None if the run hasn't made it."""
    name = f"{entry.file}.png"
    if entry.folder == "photos":
        known = run.photographs.get(model, {}).get(name)
        return None if known is None else (known["width"], known["height"])
    path = run.folder / model / entry.folder / name
    return picture_size(path) if path.is_file() else None


def _files(run: Run, model: str, entry: Entry) -> dict[str, str]:
    photographs = run.photographs.get(model, {})
    return {
        suffix.upper(): _link(model, f"{entry.path}.{suffix}")
        for suffix in _SUFFIXES
        if (run.folder / model / f"{entry.path}.{suffix}").is_file()
        or (entry.folder == "photos" and f"{entry.file}.{suffix}" in photographs)
    }


def _link(model: str, file: str) -> str:
    return quote(f"{model}/{file}")


def _beyond(run: Run) -> Iterator[dict[str, Any]]:
    """What the paper doesn't have: of sets, of initial boxes made of faces, of each model."""
    of_paper = {entry.heading for entry in PAPER_ENTRIES}
    for of_set in (*PAPER_SETS.values(), *_of_ones_own(run)):
        for entry in of_set.entries:
            beyond = KINDS[entry.kind].beyond
            if beyond and entry.heading not in of_paper and of_set.model in run.metrics:
                reason = _reason(run, of_set)
                if entry.kind == RISK and not run.params.profiles[run.profile].network.has_maps:
                    reason = reason or WITHOUT_MAPS
                yield _titled(run, of_set.model, entry, beyond.format(of_set.title), reason)
    for model in run.metrics:
        if run.params.model[model].initial_box == "face":
            yield _titled(run, model, INITIAL_BOXES, "Faces, and the initial boxes made of them")
            yield _titled(run, model, SCALER, "How far a face must be enlarged to contain the joints")
    for model in run.metrics:
        yield _titled(run, model, TRAINING, f"Training ({model})")
        for stage in range(2, run.params.cascade_stages + 1):
            title = f"Errors of {stage_name(stage - 1)}, and normal distributions for them ({model})"
            yield _titled(run, model, normals_of(stage), title)


def _of_ones_own(run: Run) -> Iterator[SetCatalogue]:
    """The sets that the paper doesn't have, once for each model that is tested on them."""
    for model in run.metrics:
        for name in run.params.model[model].test:
            if name not in PAPER_SETS:
                yield catalogue_of(name).model_copy(update={"model": model, "title": f"{name} ({model})"})


def _titled(run: Run, model: str, entry: Entry, title: str, reason: str = "") -> dict[str, Any]:
    return {"title": title, "picture": _picture(run, model, entry, title, reason)}


def _data_files(run: Run) -> Iterator[dict[str, str]]:
    for model, manifest in run.manifests.items():
        for file, found in manifest["archives"].items():
            yield {"model": model, "file": file, "what": found["packing"], "sha256": found["sha256"]}
        for name, found in manifest.get("datasets", {}).items():
            what = f"a set of one's own, {found['entry']['format']}: labels and images"
            yield {"model": model, "file": name, "what": what, "sha256": found["sha256"]}
        for file, found in manifest["peers"].items():
            what = f"predictions of {found['method']} on {catalogue_of(found['set']).title}"
            yield {"model": model, "file": file, "what": what, "sha256": found["sha256"]}
