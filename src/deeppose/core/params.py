"""params.yaml and profiles/ as typed, frozen objects; what is not allowed stops at once."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deeppose.core.errors import ParamsError, SkeletonError
from deeppose.core.skeleton import SKELETONS, Skeleton, skeleton_of
from deeppose.core.training_params import (
    AlexNet,
    Device,
    InitialStage,
    PositiveFloat,
    PositiveInt,
    Recrops,
    RefinementStage,
    Section,
    Share,
    SpatialNet,
    Training,
)

Labels = Literal["oc", "pc"]

CASCADE_STAGES_IN_DVC_YAML = 3


class Embedded(Section):
    """The synthetic people of `demo`."""

    lsp_images: Annotated[int, Field(ge=4, multiple_of=2, description="half train, half test")]
    extended_images: PositiveInt
    height: Annotated[int, Field(ge=100, description="of a standing person, pixels, about")]
    unlabelled: Annotated[float, Field(ge=0, lt=1, description="share of joints in the extended set")]
    parse_images: Annotated[int, Field(gt=100, description="the first 100 train as published, unused")]
    flic_images: Annotated[int, Field(ge=2, description="frames; a frame may hold two examples")]
    flic_test_images: Annotated[PositiveInt, Field(description="of the frames of flic_images, the last ones")]
    buffy_frames: Annotated[int, Field(ge=5, description="five episodes' together")]
    scene_height: Annotated[int, Field(ge=100, description="of a frame, pixels; its width is 1.5 times that")]
    quality: Annotated[int, Field(ge=1, le=100, description="of the JPEG files")]

    @model_validator(mode="after")
    def _flic_has_a_training_part(self) -> "Embedded":
        if self.flic_test_images >= self.flic_images:
            raise ValueError("flic_test_images must leave some of flic_images to train on")
        return self


class Dataset(Section):
    """A data set of one's own: which files, in which format."""

    format: Literal["coco", "table", "deeplabcut"]
    annotations: Annotated[str, Field(description="the file of labels; with a * in it several")]
    images: Annotated[str, Field(description="the folder, or .zip, that the labels name images of")]
    skeleton: str
    test: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | str | None,
        Field(
            description="share of the images that test, or their own file of labels; null: as a table says"
        ),
    ] = None


# No dot: it parts the keys of params in dvc.yaml.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Profile(Section):
    """One way to run the paper: which data, which sizes, which machine."""

    archives: Literal["embedded", "mirror"]
    trusted: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1)] | None,
        Field(
            strict=False,
            description="training sets that held-out images and the fitted displacements are taken from; "
            "null: all",
        ),
    ]
    embedded: Embedded | None = None
    device: Device
    network: Annotated[AlexNet | SpatialNet, Field(discriminator="name")]
    average_mirrored: Annotated[
        bool, Field(description="predict the mean of a crop's prediction and its mirrored copy's")
    ]
    displacement_units: Literal["pixels", "diameter"]
    covariance: Literal["diagonal", "full"]
    narrowest_normal: Annotated[
        float,
        Field(
            ge=0,
            description="smallest standard deviation of a displacement, in displacement_units",
        ),
    ]
    boxes_per_joint: PositiveInt
    real_predictions: bool
    joints_in_box: Annotated[
        Share, Field(description="of the training joints, those that boxes from faces must contain")
    ]
    tight_boxes: Annotated[
        tuple[str, ...],
        Field(
            strict=False,
            description="training sets whose b0, where it is the full image, is their joints' bounding box "
            "with the margins that the other sets' images have",
        ),
    ]
    recrops: Annotated[
        dict[str, Recrops],
        Field(
            description="by model how often stage 1 sees the box of the pose that it found, after b0, where "
            "that is the full image; 0 for others"
        ),
    ]
    sigma: Annotated[
        dict[str, PositiveFloat],
        Field(description="by model, where it is not the model's own of params.yaml"),
    ]
    smallest_box: Annotated[float, Field(gt=0, le=1, description="share of b0's shorter side")]
    prediction_batch: PositiveInt
    training: Training
    stage1: InitialStage
    stage2: RefinementStage
    stage3: RefinementStage
    datasets: dict[Name, Dataset] = Field(default_factory=dict, description="one's own, beside the published")
    skeletons: dict[str, Any] = Field(
        default_factory=dict, description="one's own, as in core/skeletons.yaml"
    )

    @property
    def synthetic(self) -> bool:
        """Whether synthetic people stand in for the published sets."""
        return self.archives == "embedded"

    def refinement(self, stage: int) -> RefinementStage:
        """The section of stage `stage` ≥ 2."""
        section: RefinementStage = getattr(self, f"stage{stage}")
        return section

    def stage(self, stage: int) -> InitialStage | RefinementStage:
        """The section of stage `stage`, from 1."""
        return self.stage1 if stage == 1 else self.refinement(stage)

    def skeleton_named(self, name: str) -> Skeleton | None:
        """One of the project's, or of its own; None if there is none of that name."""
        if name in SKELETONS:
            return SKELETONS[name]
        return skeleton_of(name, self.skeletons[name]) if name in self.skeletons else None

    def skeleton_of_set(self, name: str) -> Skeleton:
        """The skeleton of one of its `datasets`."""
        skeleton = self.skeleton_named(self.datasets[name].skeleton)
        assert skeleton is not None, "checked when it was read"
        return skeleton

    def trains(self, model: str) -> bool:
        """Whether it says how long a model is trained."""
        return all(model in self.stage(stage).steps for stage in range(1, CASCADE_STAGES_IN_DVC_YAML + 1))

    def input_of(self, stage: int, model: str) -> int:
        """Side of a stage's crops, pixels."""
        own = None if stage == 1 else self.refinement(stage).input
        return own or self.network.input_of(model)

    @model_validator(mode="after")
    def _processes_have_equal_shares(self) -> "Profile":
        if self.training.batch % self.device.devices:
            raise ValueError(
                f"training.batch {self.training.batch} can't be shared out evenly among device.devices "
                f"{self.device.devices}: take a multiple"
            )
        return self

    @model_validator(mode="after")
    def _weights_of_the_stage_before_fit(self) -> "Profile":
        for stage in range(2, CASCADE_STAGES_IN_DVC_YAML + 1):
            # An alexnet has one input, whatever the model.
            before, own = (self.input_of(number, "") for number in (stage - 1, stage))
            starts_there = self.network.name == "alexnet" and self.refinement(stage).start == "previous"
            if starts_there and own != before:
                raise ValueError(
                    f"stage{stage} of an alexnet that starts from the stage before takes its input {before}, "
                    f"not {own}: take that, or start: fresh"
                )
        return self

    @model_validator(mode="after")
    def _trusted_sets_are_named(self) -> "Profile":
        if self.trusted is None and min(self.training.trusted_from) < 1:
            raise ValueError("training.trusted_from below 1 needs sets to train on: name them in trusted")
        return self

    @model_validator(mode="after")
    def _real_predictions_are_made(self) -> "Profile":
        if self.real_predictions and self.trusted is not None:
            raise ValueError(
                "real_predictions: true needs predictions of all training images, so trusted: null"
            )
        return self

    @model_validator(mode="after")
    def _skeletons_are_whole(self) -> "Profile":
        for name, entry in self.skeletons.items():
            if name in SKELETONS:
                raise ValueError(f"skeletons has {name!r}, which is one of the project's: take another name")
            try:
                skeleton_of(name, entry)
            except SkeletonError as error:
                raise ValueError(str(error)) from error
        known = (*SKELETONS, *self.skeletons)
        for name, dataset in self.datasets.items():
            if dataset.skeleton not in known:
                raise ValueError(
                    f"datasets.{name}.skeleton {dataset.skeleton!r} is none of {', '.join(known)}"
                )
        return self

    @model_validator(mode="after")
    def _embedded_is_described(self) -> "Profile":
        if self.synthetic and self.embedded is None:
            raise ValueError("archives: embedded needs a section `embedded`")
        return self


class Model(Section):
    """One cascade: its joints, the sets that train and test it."""

    skeleton: str
    train: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    test: Annotated[tuple[str, ...], Field(strict=False)]
    labels: Labels
    initial_box: Annotated[
        Literal["image", "face", "annotation"],
        Field(description="b0: the full image, the enlarged face, or the box that the labels have"),
    ]
    face: Annotated[
        Literal["torso", "confidence"] | None,
        Field(description="of several faces: the one at the labelled torso, or the most confident"),
    ]
    sigma: PositiveFloat
    held_out: PositiveInt

    @model_validator(mode="after")
    def _is_whole(self) -> "Model":
        if self.initial_box == "face" and self.face is None:
            raise ValueError("initial_box: face needs `face`, torso or confidence")
        return self


class Params(Section):
    """The whole of params.yaml, and by their names the profiles."""

    profile: str
    models: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    sigma: PositiveFloat | Literal["auto"]
    cascade_stages: Annotated[int, Field(ge=1, le=CASCADE_STAGES_IN_DVC_YAML)]
    seed: Annotated[int, Field(ge=0)]
    threads: PositiveInt
    workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    mirror: str
    model: dict[Name, Model]
    profiles: dict[str, Profile]

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        if self.profile not in self.profiles:
            raise ValueError(f"profile {self.profile!r} is none of {', '.join(self.profiles)}")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models names one twice: {', '.join(self.models)}")
        for name in self.models:
            if name not in self.model:
                raise ValueError(f"models names {name!r}, which is none of {', '.join(self.model)}")
        known = dict.fromkeys([*SKELETONS, *(name for of in self.profiles.values() for name in of.skeletons)])
        for name, model in self.model.items():
            if model.skeleton not in known:
                raise ValueError(f"model.{name}.skeleton {model.skeleton!r} is none of {', '.join(known)}")
        self._check_named_sets()
        self._check_named_models()
        profile = self.profiles[self.profile]
        turns = {"stage1.rotated": profile.stage1.rotated}
        for stage in range(2, CASCADE_STAGES_IN_DVC_YAML + 1):
            turns[f"stage{stage}.rotation"] = profile.refinement(stage).rotation
        if profile.device.crops == "device" and any(turns.values()):
            turned = ", ".join(key for key, value in turns.items() if value)
            raise ValueError(
                f"profiles/{self.profile}.yaml:device.crops: device cuts no box that is turned: set it to "
                f"host, or {turned} to 0"
            )
        return self

    def _check_named_models(self) -> None:
        profile = self.profiles[self.profile]
        named: dict[str, Iterable[str]] = {"recrops": profile.recrops, "sigma": profile.sigma}
        if profile.network.name == "spatial":
            named["network.inputs"] = profile.network.inputs
        for stage in range(2, CASCADE_STAGES_IN_DVC_YAML + 1):
            named[f"stage{stage}.shrinkage"] = profile.refinement(stage).shrinkage
        for key, names in named.items():
            for name in names:
                if name not in self.model:
                    raise ValueError(
                        f"profiles/{self.profile}.yaml:{key} names {name!r}, which is none of "
                        f"{', '.join(self.model)}"
                    )
        for name in profile.recrops:
            if (box := self.model[name].initial_box) != "image":
                raise ValueError(
                    f"profiles/{self.profile}.yaml:recrops names {name!r}, whose initial_box is {box}: only "
                    f"who is looked for in the full image is seen again"
                )

    def _check_named_sets(self) -> None:
        profile = self.profiles[self.profile]
        trained_on = {name for model in self.model.values() for name in model.train}
        named = {"trusted": profile.trusted or (), "tight_boxes": profile.tight_boxes}
        for stage in range(1, CASCADE_STAGES_IN_DVC_YAML + 1):
            named[f"stage{stage}.repeated"] = tuple(profile.stage(stage).repeated)
        for key, names in named.items():
            for name in names:
                if name not in trained_on:
                    raise ValueError(
                        f"profiles/{self.profile}.yaml:{key} names {name!r}, which no model is "
                        f"trained on, only {', '.join(sorted(trained_on))}"
                    )
        trusted = set(named["trusted"])
        for model in self.models:
            if trusted and profile.trains(model) and not trusted & set(self.model[model].train):
                raise ValueError(
                    f"profiles/{self.profile}.yaml:trusted names no set that the model {model} is trained on"
                )

    def check_trained(self, profile: str) -> None:
        """That a profile trains the models that are to be run.

        Raises
        ------
        ParamsError
            Naming the model that it does not, and what to say instead.
        """
        trained = [name for name in self.model if self.profiles[profile].trains(name)]
        for name in self.models:
            if name not in trained:
                by = [other for other, of in self.profiles.items() if of.trains(name)]
                instead = [f"`models: [{', '.join(trained)}]`"] if trained else []
                instead += [f"`profile: {other}`" for other in by[:1]]
                raise ParamsError(
                    f"profile {profile} doesn't train the model {name}: profiles/{profile}.yaml has no steps "
                    f"for it in stage1 to stage{CASCADE_STAGES_IN_DVC_YAML}; add them, or say "
                    f"{' or '.join(instead)} in params.yaml"
                )

    def sigma_of(self, model: str, profile: str) -> float:
        """σ of a model: the top-level number, or with `auto` the profile's for it, or the model's own."""
        if self.sigma != "auto":
            return self.sigma
        return self.profiles[profile].sigma.get(model, self.model[model].sigma)


def mirror_folders(mirror: str) -> list[Path]:
    """Where archives are looked for: $DEEPPOSE_MIRROR, then `mirror` of the params, where downloads land."""
    return [Path(folder) for folder in (os.environ.get("DEEPPOSE_MIRROR"), mirror) if folder]
