"""Train one stage of a model's cascade (§3.1, §3.2), from what earlier pipeline stages wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import torch
from lightning_fabric import Fabric

from deeppose.cascade.batches import CropSource, JointBoxes, LastPart, Table, WholeBodies
from deeppose.cascade.prediction import predict_stage
from deeppose.cascade.setup import images_of, predictor_of, workers_of
from deeppose.cascade.training import fingerprint, mixed_seed, train
from deeppose.core.errors import AnnotationError
from deeppose.core.examples import Examples
from deeppose.core.files import read_json, reading, write_text
from deeppose.core.metrics import joint_errors, mean_pdj
from deeppose.core.paths import Item
from deeppose.networks.regressor import Regressor, parameter_count
from deeppose.networks.weights import build_network, load_stage, save_network


def train_stage(item: Item, stage: int, fabric: Fabric) -> None:
    """Train a stage of an item's cascade and write its weights and its log.

    Raises
    ------
    AnnotationError
        If no held-out image has a pose with a diameter, so that nothing judges the training; if no trusted
        one is left to train on.
    NotFiniteError
        See :func:`deeppose.cascade.training.train`.
    WeightsError
        If it starts from the previous stage's weights, and the file in their place can't be loaded or is
        another's.
    """
    profile = item.profile
    examples = item.train.read_examples()
    images = images_of(item, item.train, examples, fabric.device)
    description = describe(item, stage)
    torch.manual_seed(mixed_seed((item.params.seed, stage)))
    network = build_network(**description["network"])
    if stage > 1 and profile.refinement(stage).start == "previous":
        previous, _ = load_stage(item.weights(stage - 1), stage - 1, item.skeleton.described)
        network.load_state_dict(previous.state_dict())
    fabric.print(f"{parameter_count(network):,} parameters")
    inputs = [*item.train.example_tables, item.train.initial_boxes]
    if stage > 1:
        inputs += [item.augmented_set(stage), item.train_predictions(stage - 1, mirrored=False)]
        inputs.append(item.weights(stage - 1))
    steps = profile.stage(stage).steps[item.model_name]
    settings = [
        profile.training.model_dump(),
        profile.trusted,
        profile.device.model_dump(),
        steps,
        # In later stages it is the augmented set that repeats.
        profile.stage(stage).model_dump(
            exclude={"steps"} if stage == 1 else {"steps", "repeated", "shrinkage"}
        ),
        item.params.seed,
        item.params.threads,
    ]
    run_name = fingerprint([description, settings], inputs)
    checkpoint = Path(".checkpoints") / run_name / "state.pt"
    table = training_table(item, stage, examples, images, network)
    log = train(
        network,
        table,
        profile.training,
        fabric,
        held_out_judge(item, description, examples, images, fabric),
        steps=steps,
        checkpoint=checkpoint,
        speed_log=Path("logs") / item.profile_name / item.model_name / f"images-per-second-stage{stage}.csv",
        workers=workers_of(item, fabric.device),
        name=f"training stage {stage}",
        last=trusted_part(item, stage, table, examples, steps),
    )
    if fabric.is_global_zero:
        write_text(item.training_log(stage), log.to_csv(index=False, float_format="%.6g"))
        save_network(network, description, item.weights(stage))
        checkpoint.unlink()
        checkpoint.parent.rmdir()


def describe(item: Item, stage: int) -> dict[str, Any]:
    """What goes with the weights: all that it takes to run them."""
    sizes = item.profile.network
    description: dict[str, Any] = {
        "stage": stage,
        "skeleton": item.skeleton.described,
        "initial_box": read_json(item.initial_box_rule),
        "average_mirrored": item.profile.average_mirrored,
        "network": {
            **sizes.model_dump(exclude={"input", "inputs"}),
            "joints": len(item.skeleton.joints),
            "size": item.profile.input_of(stage, item.model_name),
            "mean": read_json(item.mean_colour),
        },
    }
    if stage > 1:
        description |= {"sigma": item.sigma, "smallest_box": item.profile.smallest_box}
        if shrinkage := item.profile.refinement(stage).shrinkage.get(item.model_name):
            description["shrinkage"] = shrinkage
    return description


def training_table(
    item: Item, stage: int, examples: Examples, images: CropSource, network: Regressor
) -> Table:
    """What batches are drawn from: the examples in stage 1, the augmented set later."""
    seed = (item.params.seed, stage)
    if stage == 1:
        first = item.profile.stage1
        return WholeBodies(
            images=images,
            examples=examples,
            training_rows=examples.repeated(examples.rows("train"), first.repeated),
            skeleton=item.skeleton,
            size=network.size,
            padding=network.padding,
            translation=first.translation,
            keep_joints=first.keep_joints,
            seed=seed,
            scale=first.scale,
            rotation=first.rotation,
            rotated=first.rotated,
        )
    later = item.profile.refinement(stage)
    return JointBoxes(
        images=images,
        table=read_by_column(item.augmented_set(stage)),
        examples=examples,
        skeleton=item.skeleton,
        size=network.size,
        padding=network.padding,
        seed=seed,
        others=later.others,
        scale=later.scale,
        rotation=later.rotation,
    )


def trusted_part(item: Item, stage: int, table: Table, examples: Examples, steps: int) -> LastPart | None:
    """The steps that draw from the trusted sets alone; None where params ask for none, or all are trusted.

    Raises
    ------
    AnnotationError
        If the table shows none of their examples.
    """
    share = item.profile.training.trusted_from[stage - 1]
    if share == 1:
        return None
    rows = table.rows_of(item.trusted_rows(examples))
    if len(rows) == 0:
        raise AnnotationError(
            f"training.trusted_from is {share:g} for stage {stage}, but no example of a trusted set is left: "
            f"lower model.{item.model_name}.held_out, or set it to 1"
        )
    return LastPart(round(share * steps), rows) if len(rows) < len(table) else None


def read_by_column(path: Path) -> pd.DataFrame:
    """A Parquet file, one column after the other: all at once take three times a table's own memory."""
    with reading(path):
        file = pyarrow.parquet.ParquetFile(path)
        columns = {name: file.read([name]).column(0).to_numpy() for name in file.schema_arrow.names}
    return pd.DataFrame(columns, copy=False)


def held_out_judge(
    item: Item, description: dict[str, Any], examples: Examples, images: CropSource, fabric: Fabric
) -> Callable[[Regressor], float]:
    """What tells how good a network is: its mean PDJ at 0.2 on the held-out images (§4.1)."""
    # Alone, since statistics of batch normalisation differ from process to process.
    predictor = predictor_of(item, fabric, description, shared=False)
    rows = examples.rows("held-out")
    poses, labelled = examples.poses[rows], examples.labelled[rows]
    diameters = examples.diameters[rows]
    stage = description["stage"]
    previous = None if stage == 1 else item.read_train_predictions(stage - 1, examples)[rows]

    def judge(network: Regressor) -> float:
        found, _ = predict_stage(network, description, predictor, images, examples, rows, previous)
        figure = mean_pdj(joint_errors(found.poses, poses, labelled, diameters), 0.2)
        if figure is None:
            raise AnnotationError(
                f"none of the {len(rows)} held-out images has a pose with a diameter: raise "
                f"model.{item.model_name}.held_out or take another seed"
            )
        return figure

    return judge
