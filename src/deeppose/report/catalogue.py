"""The catalogue of tables and figures: what is made of a test set, and what the paper shows.

It stands in `catalogue.yaml`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(_Section):
    """A kind of table or figure: the folder it lies in, and its title beyond the paper's own figures."""

    folder: str
    beyond: str = ""


class Entry(_Section):
    """One table or figure."""

    kind: str
    file: str
    heading: str = ""
    joints: tuple[str, ...] = ()
    end: float = 0.5

    @property
    def folder(self) -> str:
        """The folder in the model's reports that it lies in."""
        return KINDS[self.kind].folder

    @property
    def path(self) -> str:
        """Its place in the model's reports, without a suffix."""
        return f"{self.folder}/{self.file}"

    @property
    def called(self) -> str:
        """Its number and its file, for messages."""
        return f"{self.heading} ({self.file})" if self.heading else self.file

    def titled(self, text: str) -> str:
        """`text` under its heading; without one it begins with a capital."""
        return f"{self.heading}: {text}" if self.heading else text[:1].upper() + text[1:]


class SetCatalogue(_Section):
    """A test set, and the tables and figures made of it; `model` is "" for a set that the paper lacks."""

    name: str
    title: str
    stand_in: str
    entries: tuple[Entry, ...]
    model: str = ""
    parts: Mapping[str, str] = {}
    scenes: bool = False
    notes: tuple[str, ...] = ()
    without_peers: str = ""

    @property
    def pdj_table(self) -> Entry:
        """Its detection rates in numbers."""
        return next(entry for entry in self.entries if entry.kind == "pdj table")


class PaperEntry(_Section):
    """A table or figure of the paper; our counterpart has the same heading."""

    heading: str
    title: str
    shows: str
    with_pdj: bool = False
    differences: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """What a link to it ends with."""
        return self.heading.lower().replace(" ", "-")


@cache
def _catalogue() -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")))


KINDS = {name: Kind(**kind) for name, kind in _catalogue()["kinds"].items()}
PAPER_SETS = {name: SetCatalogue(name=name, **found) for name, found in _catalogue()["sets"].items()}
PAPER_ENTRIES = tuple(PaperEntry(**entry) for entry in _catalogue()["paper"])

REFINEMENTS = "refinement table"

# A kind that takes spreads, which networks with maps have.
RISK = "risk curves"
WITHOUT_MAPS = "its network has no maps, so no joint has a confidence"

# Of a model, whatever it is tested on; the last two of one whose initial boxes are made of faces.
TRAINING = Entry(kind="training curves", file="training")
INITIAL_BOXES = Entry(kind="initial boxes", file="initial-boxes")
SCALER = Entry(kind="scaler curve", file="initial-box-scaler")


def normals_of(stage: int) -> Entry:
    """Of a model too: the normal distributions that a stage is trained with."""
    return Entry(kind="displacement normals", file=f"displacement-normals-stage{stage}")


def counterpart_of(heading: str) -> tuple[SetCatalogue, Entry]:
    """What stands for a table or figure of the paper ("Figure 3"), and of which set it is."""
    return next(
        (test_set, entry)
        for test_set in PAPER_SETS.values()
        for entry in test_set.entries
        if entry.heading == heading
    )


def catalogue_of(name: str) -> SetCatalogue:
    """The tables and figures of a test set; of one that the paper lacks, all that suit any joints."""
    if name in PAPER_SETS:
        return PAPER_SETS[name]
    own = _catalogue()["own"]
    entries = [{**entry, "file": entry["file"].format(name=name)} for entry in own["entries"]]
    return SetCatalogue(**{**own, "name": name, "title": own["title"].format(name=name), "entries": entries})


def left_out_lines(left_out: Mapping[str, str], present: Iterable[str]) -> list[str]:
    """A line for each table and figure that can't be made, with the reason.

    Parameters
    ----------
    left_out
        By set the reason why it was left out of the run.
    present
        The sets that there are errors of.
    """
    there = set(present)
    return [
        f"{entry.called} is left out: {reason}"
        for name, reason in left_out.items()
        if name not in there
        for entry in catalogue_of(name).entries
    ]
