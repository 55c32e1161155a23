"""Skeletons as data: the joints of a model, which of them mirror each other, its limbs, its diameter.

Ours stand in `skeletons.yaml`, those of one's own in a profile, in the same words.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from deeppose.core.errors import SkeletonError

Described = str | dict[str, Any]
"""A skeleton as it goes with weights: the name of one of ours, or all of one's own, its `name` among it."""

_SIDE = re.compile(
    # "left ear", "leftEar", "earLeft", "LEFT_EAR", and "l_ear", "ear_L": never a part of a word.
    r"(?:(?<![A-Za-z])(?:left|right|LEFT|RIGHT)|Left|Right)(?![a-z])|(?:^|(?<=[ _.-]))[lrLR](?=[ _.-]|$)"
)
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclass(frozen=True)
class Limb:
    """A pair of neighbouring joints; PCP pools left and right by `kind`, and skips a limb without one."""

    name: str
    start: int
    end: int
    kind: str | None = None


@dataclass(frozen=True)
class Skeleton:
    """The joints of a pose and how they hang together.

    Attributes
    ----------
    joints
        Names, in the order of the pose's rows.
    limbs
        What stick figures show; those with a `kind` count for PCP (§4.1).
    diameter
        Pairs of joints whose distance is the pose's diameter (§4.1), the upper one first, tried in this
        order: the first pair of which both are labelled decides.
    pairs
        Joints that take each other's place in a mirrored image; None: those whose names tell.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[Limb, ...]
    diameter: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int], ...] | None = None

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the index of the one that takes its place in a mirrored image."""
        places = list(range(len(self.joints)))
        if self.pairs is None:
            by_name = {joint.lower(): index for index, joint in enumerate(self.joints)}
            others = ((counterpart(joint) or joint).lower() for joint in self.joints)
            places = [by_name.get(other, index) for index, other in enumerate(others)]
        for one, other in self.pairs or ():
            places[one], places[other] = other, one
        return tuple(places)

    @cached_property
    def joint_kinds(self) -> dict[str, tuple[int, ...]]:
        """Joint indices by kind, left and right pooled; keys are fit for JSON ("wrist", "head_top")."""
        kinds: dict[str, tuple[int, ...]] = {}
        for index, other in enumerate(self.mirrored):
            key = self._kind(*sorted({index, other}))
            kinds[key] = (*kinds.get(key, ()), index)
        return kinds

    def _kind(self, joint: int, counterpart: int | None = None) -> str:
        if counterpart is None:
            name = self.joints[joint]
            # Where pairs are given, a side in a name says nothing.
            alone = name if self.pairs is not None else _SIDE.sub("", name, count=1).strip()
            return alone.replace(" ", "_")
        without = [_SIDE.sub(" ", self.joints[index], count=1) for index in (joint, counterpart)]
        one, other = ("_".join(re.split(r"[ _]+", name.strip(" _.-"))) for name in without)
        return one if one.lower() == other.lower() else f"{one}_{other}"

    @cached_property
    def limb_kinds(self) -> dict[str, tuple[Limb, ...]]:
        """The limbs that PCP counts, by kind, left and right pooled."""
        kinds: dict[str, tuple[Limb, ...]] = {}
        for limb in self.limbs:
            if limb.kind is not None:
                kinds[limb.kind] = (*kinds.get(limb.kind, ()), limb)
        return kinds

    @property
    def described(self) -> Described:
        """What :func:`skeleton_from` makes it of."""
        if SKELETONS.get(self.name) == self:
            return self.name
        named = [[self.joints[joint] for joint in pair] for pair in self.pairs or ()]
        return {
            "name": self.name,
            "joints": list(self.joints),
            **({} if self.pairs is None else {"pairs": named}),
            "limbs": {
                limb.name: [self.joints[limb.start], self.joints[limb.end], *filter(None, [limb.kind])]
                for limb in self.limbs
            },
            "diameter": [[self.joints[joint] for joint in pair] for pair in self.diameter],
        }


def counterpart(joint: str) -> str | None:
    """A joint's name with the other side in it ("l_ear" of "r_ear"); None where it names no side."""
    side = _SIDE.search(joint)
    if side is None:
        return None
    word = side[0]
    other = _OTHER[word.lower()]
    other = other.upper() if word.isupper() else other.title() if word.istitle() else other
    return f"{joint[: side.start()]}{other}{joint[side.end() :]}"


def check_skeleton(skeleton: Skeleton) -> None:
    """Check that joints are told apart, that sides mirror each other, and that limbs end at joints.

    Raises
    ------
    SkeletonError
        Naming the joint, limb or pair that is wrong.
    """
    joints = skeleton.joints
    ends = {f"limb {limb.name!r}": (limb.start, limb.end) for limb in skeleton.limbs}
    ends |= {f"diameter {pair}": pair for pair in skeleton.diameter}
    ends |= {f"pair {pair}": pair for pair in skeleton.pairs or ()}
    paired = [joint for pair in skeleton.pairs or () for joint in pair]
    problems = [
        *(f"has the joint {name!r} twice" for name in _twice(joint.lower() for joint in joints)),
        *(f"has the limb {name!r} twice" for name in _twice(limb.name for limb in skeleton.limbs)),
        *(
            f"has a {what} from joint {start} to {end}: two of its joints 0 to {len(joints) - 1} are expected"
            for what, (start, end) in ends.items()
            if start == end or not {start, end} <= set(range(len(joints)))
        ),
        *(f"has the joint {joints[joint]!r} in two pairs" for joint in _twice(paired)),
        *(problem for index in range(len(joints)) if (problem := _side_problem(skeleton, index))),
        *(["has no joints"] if not joints else []),
        *(["has no diameter"] if not skeleton.diameter else []),
    ]
    if problems:
        raise SkeletonError(f"skeleton {skeleton.name!r} {problems[0]}")


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def _side_problem(skeleton: Skeleton, index: int) -> str:
    """Why a joint would not change sides in a mirrored image; "" if it would, or has no side."""
    joint, side = skeleton.joints[index], _SIDE.search(skeleton.joints[index])
    if skeleton.pairs is not None:
        # A single letter may mean something else, and pairs were given to say so.
        is_paired = any(index in pair for pair in skeleton.pairs)
        left_out = side is not None and len(side[0]) > 1 and not is_paired
        return f"has the joint {joint!r}, which is in none of its pairs" if left_out else ""
    other = counterpart(joint)
    if other is None or other.lower() in map(str.lower, skeleton.joints):
        return ""
    return (
        f"has the joint {joint!r}: its counterpart {other!r} is missing; where names don't tell, "
        f"`pairs` says which joints mirror each other"
    )


def skeleton_from(described: Described) -> Skeleton:
    """The skeleton that came with weights.

    Raises
    ------
    SkeletonError
        If there is none of that name, or see :func:`skeleton_of`.
    """
    if isinstance(described, str):
        if described not in SKELETONS:
            raise SkeletonError(f"skeleton {described!r} is none of {', '.join(SKELETONS)}")
        return SKELETONS[described]
    entry = dict(described)
    return skeleton_of(str(entry.pop("name", "")), entry)


def skeleton_of(name: str, entry: object) -> Skeleton:
    """A skeleton from its entry in YAML: `joints`, `diameter`, and if need be `pairs` and `limbs`.

    Raises
    ------
    SkeletonError
        Naming the key, joint, limb or pair that is wrong.
    """
    if not isinstance(entry, dict):
        raise SkeletonError(f"skeleton {name!r} is {entry!r}, not a section with joints and a diameter")
    if unknown := [key for key in entry if key not in ("joints", "pairs", "limbs", "diameter")]:
        raise SkeletonError(f"skeleton {name!r} has {unknown[0]!r}, not just joints, pairs, limbs, diameter")
    limbs = entry.get("limbs") or {}
    if not isinstance(limbs, dict):
        raise SkeletonError(f"skeleton {name!r} has limbs that are no section: NAME: [joint, joint, kind]")
    joints = _texts(name, "joints", entry.get("joints"))

    def pair(what: str, ends: object, *, kind: bool = False) -> list[str]:
        texts = _texts(name, what, ends)
        if len(texts) not in (2, 3 if kind else 2):
            wanted = "[joint, joint, kind] or [joint, joint]" if kind else "[joint, joint]"
            raise SkeletonError(f"skeleton {name!r}: {what} is {ends!r}, not {wanted}")
        if unknown := [text for text in texts[:2] if text not in joints]:
            known = ", ".join(joints)
            raise SkeletonError(f"skeleton {name!r}: {what} names {unknown[0]!r}, which is none of {known}")
        return texts

    def pairs(key: str) -> tuple[tuple[int, int], ...]:
        listed = entry.get(key)
        if not isinstance(listed, list | tuple):
            raise SkeletonError(f"skeleton {name!r}: {key} is {listed!r}, not a list of [joint, joint]")
        found = [pair(key, ends) for ends in listed]
        return tuple((joints.index(one), joints.index(other)) for one, other in found)

    ends = {str(limb): pair(f"limb {limb!r}", of, kind=True) for limb, of in limbs.items()}
    skeleton = Skeleton(
        name=name,
        joints=tuple(joints),
        limbs=tuple(
            Limb(limb, joints.index(start), joints.index(end), *kind)
            for limb, (start, end, *kind) in ends.items()
        ),
        diameter=pairs("diameter"),
        pairs=None if entry.get("pairs") is None else pairs("pairs"),
    )
    check_skeleton(skeleton)
    return skeleton


def _texts(name: str, what: str, values: object) -> list[str]:
    if not isinstance(values, list | tuple):
        raise SkeletonError(f"skeleton {name!r}: {what} is {values!r}, not a list of joints")
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise SkeletonError(
                f"skeleton {name!r}: {what} has {value!r}, which is no name; quote it if it is"
            )
    return list(values)


def _ours() -> dict[str, Skeleton]:
    text = Path(__file__).with_name("skeletons.yaml").read_text(encoding="utf-8")
    return {name: skeleton_of(name, entry) for name, entry in yaml.safe_load(text).items()}


SKELETONS = _ours()
FULL_BODY = SKELETONS["full-body"]
FLIC_LABELLED = SKELETONS["flic-labelled"]
UPPER_BODY = SKELETONS["upper-body"]
BUFFY_STICKS = SKELETONS["buffy-sticks"]
