"""Horses made of sticks, labelled as COCO keypoints."""

import json

import cv2
import numpy as np

JOINTS = (
    "nose",
    "withers",
    "tail",
    "left front hoof",
    "right front hoof",
    "left hind hoof",
    "right hind hoof",
)
LIMBS = ((1, 2), (2, 3), (2, 4), (2, 5), (3, 6), (3, 7))
STANDING = np.array([[20, 30], [50, 30], [95, 32], [48, 75], [56, 74], [90, 76], [98, 75]], np.float64)


def poses(count):
    """`(count, 7, 2)`, pixels, one decimal as a person labels."""
    generator = np.random.default_rng(0)
    moved = STANDING + generator.uniform(0, 20, (count, 1, 2)) + generator.normal(0, 3, (count, 7, 2))
    return moved.round(1)


def picture(pose, width=150, height=110):
    image = np.full((height, width, 3), (200, 190, 170), np.uint8)
    for start, end in LIMBS:
        ends = [tuple(map(int, pose[joint - 1])) for joint in (start, end)]
        cv2.line(image, *ends, (40, 60, 90), 5)
    return image


def annotation(number, pose, image=None, visible=2):
    low, high = pose.min(axis=0) - 5, pose.max(axis=0) + 5
    return {
        "id": number,
        "image_id": number if image is None else image,
        "category_id": 1,
        "keypoints": [float(value) for x, y in pose for value in (x, y, visible)],
        "bbox": [*map(float, low), *map(float, high - low)],
        "iscrowd": 0,
    }


def labels(of_poses, width=150, height=110):
    """What a labelling tool would write, of images 00.jpg, 01.jpg, …"""
    numbers = range(len(of_poses))
    sizes = {"width": width, "height": height}
    return {
        "images": [{"id": number, "file_name": f"{number:02}.jpg", **sizes} for number in numbers],
        "annotations": [annotation(number, pose) for number, pose in enumerate(of_poses)],
        "categories": [{"id": 1, "name": "horse", "keypoints": list(JOINTS), "skeleton": LIMBS}],
    }


def write(folder, count=12):
    """`photos/` and `horses.json`; gives the poses."""
    made = poses(count)
    (folder / "photos").mkdir()
    for number, pose in enumerate(made):
        cv2.imwrite(str(folder / "photos" / f"{number:02}.jpg"), picture(pose))
    (folder / "horses.json").write_text(json.dumps(labels(made)))
    return made
