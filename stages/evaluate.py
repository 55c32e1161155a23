"""Measure the predictions of every stage, of the mean training pose and of other methods, on every test set.

Writes tables of errors by joint and limb, and the rates read from them: PCP and PDJ (§4.1).
"""

from run import run

from pathlib import Path

from deeppose.core.files import atomic_path, write_json
from deeppose.core.paths import Item
from deeppose.evaluation.evaluate import evaluate
from deeppose.evaluation.evaluation import metrics
from deeppose.evaluation.formatting import gain_text


def outputs(item: Item, _: int) -> list[Path]:
    return [item.evaluation]


def main(item: Item, _: int) -> None:
    evaluation = evaluate(item)
    measured = metrics(evaluation, item.params.cascade_stages)
    with atomic_path(item.evaluation) as folder:
        folder.mkdir()
        evaluation.write(folder)
        write_json(folder / "metrics.json", measured)
    for stage in range(2, item.params.cascade_stages + 1):
        print(f"held-out images: {gain_text(stage, measured['held-out'][f'gain_of_stage_{stage}'])}")


if __name__ == "__main__":
    run(main, outputs)
