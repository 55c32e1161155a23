"""What every stage script shares: its item of the matrix, the params, the paths, and how it fails."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeppose.core.errors import DeepPoseError, StageError
from deeppose.core.files import atomic_path, read_json, write_json, write_text
from deeppose.core.params import Model, Params, Profile, load_params, mirror_folders
from deeppose.core.skeleton import SKELETONS, Skeleton

if TYPE_CHECKING:
    from deeppose.core.examples import Examples, Indices
    from deeppose.core.geometry import Floats

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}
"""The vector instructions of x86, the wider ones first, by their names in /proc/cpuinfo."""


@dataclass(frozen=True)
class Half:
    """The files of a model's training images, held-out ones among them, or those of its test images.

    They lie apart so that a test set that is added later trains nothing again.
    """

    folder: Path
    skeleton: Skeleton

    @property
    def images(self) -> Path:
        return self.folder / "images.rgb"

    @property
    def example_tables(self) -> tuple[Path, Path]:
        return self.folder / "examples.parquet", self.folder / "joints.parquet"

    @property
    def faces(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-faces.parquet")

    @property
    def initial_boxes(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-initial-boxes.parquet")

    def read_annotations(self) -> "Examples":
        """The examples, whose initial boxes are not known yet."""
        # Imported here, so that the stage that always runs starts without pandas.
        from deeppose.core.examples import read_examples

        return read_examples(*self.example_tables, self.skeleton)

    def read_examples(self) -> "Examples":
        """The examples with their initial boxes."""
        import pandas as pd

        return self.read_annotations().with_boxes(pd.read_parquet(self.initial_boxes))


@dataclass(frozen=True)
class Item:
    """One item of dvc.yaml's matrix: a profile and a model, and where its files lie."""

    params: Params
    profile_name: str
    model_name: str

    @property
    def profile(self) -> Profile:
        return self.params.profiles[self.profile_name]

    @property
    def model(self) -> Model:
        return self.params.model[self.model_name]

    @property
    def skeleton(self) -> Skeleton:
        return SKELETONS[self.model.skeleton]

    @property
    def sigma(self) -> float:
        return self.params.sigma_of(self.model_name)

    @cached_property
    def folder(self) -> Path:
        return Path("data") / self.profile_name / self.model_name

    @cached_property
    def reports(self) -> Path:
        return Path("reports") / self.profile_name / self.model_name

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
        if self.profile.archives == "embedded":
            return [Path("data") / self.profile_name / "archives"]
        return mirror_folders(self.params.mirror)

    def read_manifest(self) -> dict[str, Any]:
        """What `download` noted: `archives`, `left_out` (sets, with what would bring them), `peers`."""
        if not self.manifest.is_file():
            raise StageError(f"{self.manifest} is not there: `dvc repro` makes it, by its stage download")
        manifest: dict[str, Any] = read_json(self.manifest)
        return manifest

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The sets whose archive is missing, each with what would bring it."""
        sets: dict[str, str] = self.read_manifest()["left_out"]
        return sets

    @property
    def is_left_out(self) -> bool:
        """Whether a set is missing that the model would be trained on, so that nothing is made of it."""
        return any(name in self.left_out for name in self.model.train)

    @property
    def train(self) -> Half:
        return Half(self.folder / "train", self.skeleton)

    @property
    def test(self) -> Half:
        return Half(self.folder / "test", self.skeleton)

    @property
    def initial_box_rule(self) -> Path:
        return self.folder / "initial-box-rule.json"

    @property
    def initial_boxes_report(self) -> Path:
        return self.reports / "initial-boxes.json"

    @property
    def containment(self) -> Path:
        return self.folder / "containment.csv"

    def train_predictions(self, stage: int, *, mirrored: bool) -> Path:
        frame = "mirrored" if mirrored else "images"
        return self.folder / f"train-predictions-stage{stage}-{frame}.parquet"

    @property
    def test_predictions(self) -> Path:
        return self.folder / "test-predictions"

    @property
    def circumstances(self) -> Path:
        return self.folder / "test-circumstances.parquet"

    @property
    def evaluation(self) -> Path:
        return Path("data") / self.profile_name / "evaluation" / self.model_name

    @property
    def drawn(self) -> Path:
        return Path("data") / self.profile_name / "drawn" / f"{self.model_name}.json"

    @property
    def photographed(self) -> Path:
        return Path("data") / self.profile_name / "photographed" / f"{self.model_name}.json"

    def displacements(self, stage: int) -> Path:
        return self.folder / f"displacements-stage{stage}.parquet"

    def normals(self, stage: int) -> Path:
        return self.folder / f"displacement-normals-stage{stage}.parquet"

    def augmented_set(self, stage: int) -> Path:
        return self.folder / f"augmented-set-stage{stage}.parquet"

    def training_log(self, stage: int) -> Path:
        return self.reports / f"training-stage{stage}.csv"

    @property
    def mean_colour(self) -> Path:
        return self.folder / "mean-colour.json"

    @property
    def trusted(self) -> list[str]:
        """The training sets whose labels judge the model and give its Normals."""
        among = self.profile.trusted
        return [name for name in self.model.train if among is None or name in among]

    def rows_of_normals(self, examples: "Examples") -> "Indices":
        """The training examples whose displacements the Normals are fitted to, by row."""
        rows, trusted = examples.rows("train"), self.profile.trusted
        return rows if trusted is None else rows[examples.table["set"].iloc[rows].isin(trusted)]

    def read_train_predictions(self, stage: int, examples: "Examples", *, mirrored: bool = False) -> "Floats":
        """Predictions of a stage on the training and held-out images, one for each of `examples`."""
        from deeppose.data.prediction_files import read_predictions

        path = self.train_predictions(stage, mirrored=mirrored)
        return read_predictions(path, len(examples.table), self.skeleton)


def manifests_folder(profile: str) -> Path:
    """Where `download` notes the archives of each model."""
    return Path("data") / profile / "manifests"


def run(main: Callable[[Item, int], None]) -> None:
    """Call `main` with the item and the cascade stage named on the command line, and note how long it took.

    The command line is `PROFILE MODEL [STAGE]`, as dvc.yaml's matrix gives it.
    """
    profile, model, *rest = sys.argv[1:]

    def of_item(params: Params) -> None:
        item = Item(params, profile, model)
        if item.is_left_out:
            if is_first_process():
                leave_empty(item)
        else:
            main(item, int(rest[0]) if rest else 0)

    run_timed(profile, of_item)


def run_timed(profile: str, main: Callable[[Params], None]) -> None:
    """Call `main` with the params and note how long it took.

    What a user can mend stops it without a traceback.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        main(load_params())
        note_run(profile, started, time.monotonic() - clock)
    except DeepPoseError as error:
        sys.exit(f"error: {error}")


def leave_empty(item: Item) -> None:
    """Give the running stage's outputs no content, since a set that its model is trained on is missing."""
    for name in item.model.train:
        if name in item.left_out:
            print(f"model {item.model_name} is left out: {item.left_out[name]}")
    for output in outputs_of_running_stage(item):
        if output == item.drawn:
            # The report stands on it, and says what would bring the model.
            write_json(output, {"files": {}, "manifest": item.read_manifest()})
        elif output.suffix == ".json":
            write_json(output, {})
        elif not output.suffix:
            with atomic_path(output) as folder:
                write_text(folder / "left-out.txt", "a set that the model is trained on is missing\n")
        else:
            write_text(output, "")


def outputs_of_running_stage(item: Item) -> list[Path]:
    """The paths that dvc.yaml names as outputs of the stage that DVC runs just now."""
    import yaml

    if "DVC_STAGE" not in os.environ:
        raise StageError("a stage whose model is left out is run by `dvc repro` alone, which names it")
    stage = os.environ["DVC_STAGE"].rpartition("@")[0]
    block = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]
    values = {"profile": item.profile_name, "model": item.model_name}
    paths = []
    for kind in ("outs", "metrics", "plots"):
        for entry in block.get(kind, []):
            path = entry if isinstance(entry, str) else next(iter(entry))
            for name, value in values.items():
                path = path.replace(f"${{item.{name}}}", value)
            paths.append(Path(path))
    return paths


def note_run(profile: str, started: datetime, seconds: float) -> None:
    """Keep when, where, from what and how long the running stage ran; no part of any result."""
    name = os.environ.get("DVC_STAGE")
    if name is None or not is_first_process():
        return
    path = runs_log(profile)
    runs = read_json(path) if path.is_file() else {}
    torch = sys.modules.get("torch")
    run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "revision": git_revision(),
        "machine": machine(gpu=torch is not None and torch.cuda.is_initialized()),
    }
    write_json(path, {**runs, name: run})


def is_first_process() -> bool:
    """Whether this is the first of the processes that run the stage, the one that writes."""
    # torchrun says RANK, Fabric, on its one machine, LOCAL_RANK alone.
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def runs_log(profile: str) -> Path:
    """Where the last run of each stage is noted, by the stage's name."""
    return Path("logs") / profile / "runs.json"


def git_revision() -> str:
    """The commit that the code stands at, with -dirty where it differs from it; "" outside a clone."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return ""
    differs = ["git", "diff", "--quiet", "HEAD", "--", "src", "stages", "dvc.yaml"]
    return head.stdout.strip() + "-dirty" * subprocess.run(differs, check=False).returncode


def machine(*, gpu: bool = False, vectors: bool = True) -> str:
    """The processor and its vectors, how many cores, the GPU if one is used, and the system, in words."""
    described = Path("/proc/cpuinfo")
    told = described.read_text() if described.is_file() else ""
    names = re.findall(r"^model name\s*: (.*)$", told, re.M)
    processor = names[0] if names else platform.processor() or platform.machine()
    if vectors:
        processor += _vectors(told)
    if gpu:
        import torch

        processor += f"; {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} cores, {processor}; {platform.system()}, Python {platform.python_version()}"


def _vectors(told: str) -> str:
    """Which a processor has: one name is of several generations, some twice as fast as others."""
    flags = " ".join(re.findall(r"^flags\s*: (.*)$", told, re.M)).split()
    return next((f" with {words}" for flag, words in VECTORS.items() if flag in flags), "")


def unused(item: Item, stage: int, *outputs: Path) -> bool:
    """Whether `stage` is beyond S; DVC wants its outputs all the same, so they are left empty.

    Stage 2 is made whatever S is, so that its training need not depend on S and isn't repeated when S
    changes.
    """
    if stage <= max(2, item.params.cascade_stages):
        return False
    print(
        f"cascade_stages is {item.params.cascade_stages}: stage {stage} is not used, its outputs stay empty"
    )
    for output in outputs if is_first_process() else ():
        write_text(output, "")
    return True
