"""What is drawn of each test set, and of each model: which of the paper's tables and figures, which files."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal[
    "table of pcp",
    "table of pdj",
    "table of circumstances",
    "curves of limbs",
    "curves of methods",
    "curves of stages",
    "poses after each stage",
    "stick figures",
    "worst poses",
    "curves of training",
    "normals",
    "initial boxes",
    "curve of the scaler",
]
_FOLDERS: dict[Kind, str] = {
    "table of pcp": "tables",
    "table of pdj": "tables",
    "table of circumstances": "tables",
    "curves of limbs": "figures",
    "curves of methods": "figures",
    "curves of stages": "figures",
    "poses after each stage": "photos",
    "stick figures": "photos",
    "worst poses": "photos",
    "curves of training": "figures",
    "normals": "figures",
    "initial boxes": "photos",
    "curve of the scaler": "figures",
}
ARMS = ("elbow", "wrist")
LIMB_JOINTS = (*ARMS, "knee", "ankle")


@dataclass(frozen=True)
class Exhibit:
    """One table or figure.

    Attributes
    ----------
    file
        Its name without a suffix.
    heading
        The paper's number for it, "" for what the paper doesn't have; "Figure 5's kind" for what it has of
        another set.
    joints
        Kinds of joints whose curves it shows; none named: all that are labelled.
    end
        The largest distance of its curves, in diameters of the true pose.
    """

    kind: Kind
    file: str
    heading: str = ""
    joints: tuple[str, ...] = ()
    end: float = 0.5

    @property
    def folder(self) -> str:
        """The folder in the model's reports that it lies in."""
        return _FOLDERS[self.kind]

    @property
    def called(self) -> str:
        """Its number and its file, for messages."""
        return f"{self.heading} ({self.file})" if self.heading else self.file

    def titled(self, text: str) -> str:
        """`text` under its heading; without one it begins with a capital."""
        return f"{self.heading}: {text}" if self.heading else text[:1].upper() + text[1:]


@dataclass(frozen=True)
class SetExhibits:
    """A test set and what is drawn of it.

    Attributes
    ----------
    name
        In the registry and in tables of errors.
    title
        Its name for readers.
    stand_in
        What takes its place where the archives are drawn.
    model
        The one that the paper tests on it, in whose reports the page looks for it; "" for a set that the
        paper doesn't have.
    parts
        Where parts of it are reported beside the whole: the whole and each part, by their names in tables
        of errors, in words that take their numbers of images.
    scenes
        Whether its images show more than the person, so that poses are drawn in cuts from them.
    notes
        What a reader of any of its numbers must know.
    without_peers
        What to say where no other method's predictions on it are there.
    """

    name: str
    title: str
    stand_in: str
    exhibits: tuple[Exhibit, ...]
    model: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    scenes: bool = False
    notes: tuple[str, ...] = ()
    without_peers: str = ""

    @property
    def table_of_pdj(self) -> Exhibit:
        """Its detection rates in numbers."""
        return next(exhibit for exhibit in self.exhibits if exhibit.kind == "table of pdj")


_SETS = (
    SetExhibits(
        name="lsp",
        title="LSP",
        stand_in="drawn people",
        model="lsp",
        exhibits=(
            Exhibit("table of pcp", "table1-pcp-lsp", "Table 1"),
            Exhibit("table of pdj", "pdj-lsp"),
            Exhibit("curves of limbs", "figure4-pdj-lsp", "Figure 4", LIMB_JOINTS),
            Exhibit("curves of stages", "figure5-kind-pdj-lsp-by-stage", "Figure 5's kind", LIMB_JOINTS),
            Exhibit("poses after each stage", "figure6-poses-lsp-by-stage", "Figure 6"),
            Exhibit("stick figures", "figure8-poses-lsp", "Figure 8"),
            Exhibit("table of circumstances", "pdj-lsp-by-circumstance"),
            Exhibit("worst poses", "worst-poses-lsp"),
        ),
        without_peers="Ours alone: the curves of Dantone et al. are published as a picture, not as numbers.",
    ),
    SetExhibits(
        name="parse",
        title="Image Parse",
        stand_in="drawn people",
        model="lsp",
        exhibits=(
            Exhibit("table of pcp", "table2-pcp-parse", "Table 2"),
            Exhibit("table of pdj", "pdj-parse"),
        ),
    ),
    SetExhibits(
        name="flic",
        title="FLIC",
        stand_in="drawn scenes",
        model="flic",
        exhibits=(
            Exhibit("table of pdj", "pdj-flic"),
            Exhibit("curves of methods", "figure3-pdj-flic", "Figure 3", ARMS, end=0.2),
            Exhibit("curves of stages", "figure5-pdj-flic-by-stage", "Figure 5", ARMS),
            Exhibit("poses after each stage", "figure6-kind-poses-flic-by-stage", "Figure 6's kind"),
            Exhibit("stick figures", "figure9-poses-flic", "Figure 9"),
            Exhibit("worst poses", "worst-poses-flic"),
        ),
        scenes=True,
        without_peers=(
            "Ours alone: with flic_oc_Sapp_CVPR13.mat in predictions/ of the mirror folder, the curve of "
            "MODEC (Sapp and Taskar 2013) stands beside it."
        ),
    ),
    SetExhibits(
        name="buffy",
        title="Buffy",
        stand_in="drawn scenes",
        model="flic",
        exhibits=(
            Exhibit("table of pdj", "pdj-buffy"),
            Exhibit("curves of methods", "figure7-pdj-buffy", "Figure 7", ARMS, end=0.2),
        ),
        parts={"buffy": "all {} images", "buffy-276": "{} of episodes 2, 5, 6"},
        scenes=True,
        notes=(
            "Hips and eyes are not labelled: the pose diameter is the length of the torso's stick.",
            "The paper takes the whole set; its customary test part is episodes 2, 5 and 6.",
        ),
        without_peers="Ours alone: of the paper's four other methods no predictions are there.",
    ),
)
_PNG_SIZE = slice(16, 24)
OF_THE_PAPER = {of_set.name: of_set for of_set in _SETS}

# Of a model, whatever it is tested on; the last two of one whose initial boxes are made of faces.
TRAINING = Exhibit("curves of training", "training")
INITIAL_BOXES = Exhibit("initial boxes", "initial-boxes")
SCALER = Exhibit("curve of the scaler", "initial-box-scaler")


def normals_of(stage: int) -> Exhibit:
    """Of a model too: the Normals that a stage is trained with."""
    return Exhibit("normals", f"displacement-normals-stage{stage}")


def counterpart_of(heading: str) -> tuple[SetExhibits, Exhibit]:
    """What stands for a table or figure of the paper ("Figure 3"), and of which set it is."""
    return next(
        (of_set, exhibit) for of_set in _SETS for exhibit in of_set.exhibits if exhibit.heading == heading
    )


def exhibits_of(name: str) -> SetExhibits:
    """What is drawn of a test set; of one that the paper doesn't have, all that suits any joints."""
    return OF_THE_PAPER.get(name) or SetExhibits(
        name=name,
        title=name,
        stand_in="drawn pictures",
        exhibits=(
            Exhibit("table of pcp", f"pcp-{name}"),
            Exhibit("table of pdj", f"pdj-{name}"),
            Exhibit("curves of stages", f"pdj-{name}-by-stage"),
            Exhibit("poses after each stage", f"poses-{name}-by-stage"),
            Exhibit("stick figures", f"poses-{name}"),
            Exhibit("worst poses", f"worst-poses-{name}"),
        ),
    )


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file, pixels."""
    width, height = struct.unpack(">II", path.read_bytes()[_PNG_SIZE])
    return width, height


def left_out_lines(left_out: Mapping[str, str], present: Iterable[str]) -> list[str]:
    """A line for each table and figure that can't be drawn, with the reason.

    Parameters
    ----------
    left_out
        By set the reason why it was left out of the run.
    present
        The sets that there are errors of.
    """
    there = set(present)
    return [
        f"{exhibit.called} is left out: {reason}"
        for name, reason in left_out.items()
        if name not in there
        for exhibit in exhibits_of(name).exhibits
    ]
