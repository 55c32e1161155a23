"""What the tables and figures of a model are made from, and what their titles and captions say of it."""

from dataclasses import dataclass, field

import pandas as pd

from deeppose.core.files import read_json
from deeppose.core.paths import Item
from deeppose.evaluation.bootstrap import NOTE
from deeppose.evaluation.error_tables import of_set
from deeppose.evaluation.evaluation import Evaluation, read_evaluation
from deeppose.report.catalogue import REFINEMENTS, RISK, WITHOUT_MAPS, Entry, SetCatalogue
from deeppose.report.claims.rates import other_methods
from deeppose.report.figures.curves import pdj_curves


@dataclass(frozen=True)
class Source:
    """A model's evaluation, the labels of each set in words, and the sets that it was trained on."""

    item: Item
    evaluation: Evaluation
    labels: dict[str, str]
    trained_on: tuple[str, ...]
    _curves: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """Its name in legends."""
        return self.item.profile.network.label

    def curves(self, set_name: str) -> pd.DataFrame:
        """Detection rates of all predictors on a set or a part of it, see :func:`pdj_curves`."""
        if set_name not in self._curves:
            of = (self.evaluation.joints, self.item.skeleton, set_name, self.item.params.seed)
            self._curves[set_name] = pdj_curves(*of)
        return self._curves[set_name]

    def title(self, shown: SetCatalogue) -> str:
        """What the errors were measured on, for titles."""
        if self.item.profile.synthetic:
            return f"{shown.stand_in} in place of {shown.title}"
        return shown.title

    def caption(self, shown: SetCatalogue) -> str:
        """What holds for every curve of a set."""
        labels = f"Labels: {self.labels[shown.name]}."
        bands = f"Bands: {NOTE[:1].lower()}{NOTE[1:]}"
        return " ".join([self.about, self.measured_on(shown), labels, *shown.notes, bands])

    def notes(self, shown: SetCatalogue) -> list[str]:
        """What holds for every table of a set."""
        return [self.about, self.measured_on(shown)]

    @property
    def about(self) -> str:
        """Which profile and model it is, and what it was trained on."""
        profile = (
            f"Profile {self.item.profile_name} ({self.item.profile.network.words(self.item.model_name)})"
        )
        warning = ": synthetic people, not comparable with the paper." if self.item.profile.synthetic else "."
        return f"{profile}, model {self.item.model_name}, trained on {' and '.join(self.trained_on)}{warning}"

    def measured_on(self, shown: SetCatalogue) -> str:
        """How many examples a set's numbers stand on."""
        count = of_set(self.evaluation.joints, shown.name)["example"].nunique()
        return f"Measured on {count} test examples."

    def parts(self, shown: SetCatalogue) -> dict[str, str]:
        """A set, and those of its parts that there are errors of, in words for tables and legends."""
        counts = self.evaluation.joints.groupby("set")["example"].nunique()
        words = shown.parts or {shown.name: "all {} images"}
        return {name: what.format(counts[name]) for name, what in words.items() if name in counts}

    def other_methods(self, shown: SetCatalogue) -> list[str]:
        """The other methods that were measured on a set or on a part of it."""
        joints = self.evaluation.joints
        found = [name for part in self.parts(shown) for name in other_methods(joints, part)]
        return list(dict.fromkeys(found))

    def without_other_methods(self, shown: SetCatalogue) -> str:
        """Why no other method's curve stands beside ours."""
        if self.item.profile.synthetic:
            return "Other methods have no predictions on synthetic images."
        return shown.without_peers

    def whose_left(self, shown: SetCatalogue) -> str:
        """What left and right mean in a picture's legend."""
        labels = self.labels[shown.name]
        if labels.startswith("observer-centric"):
            return "Left and right are as if the person faced the camera."
        if labels.startswith("person-centric"):
            return "Left and right are the person's own."
        return "Left and right are as they are labelled."

    def why_left_out(self, shown: SetCatalogue, entry: Entry) -> str:
        """Why a table or figure can't be made from these errors, in a line; "" if it can."""
        if entry.kind == "pcp table" and not self.item.skeleton.limb_kinds:
            return f"{entry.called} is left out: the skeleton has no limb with a kind, so none counts"
        if entry.kind == REFINEMENTS and len(self.item.stage_names) < 2:
            return f"{entry.called} is left out: the cascade has one stage"
        if entry.kind == RISK and not self.item.profile.network.has_maps:
            return f"{entry.called} is left out: {WITHOUT_MAPS}"
        of_rates = entry.folder == "tables" and entry.kind != REFINEMENTS
        if of_rates or of_set(self.evaluation.joints, shown.name)["error"].notna().any():
            return ""
        return f"{entry.called} is left out: no pose of {shown.title} has a diameter, so no joint counts"


def read_source(item: Item) -> Source:
    """Read what the tables and figures of an item are made from."""
    annotations = read_json(item.annotations_report)["sets"]
    return Source(
        item=item,
        evaluation=read_evaluation(item),
        labels={name: found["labels"] for name, found in annotations.items()},
        trained_on=tuple(name for name, found in annotations.items() if "train" in found),
    )
