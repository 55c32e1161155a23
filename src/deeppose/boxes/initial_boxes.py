"""Initial boxes b⁰ (§4.1): the full image, or in whole scenes a detected face, enlarged by one fixed scaler.

The scaler is the smallest with which the enlarged faces of the training images contain the labelled joints.
Boxes are centre x, centre y, width, height in pixels, as everywhere; joints and boxes outside the image count
as they are.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deeppose.boxes.faces import FACE_COLUMNS
from deeppose.core.errors import AnnotationError, FaceError
from deeppose.core.examples import ANNOTATED_COLUMNS, BOX_COLUMNS, TORSO_COLUMNS, Examples, Indices
from deeppose.core.geometry import Bools, Floats, enlarged

Rule = Literal["torso", "confidence"]
Chosen = NDArray[np.object_]
ByPartAndSet = dict[str, dict[str, Any]]
Counts = dict[str, ByPartAndSet]

IMAGE, TORSO, ONLY_FACE, CONFIDENCE, NO_FACE = "image", "torso", "only face", "confidence", "no face"
ANNOTATION, TIGHT = "annotation", "tight"
WAYS = (TORSO, ONLY_FACE, CONFIDENCE, NO_FACE)
FACES_SHOWN = (NO_FACE, "one face", "several faces")

# On FLIC's training part 98.8 % of the faces chosen so hold the labelled nose, and 0.05 % of the right ones
# are lost. Without a limit to the reach it is 95.5 %: others' faces beside people seen from behind,
# and the scaler for 99 % of the joints rises from 8.7 to 19.7.
FACE_PLACE = np.array([0.0, -1 / 3])
"""Where a face is looked for: from the middle of the torso's upper edge, in its widths and heights."""
REACH = 0.75
"""How far from there a face may be, in the same unit, to be that person's."""

CURVE_SHARES = np.linspace(0, 1, 201)


InitialBoxes = tuple[pd.DataFrame, Counts]
"""What examples start from, one row an example: columns BOX_COLUMNS (b⁰) and `chosen` (how each came about:
"image", "tight", "annotation", or one of WAYS); and by what is counted, part and set: the figures, ready for
JSON."""


def assign_boxes(
    halves: Sequence[Examples],
    faces: Sequence[pd.DataFrame],
    rule: Rule | None,
    joints_in_box: float,
    *,
    annotated: bool = False,
    tight: Sequence[str] = (),
    recrops: int = 0,
) -> tuple[list[pd.DataFrame], dict[str, object], dict[str, Any], pd.DataFrame | None]:
    """Initial boxes of the training images and of the test images, from faces.

    Parameters
    ----------
    halves, faces
        Of the training images, held-out ones among them, and of the test images; the scaler is fixed by the
        first. Without `faces` each box is the full image.
    rule, joints_in_box
        See :func:`fix_scaler`.
    annotated
        Whether the boxes are those that labels have.
    tight
        Where b⁰ is the full image: the training sets whose boxes are those of :func:`tight_boxes`.
    recrops
        Where b⁰ is the full image: how often stage 1 then sees the box about the pose that it found.

    Returns
    -------
    boxes
        Of the training and of the test images, see :data:`InitialBoxes`.
    rule
        How b⁰ is made of an image, as it goes with the weights.
    report
        What was chosen how, ready for JSON.
    containment
        As of :func:`containment_curve`; None without faces.
    """
    how: dict[str, object] = {"kind": "image"}
    fixed: dict[str, float] = {}
    if annotated:
        how, curve = {"kind": "annotation"}, None
        made = [annotated_boxes(examples) for examples in halves]
    elif not faces or rule is None:
        curve = None
        made = [image_boxes(examples, tight) for examples in halves]
        if recrops:
            how |= {"recrops": recrops, "margin": margin_of(halves[0], tight)}
    else:
        scale, share, curve = fix_scaler(halves[0], faces[0], rule, joints_in_box)
        how, fixed = {"kind": "face", "scale": scale}, {"scale": scale, "share_contained": share}
        pairs = zip(halves, faces, strict=True)
        made = [face_boxes(examples, found, rule, scale) for examples, found in pairs]
    (train, of_train), (test, of_test) = made
    return [train, test], how, {**fixed, **{what: of_train[what] | of_test[what] for what in of_train}}, curve


def image_boxes(examples: Examples, tight: Sequence[str] = ()) -> InitialBoxes:
    """The full image for every example, as on LSP (§4.1), but for training examples of the sets `tight`."""
    if ANNOTATED_COLUMNS[0] in examples.table and (
        several := int(examples.table["offset"].duplicated().sum())
    ):
        print(
            f"{several} examples share an image, and so b⁰, with another: `initial_box: annotation` tells "
            f"them apart"
        )
    boxes = examples.full_images
    chosen = np.full(len(boxes), IMAGE, dtype=object)
    kinds: tuple[str, ...] = (IMAGE,)
    if examples.table.loc[examples.table["part"] == "train", "set"].isin(tight).any():
        rows, about_joints = tight_boxes(examples, tight)
        boxes[rows], chosen[rows], kinds = about_joints, TIGHT, (IMAGE, TIGHT)
    table = pd.DataFrame(boxes, columns=BOX_COLUMNS).assign(chosen=chosen)
    return table, {"examples": _counts(examples.table, chosen, kinds)}


def tight_boxes(examples: Examples, sets: Sequence[str]) -> tuple[Indices, Floats]:
    """Boxes about the labelled joints, with the margins that the other training images leave around theirs.

    The full image is b⁰ on LSP "since the humans are relatively tightly cropped" (§4.1). On LSP extended they
    are not: stage 1 would see most of them at half the size that it is tested on.

    Parameters
    ----------
    sets
        The training sets that get such boxes. Their examples take the margins of the other training examples
        in turn, as shares of the longer side of the joints' bounding box. Of poses without a diameter too
        little is labelled for either.

    Returns
    -------
    Which rows have such a box, and these `(rows, 4)`.

    Raises
    ------
    AnnotationError
        If no training example of another set has a diameter.
    """
    rows, others = _training_rows(examples, sets)
    before, after = _margins(examples, others)
    in_turn = np.resize(np.arange(len(others)), len(rows))
    low, high, longer_side = _extents(examples, rows)
    low, high = low - before[in_turn] * longer_side, high + after[in_turn] * longer_side
    return rows, np.concatenate([(low + high) / 2, np.maximum(high - low, 1.0)], axis=-1)


def margin_of(examples: Examples, tight: Sequence[str]) -> float:
    """What training images leave around their labelled joints, the median over images and sides.

    It is a share of the longer side of the joints' bounding box; images of the sets `tight` don't count.

    Raises
    ------
    AnnotationError
        If no training example of another set has a diameter.
    """
    _, others = _training_rows(examples, tight)
    return round(float(np.median(_margins(examples, others))), 3)


def _training_rows(examples: Examples, sets: Sequence[str]) -> tuple[Indices, Indices]:
    """Training examples whose pose has a diameter: of the sets, and of others."""
    usable = (examples.table["part"] == "train").to_numpy() & np.isfinite(examples.diameters)
    of_sets = examples.table["set"].isin(sets).to_numpy()
    rows, others = np.flatnonzero(usable & of_sets), np.flatnonzero(usable & ~of_sets)
    if len(others) == 0:
        raise AnnotationError(
            "tight_boxes and recrops in the profile take margins from the training images of sets that "
            f"tight_boxes ({', '.join(sets) or 'none'}) doesn't name, and no pose in these has a diameter: "
            "take a set out of it, or train on another one too"
        )
    return rows, others


def _margins(examples: Examples, rows: Indices) -> tuple[Floats, Floats]:
    """Before and after the labelled joints, each `(n, 2)`, in the longer side of their bounding box."""
    low, high, longer_side = _extents(examples, rows)
    ends = examples.full_images[rows, 2:] - 0.5
    return np.maximum(low + 0.5, 0) / longer_side, np.maximum(ends - high, 0) / longer_side


def _extents(examples: Examples, rows: Indices) -> tuple[Floats, Floats, Floats]:
    """Left upper and right lower corner of the labelled joints' bounding box, and its longer side, pixels."""
    labelled = examples.labelled[rows][..., None]
    low, high = (
        edge(np.where(labelled, examples.poses[rows], beyond), axis=1)
        for edge, beyond in ((np.min, np.inf), (np.max, -np.inf))
    )
    return low, high, (high - low).max(axis=1, keepdims=True)


def annotated_boxes(examples: Examples) -> InitialBoxes:
    """The boxes that labels have, as they are.

    Raises
    ------
    AnnotationError
        Naming the first example that has none.
    """
    table = examples.table.reindex(columns=[*examples.table.columns.union(ANNOTATED_COLUMNS, sort=False)])
    boxes = table[ANNOTATED_COLUMNS].to_numpy(np.float64)
    without = np.flatnonzero(np.isnan(boxes).any(axis=1))
    if len(without):
        first = table.iloc[without[0]]
        raise AnnotationError(
            f"{len(without)} examples have no box in their labels, one in {first['file']} of {first['set']}: "
            f"label boxes, or set `initial_box: image` for this model in params.yaml"
        )
    chosen = np.full(len(boxes), ANNOTATION, dtype=object)
    made = pd.DataFrame(boxes, columns=BOX_COLUMNS).assign(chosen=chosen)
    return made, {"examples": _counts(table, chosen, (ANNOTATION,))}


def fix_scaler(
    examples: Examples, faces: pd.DataFrame, rule: Rule, joints_in_box: float
) -> tuple[float, float, pd.DataFrame]:
    """The smallest scaler with which the enlarged faces of the part "train" contain its labelled joints.

    Parameters
    ----------
    examples
        Their table with `offset`, `part` and the torso's box.
    faces
        As of :func:`deeppose.boxes.faces.faces_table`.
    rule
        Which of the faces is the person's, see :func:`choose_faces`.
    joints_in_box
        Share of the labelled joints that the enlarged faces must contain; 1 in the paper.

    Returns
    -------
    The factor on the sides of a face, the share of the labelled training joints inside the enlarged faces,
    and that share against the factor, as of :func:`containment_curve`.

    Raises
    ------
    FaceError
        If no training example has both a face and a labelled joint.
    """
    train = examples.rows("train")
    own, _ = _own_faces(examples.table.iloc[train], faces, rule)
    needed = factors_needed(own, examples.poses[train], examples.labelled[train])
    if np.isnan(needed).all():
        raise FaceError(
            f"none of the {len(train)} training examples has both a face and a labelled joint: there is "
            f"nothing to fix the scaler of the initial boxes by; train on images that show faces, or set "
            f"`initial_box: image` for this model in params.yaml"
        )
    scale = containing_factor(needed, joints_in_box)
    return scale, float(_share_contained(needed, np.array([scale]))[0]), containment_curve(needed)


def face_boxes(examples: Examples, faces: pd.DataFrame, rule: Rule, scale: float) -> InitialBoxes:
    """Each person's face, enlarged; without a face, the full image.

    Parameters
    ----------
    examples
        Their table with `offset`, `width`, `height`, `part`, `set` and the torso's box.
    faces, rule
        As of :func:`fix_scaler`.
    """
    table = examples.table
    own, chosen = _own_faces(table, faces, rule)
    faceless = chosen == NO_FACE
    boxes = np.where(faceless[:, None], examples.full_images, enlarged(own, scale))
    of_others = table["offset"].isin(faces["offset"]) & faceless
    by_image = faces["offset"].value_counts()
    images = table.drop_duplicates(["part", "set", "offset"])
    shown = np.minimum(images["offset"].map(by_image).fillna(0).to_numpy(np.int64), 2)
    counts: Counts = {
        "examples": _counts(table, chosen, WAYS),
        "images": _counts(images, np.array(FACES_SHOWN, dtype=object)[shown], FACES_SHOWN),
        "faces_of_others_only": _nested(of_others.groupby([table["part"], table["set"]]).sum()),
    }
    return pd.DataFrame(boxes, columns=BOX_COLUMNS).assign(chosen=chosen), counts


def _own_faces(table: pd.DataFrame, faces: pd.DataFrame, rule: Rule) -> tuple[Floats, Chosen]:
    torsos = table[TORSO_COLUMNS].to_numpy(np.float64)
    return choose_faces(faces, table["offset"].to_numpy(np.int64), torsos, rule)


def choose_faces(
    faces: pd.DataFrame, offsets: Indices, torso_boxes: Floats, rule: Rule
) -> tuple[Floats, Chosen]:
    """Which of an image's faces is the person's.

    By "torso", where a torso's box names the person: the face nearest to FACE_PLACE, up to REACH away;
    somebody seen from behind has none, and a face farther off is another's. By "confidence", and where
    nobody is named: the face with the highest score. Of equals the leftmost.

    Parameters
    ----------
    faces
        As of :func:`deeppose.boxes.faces.faces_table`.
    offsets
        Each example's image, `(n,)`.
    torso_boxes
        `(n, 4)`; NaN where nobody is named.

    Returns
    -------
    faces
        `(n, 4)`; NaN where there is none.
    chosen
        `(n,)`: "torso" or "confidence", "only face" where the image has one alone, or "no face".
    """
    pairs = pd.DataFrame({"offset": offsets, "example": np.arange(len(offsets))}).merge(faces, on="offset")
    example = pairs["example"].to_numpy(np.int64)
    found = pairs[FACE_COLUMNS].to_numpy(np.float64)
    named = ~np.isnan(torso_boxes[:, 0]) & (rule == "torso")
    torsos = torso_boxes[example]
    place = (found[:, :2] - torsos[:, :2]) / torsos[:, 2:] + [0, 0.5] - FACE_PLACE
    distance = np.where(named[example], np.linalg.norm(place, axis=-1), 0.0)
    best_first = np.lexsort((found[:, 0], -pairs["score"].to_numpy(np.float64), distance, example))
    near = best_first[distance[best_first] <= REACH]
    with_face, first = np.unique(example[near], return_index=True)
    own = np.full((len(offsets), 4), np.nan)
    own[with_face] = found[near[first]]
    alone = np.bincount(example, minlength=len(offsets)) == 1
    chosen = np.where(alone, ONLY_FACE, np.where(named, TORSO, CONFIDENCE)).astype(object)
    chosen[np.isnan(own[:, 0])] = NO_FACE
    return own, chosen


def factors_needed(faces: Floats, poses: Floats, labelled: Bools) -> Floats:
    """The smallest factor on the sides of its face with which the rectangle contains a joint.

    Parameters
    ----------
    faces
        `(n, 4)`; NaN where there is none.
    poses, labelled
        `(n, k, 2)` pixels and `(n, k)`.

    Returns
    -------
    `(n, k)`; NaN where there is no face, or no label.
    """
    away = np.abs(poses - faces[:, None, :2]) / (faces[:, None, 2:] / 2)
    return np.where(labelled, away.max(axis=-1), np.nan)


def containing_factor(needed: Floats, share: float) -> float:
    """The smallest factor with which at least `share` of the joints are contained, all of them with 1 (§4.1).

    `needed` is as of :func:`factors_needed`, one not NaN at least.
    """
    return float(np.nanquantile(needed, share, method="inverted_cdf"))


def containment_curve(needed: Floats) -> pd.DataFrame:
    """Share of the joints that are contained against the factor, from none to all of them.

    `needed` is as of :func:`factors_needed`, one not NaN at least. Columns `factor`, `share`, both rising:
    the smallest factors for shares in steps of half a percent.
    """
    factors = np.unique(np.nanquantile(needed, CURVE_SHARES, method="inverted_cdf"))
    return pd.DataFrame({"factor": factors, "share": _share_contained(needed, factors)})


def _share_contained(needed: Floats, factors: Floats) -> Floats:
    counted = np.sort(needed[~np.isnan(needed)])
    return np.searchsorted(counted, factors, side="right") / len(counted)


def _counts(table: pd.DataFrame, kinds: Chosen, wanted: Sequence[str]) -> ByPartAndSet:
    by_kind = pd.crosstab([table["part"], table["set"]], kinds).reindex(columns=list(wanted), fill_value=0)
    return _nested(pd.Series(by_kind.to_dict("index"), dtype=object))


def _nested(counts: "pd.Series[Any]") -> ByPartAndSet:
    nested: ByPartAndSet = {}
    for (part, name), count in zip(counts.index, counts.tolist(), strict=True):
        nested.setdefault(part, {})[name] = count
    return nested
