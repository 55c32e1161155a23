"""What a profile says of its networks, their training and where they run."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_SIZE = 512
"""Of a crop's side, pixels, and of that times the width of an alexnet: more takes gigabytes."""
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Recrops = Annotated[int, Field(ge=0, le=8)]
Shrinkage = Annotated[float, Field(gt=0, le=1)]
SpatialSide = Annotated[int, Field(ge=64, le=MOST_SIZE, multiple_of=32)]


class Section(BaseModel):
    """A section of params.yaml or of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Device(Section):
    """Where a network runs, in Lightning Fabric's words and `tf32`, and where its crops are cut."""

    accelerator: Literal["cpu", "cuda", "auto"]
    devices: Annotated[
        PositiveInt,
        Field(description="processes, on all machines together, each with an accelerator of its own"),
    ]
    precision: Annotated[
        Literal["32-true", "tf32", "bf16-mixed"],
        Field(
            description="of numbers in training; tf32: single, a GPU's products with 10 bits of the mantissa"
        ),
    ]
    crops: Annotated[
        Literal["host", "device"],
        Field(
            description="host: cut beside the network, by `workers` processes; device: where it runs, from "
            "images that lie in its memory"
        ),
    ]


class AlexNet(Section):
    """The paper's ψ (§3.1), and its size."""

    name: Literal["alexnet"]
    input: Annotated[int, Field(ge=59, le=MOST_SIZE, description="side of the square crop, pixels")]
    width: Annotated[PositiveFloat, Field(description="share of the paper's channels")]
    dropout: Annotated[float, Field(ge=0, lt=1, description="share of units dropped")]
    initial_weights: Literal["krizhevsky", "he"]
    pixel_scale: Annotated[PositiveFloat, Field(description="factor on (0..255 less the mean colour)")]
    has_maps: ClassVar[bool] = False

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        if self.width * self.input > MOST_SIZE:
            raise ValueError(f"width {self.width:g} times size {self.input} is more than {MOST_SIZE}")
        return self

    def input_of(self, _: str) -> int:
        """Side of a model's crops, pixels."""
        return self.input

    def words(self, _: str) -> str:
        """What a reader of a model's figure must know of it."""
        return f"input {self.input} px, {self.width:g} of the paper's width"

    @property
    def label(self) -> str:
        """Its name in legends."""
        return "paper's network" if self.width == 1 else f"paper's network, {self.width:g} of its width"


class SpatialNet(Section):
    """A ψ with a spatial output on a pretrained backbone, and its size."""

    name: Literal["spatial"]
    input: Annotated[SpatialSide, Field(description="side of the square crop, pixels")]
    inputs: dict[str, SpatialSide] = Field(default_factory=dict, description="of models that have another")
    channels: Annotated[int, Field(gt=0, le=1024, description="of the pyramid of features")]
    initial_weights: Annotated[Literal["imagenet", "random"], Field(description="of the backbone")]
    has_maps: ClassVar[bool] = True

    def input_of(self, model: str) -> int:
        """Side of a model's crops, pixels."""
        return self.inputs.get(model, self.input)

    def words(self, model: str) -> str:
        """What a reader of a model's figure must know of it."""
        start = {"imagenet": "weights learned on ImageNet", "random": "random weights"}[self.initial_weights]
        return f"EfficientNet-Lite0 from {start}, joints read off maps, input {self.input_of(model)} px"

    @property
    def label(self) -> str:
        """Its name in legends."""
        return "EfficientNet-Lite0 with maps"


class Adagrad(Section):
    """Adaptive gradient updates (§3.1)."""

    name: Literal["adagrad"]
    learning_rate: PositiveFloat
    initial_accumulator: Annotated[float, Field(ge=0)]
    epsilon: PositiveFloat


class AdamW(Section):
    """Adam with decoupled weight decay; the learning rate falls along half a cosine to 0."""

    name: Literal["adamw"]
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]


class Training(Section):
    """How every stage is trained (§3.1; §3.2 changes the data alone)."""

    batch: PositiveInt
    optimizer: Annotated[Adagrad | AdamW, Field(discriminator="name")]
    loss: Annotated[Literal["mean", "sum"], Field(description="over the examples of a batch")]
    report_every: Annotated[PositiveInt, Field(description="steps between held-out figures and checkpoints")]
    trusted_from: Annotated[
        tuple[Share, Share, Share],
        Field(
            strict=False,
            description="by stage, share of the steps after which trusted sets alone train; 1: never",
        ),
    ] = (1.0, 1.0, 1.0)


Steps = Annotated[dict[str, PositiveInt], Field(description="steps of training, by model")]
Repeated = Annotated[
    dict[str, PositiveInt],
    Field(description="how often an epoch shows each image of a set; of one that isn't named, once"),
]


class InitialStage(Section):
    """Stage 1 (§3.1)."""

    steps: Steps
    translation: Annotated[float, Field(ge=0, le=1, description="largest move of b0, shares of its sides")]
    scale: Annotated[float, Field(ge=0, lt=1, description="largest change of its sides, share of them")]
    rotation: Annotated[float, Field(ge=0, le=180, description="largest turn of it, degrees")]
    rotated: Annotated[Share, Field(description="share of the boxes that are turned")]
    keep_joints: Annotated[Share, Field(description="share of its joints a moved box keeps")]
    repeated: Repeated


class RefinementStage(Section):
    """A stage s ≥ 2 (§3.2)."""

    steps: Steps
    start: Annotated[
        Literal["fresh", "previous"],
        Field(description="from initial weights, or from those of the stage before"),
    ]
    input: Annotated[
        int | None, Field(gt=0, description="side of the square crop, pixels; null: that of stage 1")
    ]
    others: Annotated[
        Share, Field(description="weight of the other joints that a crop shows; 0: only its own (Eq. 8)")
    ]
    scale: Annotated[float, Field(ge=0, lt=1, description="largest change of a box's side, share of it")]
    rotation: Annotated[float, Field(ge=0, le=180, description="largest turn of a box, degrees")]
    shrinkage: Annotated[
        dict[str, Shrinkage],
        Field(description="by model the share of a displacement that joints are moved by; 1 for others"),
    ]
    repeated: Repeated
