"""What goes with weights: all that it takes to run them, held to what is possible before it is used."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from deeppose.core.errors import SkeletonError
from deeppose.core.skeleton import skeleton_from
from deeppose.core.training_params import (
    MOST_SIZE,
    AlexNet,
    PositiveInt,
    Recrops,
    Section,
    Shrinkage,
    SpatialNet,
    SpatialSide,
)

Level = Annotated[float, Field(ge=0, le=255)]
Colour = tuple[Level, Level, Level]


class OfAlexNet(AlexNet):
    """What the network's constructor takes, by the section of params that it was built from."""

    input: Annotated[int, Field(alias="size", ge=59, le=MOST_SIZE)]
    joints: PositiveInt
    mean: Colour


class OfSpatialNet(SpatialNet):
    """The same of the spatial network."""

    input: Annotated[SpatialSide, Field(alias="size")]
    # Weights are of one model.
    inputs: dict[str, SpatialSide] = Field(default_factory=dict, max_length=0, exclude=True)
    joints: PositiveInt
    mean: Colour


class Image(Section):
    """b⁰ is the full image; then, `recrops` times, the box about the pose that stage 1 found.

    `margin` is how much of the pose's longer side is left around it.
    """

    kind: Literal["image"]
    recrops: Recrops | None = None
    margin: Annotated[float, Field(ge=0, le=10)] | None = None

    @model_validator(mode="after")
    def _has_a_margin(self) -> Self:
        if self.recrops and self.margin is None:
            raise ValueError("recrops without margin")
        return self


class Face(Section):
    """b⁰ is a face, its sides times `scale`."""

    kind: Literal["face"]
    scale: Annotated[float, Field(gt=0, le=1000)]


class Annotation(Section):
    """b⁰ is the box that an image's labels have."""

    kind: Literal["annotation"]


class Description(Section):
    """Of one stage; the defaults are what weights without a word on it were trained with."""

    stage: PositiveInt
    skeleton: str | dict[str, Any]
    initial_box: Annotated[Image | Face | Annotation, Field(discriminator="kind")] = Image(kind="image")
    average_mirrored: bool = False
    sigma: Annotated[float, Field(gt=0, le=1000)] | None = None
    smallest_box: Annotated[float, Field(gt=0, le=1)] | None = None
    shrinkage: Shrinkage | None = None
    network: Annotated[OfAlexNet | OfSpatialNet, Field(discriminator="name")]

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        try:
            skeleton = skeleton_from(self.skeleton)
        except SkeletonError as error:
            raise ValueError(str(error)) from error
        joints = len(skeleton.joints)
        if self.network.joints != joints:
            raise ValueError(f"a network of {self.network.joints} joints, but {skeleton.name} has {joints}")
        if self.stage > 1 and (self.sigma is None or self.smallest_box is None):
            raise ValueError(f"stage {self.stage} without sigma or smallest_box")
        return self


def read_description(text: str) -> dict[str, Any]:
    """What the JSON beside weights says, defaults filled in.

    Raises
    ------
    ValueError
        In one line, which key is wrong, and how.
    """
    try:
        described = Description.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "description"
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
    return described.model_dump(mode="json", by_alias=True, exclude_none=True)
