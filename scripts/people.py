"""How people are found in photos, and with what confidence: chosen and measured on held-out images.

    python scripts/people.py choose [SKELETON...]    write src/deeppose/deploy/people.json, docs/people.json
    python scripts/people.py page                    write docs/people.md and its figure again, from it

The archives are those in the folder that DEEPPOSE_MIRROR names. Both skeletons take half an hour on two idle
cores; where only one model's weights changed, full-body or upper-body can be chosen alone.
Neither model was trained on what is looked at: full bodies are judged on Image Parse's training part, on
scenes pasted together from it and on FLIC's training frames, upper bodies on LSP's training part.
docs/nobody.csv has rectangles of FLIC's training frames that show nobody, found by eye. One half of each
chooses, the other half is what is reported.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from pages import page_of, table
from people_pictures import Picture, crowds, pasted, people_of, pictures_of_nobody
from project_copy import check_mirror
from scipy.optimize import minimize
from scipy.stats import mannwhitneyu

from deeppose.boxes.face_detector import LONGER_SIDE, FaceDetector
from deeppose.core.files import read_json, write_json, write_text
from deeppose.core.geometry import Floats, diameter, enlarged
from deeppose.core.images import Pixels
from deeppose.core.params import mirror_folders
from deeppose.core.params_file import load_params
from deeppose.core.skeleton import Skeleton
from deeppose.data.registry import read_set
from deeppose.deploy import people
from deeppose.deploy.cascade import Cascade
from deeppose.deploy.people import Finding, boxes_around, find_people
from deeppose.deploy.pose import Pose
from deeppose.evaluation.formatting import rate_text
from deeppose.report.style import new_figure, save_plot, styled

FINDINGS = Path(people.__file__).with_name(people.FOUND)
MEASURED, PAGE = Path("docs/people.json"), Path("docs/people.md")
SEED = 7
RIGHT = 0.2
"""Of the true pose's diameter: how near a joint is that counts as right."""
UPPER, WHOLE, FAR = [1.0, 6.0, 9.5], [1.5, 8.0, 13.0], [2.0, 10.0, 17.0]
"""Boxes of a face: from how far above its centre, width and height, in sides of the face."""
HIGH, LOW = [1.0, 0.6], [0.6, 0.6]
"""Windows: height in heights of the photo, width in their own heights."""
FAR_FACES = 960
"""Pixels of a photo's longer side at which small faces are found; twice as many take four times as long."""
FIRST = {"search": FAR_FACES, "face_boxes": [UPPER, WHOLE, FAR], "windows": [HIGH, LOW], "enlarged": 1.8}
CHANGES: list[dict[str, Any]] = [
    {},
    {"search": LONGER_SIDE},
    {"face_boxes": [UPPER, WHOLE]},
    {"windows": []},
    {"enlarged": None},
]
"""One at a time; the best of each kind are taken together."""
KEPT = 0.99
"""Of the people with a face whose pose is right, the share that is found."""
AROUND_TRUTH = (1.2, 1.8)
"""Boxes around true poses, their sides times these, on which confidences are fitted."""


class Judged(NamedTuple):
    """What is found in pictures.

    Attributes
    ----------
    right
        Of each labelled person the share of the joints that are right.
    scores
        Of each picture the highest score of a person in it; 0 where nobody is found.
    with_face
        Of each person who is found with a face the score, and the share of right joints, `(n, 2)`.
    """

    right: Floats
    scores: Floats
    with_face: Floats


def main(chosen: Sequence[str]) -> None:
    findings, measured = read_json(FINDINGS), read_json(MEASURED)
    if chosen:
        check_mirror()
        folders = mirror_folders(load_params().mirror)
        for skeleton in chosen:
            finding, measured[skeleton] = CHOOSING[skeleton](folders)
            findings[skeleton] = asdict(finding)
        write_json(FINDINGS, findings)
        write_json(MEASURED, measured)
    write_text(PAGE, page(measured))
    curves(measured)


def choose_full_body(folders: Sequence[Path]) -> tuple[Finding, dict[str, Any]]:
    """How whole bodies are found, and what that gives on the other half."""
    cascade = Pose("lsp").cascade
    parse, flic = (read_set(name, folders, "oc") for name in ("parse", "flic"))
    nobody = list(pictures_of_nobody(flic))
    single = list(people_of(parse, np.flatnonzero(parse.train), cascade.skeleton))
    frames = list(people_of(flic, np.flatnonzero(flic.train)[::66], cascade.skeleton))
    halves = []
    for half in (0, 1):
        alone = single[half::2]
        scenes = list(
            pasted(alone, [picture.pixels for picture in frames], np.random.default_rng([SEED, half]))
        )
        many = list(crowds(frames[half::2], 3, 3, np.random.default_rng([SEED, 2, half])))
        halves.append(
            {
                "Image Parse": alone,
                "scenes": scenes,
                "FLIC": frames[half::2],
                "crowds": many,
                "nobody": nobody[half::2],
            }
        )
    choosing, reported = halves
    shown = [picture for kind in ("Image Parse", "FLIC") for picture in choosing[kind]]
    logistic = {stage: fitted(cascade, shown, stage) for stage in ("first", "last")}
    start = Finding(**FIRST, least=0.0, least_unseen=0.0, apart=0.5, logistic=logistic)
    print(start, flush=True)
    kinds = [kind for kind in choosing if kind != "nobody"]
    tried, best = [], {}
    for change in CHANGES:
        finding = without_false_people(cascade, choosing["nobody"], replace(start, **change))
        shares = {kind: float(judged(cascade, choosing[kind], finding).right.mean()) for kind in kinds}
        mean = float(np.mean(list(shares.values())))
        tried.append({name: getattr(finding, name) for name in FIRST} | {"right": shares})
        print(tried[-1], flush=True)
        for name in change or FIRST:
            if mean > best.get(name, (0.0,))[0]:
                best[name] = mean, getattr(finding, name)
    finding = replace(start, **{name: value for name, (_, value) in best.items()})
    finding = without_false_people(cascade, choosing["nobody"], finding)
    finding = with_faces(cascade, [picture for kind in kinds for picture in choosing[kind]], finding)
    print(finding, flush=True)
    whole = replace(finding, face_boxes=[], windows=[], enlarged=None, least=0.0, least_unseen=0.0)
    return finding, {"tried": tried, **report(cascade, reported, {"full image": whole, "found": finding})}


def with_faces(cascade: Cascade, pictures: Sequence[Picture], finding: Finding) -> Finding:
    """The lowest score of people with a face with which nearly all are found whose pose is right."""
    scores, shares = judged(cascade, pictures, finding).with_face.T
    return replace(finding, least=round(float(np.quantile(scores[shares >= 0.5], 1 - KEPT)), 3))


def without_false_people(cascade: Cascade, nobody: Sequence[Picture], finding: Finding) -> Finding:
    """The lowest score of people without a face with which no picture of nobody has one."""
    false = judged(cascade, nobody, replace(finding, least_unseen=0.0)).scores
    return replace(finding, least_unseen=(np.floor(false.max() * 1000).item() + 1) / 1000)


def choose_upper_body(folders: Sequence[Path]) -> tuple[Finding, dict[str, Any]]:
    """How upper bodies are found: by faces as the model was trained, with a threshold."""
    cascade = Pose("flic").cascade
    lsp, flic = (read_set(name, folders, "oc") for name in ("lsp", "flic"))
    train = np.flatnonzero(lsp.train)[::4]
    pictures = list(people_of(lsp, train, cascade.skeleton))
    nobody = list(pictures_of_nobody(flic))
    choosing, reported = (
        {
            "LSP": pictures[half::2],
            "crowds": list(crowds(pictures[half::2], 5, 3, np.random.default_rng([SEED, 3, half]))),
            "nobody": nobody[half::2],
        }
        for half in (0, 1)
    )
    logistic = {stage: fitted(cascade, choosing["LSP"], stage) for stage in ("first", "last")}
    near = Finding(LONGER_SIDE, None, [], None, 0.0, 1.0, 0.5, logistic)
    ways = [near, replace(near, search=FAR_FACES)]
    shares = [
        sum(judged(cascade, choosing[kind], way).right.mean() for kind in ("LSP", "crowds")) for way in ways
    ]
    every = ways[int(np.argmax(shares))]
    finding = with_faces(cascade, choosing["LSP"], every)
    ways = {"every face, at 480 pixels": near, "every face": every, "found": finding}
    return finding, report(cascade, reported, ways)


def judged(cascade: Cascade, pictures: Sequence[Picture], finding: Finding) -> Judged:
    """Find people as a finding says, and compare them with the labelled ones."""
    right, scores, with_face = [], [], []
    for picture in pictures:
        with mock.patch.dict(people.findings(), {cascade.skeleton.name: finding}):
            found = find_people(cascade, picture.pixels)
        shares = np.zeros((len(picture.poses), len(found)))
        for (person, pose), _ in np.ndenumerate(shares):
            of_both = right_joints(found[pose].pose[None], picture.poses[[person]], cascade.skeleton)
            shares[person, pose] = np.nanmean(of_both)
        best = shares.max(axis=0, initial=0.0)
        with_face += [
            (someone.score, share) for someone, share in zip(found, best, strict=True) if someone.face
        ]
        scores.append(max((someone.score or 0.0 for someone in found), default=0.0))
        right += each_once(shares)
    return Judged(np.array(right), np.array(scores), np.reshape(with_face, (-1, 2)))


def each_once(shares: Floats) -> list[float]:
    """Of each labelled person the share of right joints `(people, poses)`; a pose is one person's alone."""
    left, best = shares.copy(), np.zeros(len(shares))
    for _ in range(min(left.shape)):
        person, pose = np.unravel_index(left.argmax(), left.shape)
        best[person] = left[person, pose]
        left[person], left[:, pose] = -1, -1
    return best.tolist()


def right_joints(found: Floats, true: Floats, skeleton: Skeleton) -> Floats:
    """Whether joints `(n, k)` are right, 0 or 1; NaN where unlabelled."""
    labelled = ~np.isnan(true[..., 0])
    diameters = diameter(np.nan_to_num(true), labelled, skeleton)
    away = np.linalg.norm(found - true, axis=-1) / diameters[:, None]
    return np.where(labelled, away <= RIGHT, np.nan)


def samples(cascade: Cascade, pictures: Sequence[Picture], stage: str) -> tuple[Floats, Floats]:
    """Spreads and whether they are right, of joints whose person is in the box, more or less."""
    spreads, right = [], []
    for pixels, poses in pictures:
        true = np.repeat(poses, len(AROUND_TRUTH), axis=0)
        points = np.where(np.isnan(poses), np.nanmean(poses, axis=1, keepdims=True), poses)
        boxes = np.concatenate(
            [boxes_around(points[[n]], factor) for n in range(len(poses)) for factor in AROUND_TRUTH]
        )
        if cascade.stages[0].description["initial_box"]["kind"] == "face":
            boxes, true = own_faces(cascade, pixels, poses)
        estimate = cascade.initial(pixels, boxes) if len(boxes) else None
        for number in range(2, len(cascade.stages) + 1 if stage == "last" and estimate else 2):
            estimate = cascade.refine(number, pixels, estimate.poses, boxes)
        if estimate:
            spreads.append(estimate.spreads)
            right.append(right_joints(estimate.poses, true, cascade.skeleton))
    is_right = np.concatenate(right).ravel()
    return np.concatenate(spreads).ravel()[~np.isnan(is_right)], is_right[~np.isnan(is_right)]


def own_faces(cascade: Cascade, pixels: Pixels, poses: Floats) -> tuple[Floats, Floats]:
    """Boxes of the faces nearest to each person's shoulders, at most a diameter away, and whose they are."""
    shoulders = [cascade.skeleton.joints.index(f"{side} shoulder") for side in ("left", "right")]
    (faces,) = FaceDetector(threads=1).detect([pixels])
    scale = cascade.stages[0].description["initial_box"]["scale"]
    boxes, whose = [], []
    for pose in poses:
        length = diameter(np.nan_to_num(pose)[None], ~np.isnan(pose[None, :, 0]), cascade.skeleton)[0]
        away = np.linalg.norm(faces[:, :2] - pose[shoulders].mean(axis=0), axis=-1)
        if len(faces) and away.min() <= length:
            boxes.append(enlarged(faces[away.argmin(), :4], scale))
            whose.append(pose)
    return np.reshape(boxes, (-1, 4)), np.reshape(whose, (-1, *poses.shape[1:]))


def fitted(cascade: Cascade, pictures: Sequence[Picture], stage: str) -> list[float]:
    """Intercept and slope of the logistic regression of right joints on the logarithm of their spreads."""
    spreads, right = samples(cascade, pictures, stage)
    logarithms, signs = np.log(np.maximum(spreads, people.SMALLEST_SPREAD)), 2 * right - 1

    def loss(line: Floats) -> float:
        return float(np.logaddexp(0, -signs * (line[0] + line[1] * logarithms)).sum())

    return [round(float(value), 3) for value in minimize(loss, [0.0, -1.0]).x]


def report(cascade: Cascade, pictures: dict[str, list[Picture]], ways: dict[str, Finding]) -> dict[str, Any]:
    """What each way of finding people gives, and how the last one's confidences hold."""
    rows = {}
    for way, finding in ways.items():
        of_kind = {kind: judged(cascade, some, finding) for kind, some in pictures.items()}
        right = {kind: float(found.right.mean()) for kind, found in of_kind.items() if kind != "nobody"}
        rows[way] = {**right, "nobody": float((of_kind["nobody"].scores > 0).mean())}
    shown = [
        picture
        for kind in pictures
        if kind not in ("nobody", "scenes", "crowds")
        for picture in pictures[kind]
    ]
    spreads, right = samples(cascade, shown, "last")
    confidences = finding.confidences(spreads, "last")
    most_confident_first = np.argsort(-confidences, kind="stable")
    kept = np.unique(np.linspace(1, len(right), 50).astype(int))
    precision = np.cumsum(right[most_confident_first]) / np.arange(1, len(right) + 1)
    tenths = np.minimum((confidences * 10).astype(int), 9)
    bins = [(tenths == tenth) for tenth in range(10) if (tenths == tenth).sum() >= 20]
    above = mannwhitneyu(confidences[right == 1], confidences[right == 0]).statistic
    return {
        "ways": [[way, found] for way, found in rows.items()],
        "pictures": {kind: [len(some), sum(len(p.poses) for p in some)] for kind, some in pictures.items()},
        "joints": len(right),
        "auc": float(above / (right.sum() * (1 - right).sum())),
        "reliability": [[float(confidences[b].mean()), float(right[b].mean()), int(b.sum())] for b in bins],
        "risk": [[float(k / len(right)), float(1 - precision[k - 1])] for k in kept],
    }


def page(measured: dict[str, Any]) -> str:
    """docs/people.md."""
    findings = read_json(FINDINGS)
    blocks = []
    for skeleton, of_skeleton in measured.items():
        finding = findings[skeleton]
        kinds = [kind for kind in of_skeleton["pictures"] if kind != "nobody"]
        heads = ["", *(f"{kind}, right joints" for kind in kinds), "nobody there, somebody found"]
        rows = [
            [way, *(rate_text(found[kind]) for kind in kinds), rate_text(found["nobody"])]
            for way, found in of_skeleton["ways"]
        ]
        counts = ", ".join(f"{kind} {n} ({m} people)" for kind, (n, m) in of_skeleton["pictures"].items())
        blocks += [
            f"## {'Full' if skeleton == 'full-body' else 'Upper'} bodies",
            f"Pictures: {counts}. Chosen on as many others: a person with a face scores at least "
            f"{finding['least']}, without one {finding['least_unseen']}.",
            table(heads, rows),
            f"Of {of_skeleton['joints']:,} joints in boxes around people, the confidence tells right ones "
            f"from wrong ones with an area under the ROC curve of {of_skeleton['auc']:.2f}.",
        ]
        if of_skeleton.get("tried"):
            tried = [
                [
                    str(one["search"]),
                    face_boxes_text(one["face_boxes"]),
                    ", ".join(f"{high:g}" for high, _ in one["windows"]) or "none",
                    str(one["enlarged"] or "none"),
                    *(rate_text(one["right"][kind]) for kind in kinds),
                ]
                for one in of_skeleton["tried"]
            ]
            blocks += [
                "Chosen by the mean of these shares, on the other half:",
                table(
                    ["faces at", "boxes of a face", "windows, in heights", "second pass", *kinds],
                    tried,
                    (0, 1, 2, 3),
                ),
            ]
    return page_of(
        "Who is in the picture, and with what confidence",
        "Made by `python scripts/people.py`, which also writes the numbers that `deeppose predict` goes by. "
        "Neither model was trained on these images; no test part was looked at. A joint is right within 0.2 "
        "diameters of the true pose. A person who isn't found has no right joint.",
        "The face detector runs on the photo, resized to at most the given number of pixels on its longer "
        "side. A crowd is a montage of single-person pictures, 3 by 3 or 5 by 3 of them. "
        "[How people are found](predict.md#who-is-in-the-picture), step by step.",
        "A person's score is the mean confidence of the more confident half of the joints after stage 1.",
        "A joint's confidence is a logistic function of its heat map's standard deviation, in pose "
        "diameters. The paper's own network has no heat maps and gives no confidence.",
        *blocks,
        "![Reliability and risk against coverage](people.svg)",
    )


def face_boxes_text(boxes: list[list[float]]) -> str:
    """Boxes of a face as a table has them."""
    return ", ".join(f"{width:g}×{height:g} from {above:g} above" for above, width, height in boxes)


@styled
def curves(measured: dict[str, Any]) -> None:
    """How often joints of a confidence are right, and how many of the most confident ones are wrong."""
    figure = new_figure(8.0, 3.6, "Confidences of joints on held-out images")
    reliability, risk = figure.subplots(1, 2)
    reliability.plot([0, 1], [0, 1], color="0.8", linewidth=0.8)
    for (skeleton, found), marker in zip(measured.items(), "os", strict=True):
        reliability.plot(*np.array(found["reliability"])[:, :2].T, marker=marker, label=skeleton)
        risk.plot(*np.array(found["risk"]).T, label=skeleton)
    reliability.set(xlabel="Confidence", ylabel="Share of right joints", xlim=(0, 1), ylim=(0, 1))
    risk.set(
        xlabel="Share of joints kept, the most confident",
        ylabel="Share of them that is wrong",
        xlim=(0, 1),
        ylim=(0, None),
    )
    reliability.legend()
    save_plot(figure, PAGE.parent, "people")


CHOOSING = {"full-body": choose_full_body, "upper-body": choose_upper_body}

if __name__ == "__main__":
    what, *skeletons = sys.argv[1:] or [""]
    if (what != "choose" and sys.argv[1:] != ["page"]) or not CHOOSING.keys() >= set(skeletons):
        sys.exit(__doc__)
    main([] if what == "page" else skeletons or list(CHOOSING))
