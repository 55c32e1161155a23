"""Poses in COCO's format of keypoint results: a JSON list of {image_id, keypoints, score}.

Keypoints are those of COCO, of MPII, or the set's own, told by their number; joints are matched by name.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeppose.core.errors import PredictionsError
from deeppose.core.geometry import Floats
from deeppose.core.skeleton import Skeleton
from deeppose.data.example_names import SHARED, ExampleNames

LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
COCO = ("nose", *(f"{side} {joint}" for joint in ("eye", "ear", *LIMBS) for side in ("left", "right")))
MPII = (
    "right ankle",
    "right knee",
    "right hip",
    "left hip",
    "left knee",
    "left ankle",
    "pelvis",
    "thorax",
    "neck",  # as MPII calls it, the upper neck
    "head top",
    "right wrist",
    "right elbow",
    "right shoulder",
    "left shoulder",
    "left elbow",
    "left wrist",
)
MOST_BYTES = 32 << 20
"""Of a file: JSON may take thirty times as much once it is read."""


def read_coco_results(path: Path, members: Sequence[str], skeleton: Skeleton) -> tuple[Floats, list[str]]:
    """Read the poses, and in words what was made of the file.

    Of several results for an image the one with the highest score is taken, of equal ones the first. A
    keypoint of three zeros is a miss; other than that, its third number doesn't count.

    Parameters
    ----------
    members
        The image of each example, `(n,)`: what `image_id` names, if it isn't the example's number, from 0.

    Returns
    -------
    poses
        `(n, k, 2)`, pixels, 0-based; NaN is a miss.
    remarks
        Whose joints these are, how many examples have no result, how many images several.

    Raises
    ------
    PredictionsError
        Naming the result, counted from 0, and what is wrong with it.
    """
    results = _results(path)
    names = ExampleNames(members)
    joints: tuple[str, ...] | None = None
    best: dict[int, float] = {}
    several: Counter[int] = Counter()
    poses = np.full((len(members), len(skeleton.joints), 2), np.nan)
    shared = False
    for number, result in enumerate(results):
        where = f"{path}, result {number}"
        if not isinstance(result, dict) or not {"image_id", "keypoints"} <= result.keys():
            raise PredictionsError(f"{where}: an object with image_id, keypoints and score is expected")
        keypoints = _keypoints(result["keypoints"], where)
        found = _joints(len(keypoints), skeleton, where)
        if joints not in (None, found):
            raise PredictionsError(
                f"{where}: {len(keypoints)} keypoints, where result 0 has {len(joints or ())}"
            )
        joints = found
        examples = _examples(result["image_id"], names, where)
        shared |= len(examples) > 1
        score = _score(result.get("score"), where)
        for example in examples:
            several[example] += 1
            if several[example] > 1 and "score" not in result:
                raise PredictionsError(f"{where}: a second result for its image, without a score")
            if score > best.get(example, -np.inf):
                best[example] = score
                poses[example] = _on(skeleton, joints, keypoints)
    remarks = _remarks(joints or (), skeleton, several, len(members))
    return poses, [*remarks, *([SHARED] if shared else [])]


def _results(path: Path) -> list[Any]:
    if path.stat().st_size > MOST_BYTES:
        raise PredictionsError(
            f"{path} is larger than {MOST_BYTES >> 20} MB, which no test set's results are"
        )
    try:
        results = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise PredictionsError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise PredictionsError(f"{path}: not a readable JSON file ({why})") from error
    if not isinstance(results, list) or not results:
        raise PredictionsError(f"{path}: a list of results is expected, as COCO has them for keypoints")
    return results


def _keypoints(values: Any, where: str) -> Floats:  # noqa: ANN401 - whatever JSON can hold
    """Points `(k, 2)`; NaN where they are missed."""
    numbers = np.array([_number(value) for value in values] if isinstance(values, list) else [np.inf])
    if len(numbers) % 3 or np.isinf(numbers).any():
        raise PredictionsError(f"{where}: keypoints are not finite numbers x1, y1, v1, x2, …, three a joint")
    triples: Floats = numbers.reshape(-1, 3).astype(np.float64)
    triples[(triples == 0).all(axis=1)] = np.nan
    return triples[:, :2]


def _joints(count: int, skeleton: Skeleton, where: str) -> tuple[str, ...]:
    # The set's own come first: a skeleton of 17 joints need not be COCO's.
    for joints in (skeleton.joints, COCO, MPII):
        if len(joints) == count:
            return joints
    raise PredictionsError(
        f"{where}: {count} keypoints; COCO's {len(COCO)}, MPII's {len(MPII)} or the set's own "
        f"{len(skeleton.joints)} are expected"
    )


def _examples(image: Any, names: ExampleNames, where: str) -> list[int]:  # noqa: ANN401
    if type(image) is int and 0 <= image < len(names.members):
        return [image]
    try:
        return names.find(str(image))
    except PredictionsError as error:
        raise PredictionsError(f"{where}: image_id is {error}") from error


def _score(score: Any, where: str) -> float:  # noqa: ANN401
    number = _number(0 if score is None else score)
    if not np.isfinite(number):
        raise PredictionsError(f"{where}: score is {str(score)[:60]!r}, not a finite number")
    return number


def _number(value: Any) -> float:  # noqa: ANN401
    """As a float; infinite where it is no number, or beyond what floats hold."""
    try:
        return float(value) if type(value) in (int, float) else np.inf
    except OverflowError:
        return np.inf


def _on(skeleton: Skeleton, joints: Sequence[str], points: Floats) -> Floats:
    """The pose `(k, 2)` of the skeleton, NaN where it has a joint that these are not."""
    known = dict(zip(joints, points, strict=True))
    return np.stack([known.get(joint, np.full(2, np.nan)) for joint in skeleton.joints])


def _remarks(joints: tuple[str, ...], skeleton: Skeleton, several: Counter[int], count: int) -> list[str]:
    whose = {COCO: "COCO's", MPII: "MPII's"}.get(joints, "the set's own")
    if joints == skeleton.joints:
        whose = "the set's own"
    remarks = [f"the {len(joints)} keypoints are taken for {whose} joints"]
    if chosen := sum(results > 1 for results in several.values()):
        remarks.append(
            f"several results for {chosen} of {count} examples: of each the one with the highest score counts"
        )
    if missed := count - len(several):
        remarks.append(f"no result for {missed} of {count} examples: all of their joints are missed")
    return remarks
