"""Where every file of a run lies, by its profile and model."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import ParamsError, StageError
from deeppose.core.examples import BOX_COLUMNS, Examples, Indices, read_examples
from deeppose.core.files import read_json, read_parquet, reading
from deeppose.core.geometry import Floats
from deeppose.core.params import Model, Params, Profile, mirror_folders
from deeppose.core.pose_files import read_poses
from deeppose.core.predictors import in_file_names, stage_name
from deeppose.core.skeleton import Skeleton


class _Place:
    """A file or a folder in the folder of a half or an item."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, of: "Half | Item", _: type) -> Path:
        return of.folder / self.name


@dataclass(frozen=True)
class Half:
    """The files of a model's training images, held-out ones among them, or those of its test images.

    They lie apart so that a test set that is added later trains nothing again.
    """

    folder: Path
    skeleton: Skeleton
    images = _Place("images.rgb")

    @property
    def example_tables(self) -> tuple[Path, Path]:
        return self.folder / "examples.parquet", self.folder / "joints.parquet"

    @property
    def faces(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-faces.parquet")

    @property
    def initial_boxes(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-initial-boxes.parquet")

    def read_annotations(self) -> Examples:
        """The examples, whose initial boxes are not known yet."""
        return read_examples(*self.example_tables, self.skeleton)

    def read_examples(self) -> Examples:
        """The examples with their initial boxes.

        Raises
        ------
        StageError
            If a file is missing or damaged, or an example has no box.
        """
        examples, boxes = self.read_annotations(), read_parquet(self.initial_boxes, BOX_COLUMNS)
        values = boxes[BOX_COLUMNS].to_numpy(np.float64)
        if len(values) != len(examples.table) or not np.isfinite(values).all():
            raise StageError(
                f"{self.initial_boxes} has no box for each of the {len(examples.table)} examples of "
                f"{self.example_tables[0]}: remove it and run `dvc repro` again"
            )
        return examples.with_boxes(boxes)


@dataclass(frozen=True)
class Item:
    """A profile and a model, its params, and where all files of it lie."""

    params: Params
    profile_name: str
    model_name: str

    annotations_report = _Place("annotations.json")
    mean_colour = _Place("mean-colour.json")
    viewpoints = _Place("test-viewpoints.parquet")
    initial_box_rule = _Place("initial-box-rule.json")
    initial_boxes_report = _Place("initial-boxes.json")
    containment = _Place("containment.csv")
    test_predictions = _Place("test-predictions")

    @property
    def profile(self) -> Profile:
        return self.params.profiles[self.profile_name]

    @property
    def model(self) -> Model:
        return self.params.model[self.model_name]

    @cached_property
    def skeleton(self) -> Skeleton:
        """The model's: one of ours, or of the profile's own.

        Raises
        ------
        ParamsError
            If the profile has none of that name.
        """
        name = self.model.skeleton
        found = self.profile.skeleton_named(name)
        if found is None:
            raise ParamsError(
                f"profiles/{self.profile_name}.yaml has no skeleton {name!r}, which model {self.model_name} "
                f"takes: put its entry there"
            )
        return found

    @property
    def sigma(self) -> float:
        return self.params.sigma_of(self.model_name, self.profile_name)

    @property
    def stage_names(self) -> list[str]:
        """The cascade's stages as tables of errors name them."""
        return [stage_name(stage) for stage in range(1, self.params.cascade_stages + 1)]

    @cached_property
    def folder(self) -> Path:
        return Path("data") / self.profile_name / self.model_name

    @cached_property
    def reports(self) -> Path:
        return profile_reports(self.profile_name) / self.model_name

    def weights(self, stage: int) -> Path:
        return self.folder / f"stage{stage}.safetensors"

    @property
    def manifest(self) -> Path:
        return manifests_folder(self.profile_name) / f"{self.model_name}.json"

    @property
    def checksums(self) -> Path:
        return Path("data/.archive-checksums.json")

    def archive_folders(self) -> list[Path]:
        """Where archives are looked for, first to last; downloads land in the last."""
        if self.profile.synthetic:
            return [Path("data") / self.profile_name / "archives"]
        return mirror_folders(self.params.mirror)

    def read_manifest(self) -> dict[str, Any]:
        """What `download` noted.

        `archives`, `left_out` (sets, with what would bring them), `peers`, and `datasets` (one's own, each
        with its entry and skeleton), which is left out where there are none.
        """
        if not self.manifest.is_file():
            raise StageError(f"{self.manifest} is not there: the stage download makes it")
        manifest: dict[str, Any] = read_json(self.manifest)
        with reading(self.manifest):
            noted = ["archives", "left_out", "peers", *(["datasets"] if "datasets" in manifest else [])]
            return {name: dict(manifest[name]) for name in noted}

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The sets whose archive is missing, each with what would bring it."""
        return dict(self.read_manifest()["left_out"])

    @property
    def look_again(self) -> str:
        """What to type so that archives are looked for once more."""
        return f"`dvc repro --force --single-item download@{self.profile_name}`, then `dvc repro`"

    @property
    def missing_to_train(self) -> str:
        """What would bring the missing sets that the model would be trained on; "" if none is missing."""
        return "; ".join(self.left_out[name] for name in self.model.train if name in self.left_out)

    def why_left_out(self, stage: int) -> str:
        """Why nothing is made for a stage of the cascade (0: for all of it); "" where something is.

        Stage 2 is made whatever S is, so that its training doesn't depend on S and isn't repeated when S
        changes.
        """
        if self.missing_to_train:
            return f"model {self.model_name} is left out: {self.missing_to_train}"
        if stage > 2 and stage > self.params.cascade_stages:
            return f"cascade_stages is {self.params.cascade_stages}: stage {stage} is not used"
        return ""

    @property
    def train(self) -> Half:
        return Half(self.folder / "train", self.skeleton)

    @property
    def test(self) -> Half:
        return Half(self.folder / "test", self.skeleton)

    def train_predictions(self, stage: int, *, mirrored: bool) -> Path:
        frame = "mirrored" if mirrored else "images"
        return self.folder / f"train-predictions-stage{stage}-{frame}.parquet"

    def test_prediction(self, set_name: str, predictor: str) -> Path:
        return self.test_predictions / f"{set_name}-{in_file_names(predictor)}.parquet"

    @property
    def evaluation(self) -> Path:
        return Path("data") / self.profile_name / "evaluation" / self.model_name

    @property
    def plotted(self) -> Path:
        return Path("data") / self.profile_name / "plotted" / f"{self.model_name}.json"

    @property
    def photographed(self) -> Path:
        return Path("data") / self.profile_name / "photographed" / f"{self.model_name}.json"

    def displacements(self, stage: int) -> Path:
        return self.folder / f"displacements-stage{stage}.parquet"

    def normals(self, stage: int) -> Path:
        return self.folder / f"displacement-normals-stage{stage}.parquet"

    def augmented_set(self, stage: int) -> Path:
        return self.folder / f"augmented-set-stage{stage}.parquet"

    def augmented_set_report(self, stage: int) -> Path:
        return self.folder / f"augmented-set-stage{stage}.json"

    def training_log(self, stage: int) -> Path:
        return self.reports / f"training-stage{stage}.csv"

    @property
    def trusted(self) -> list[str]:
        """The training sets whose labels judge the model and give its displacements."""
        among = self.profile.trusted
        return [name for name in self.model.train if among is None or name in among]

    def trusted_rows(self, examples: Examples) -> Indices:
        """The training examples of the trusted sets, by row."""
        rows, trusted = examples.rows("train"), self.profile.trusted
        return rows if trusted is None else rows[examples.table["set"].iloc[rows].isin(trusted)]

    def read_train_predictions(self, stage: int, examples: Examples, *, mirrored: bool = False) -> Floats:
        """Predictions of a stage on the training and held-out images, one for each of `examples`."""
        path = self.train_predictions(stage, mirrored=mirrored)
        poses, _ = read_poses(path, len(examples.table), self.skeleton)
        return poses

    def train_predictions_of_frames(self, stage: int, examples: Examples) -> dict[bool, Floats]:
        """The same of the images as they are (False) and of their mirrored copies (True)."""
        return {
            mirrored: self.read_train_predictions(stage, examples, mirrored=mirrored)
            for mirrored in (False, True)
        }


def manifests_folder(profile: str) -> Path:
    """Where `download` notes the archives of each model."""
    return Path("data") / profile / "manifests"


def profile_reports(profile: str) -> Path:
    """Where the report of a profile lies, and the report folders of its models."""
    return Path("reports") / profile


def runs_log(profile: str) -> Path:
    """Where the last run of each stage is noted, by the stage's name."""
    return Path("logs") / profile / "runs.json"
