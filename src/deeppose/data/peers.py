"""Other people's predictions on the published sets, which can stand beside ours.

One element of PEERS is one file; nothing else has to change when one is added. The files are not downloaded:
who wants one in the tables and figures puts it beside the archives, if it isn't in one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeppose.core.errors import ArchiveError, PredictionsError
from deeppose.core.files import sha256
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import BUFFY_STICKS, FLIC_LABELLED, Skeleton
from deeppose.data.archives.zips import find_member, member_sha256, open_archive
from deeppose.data.prediction_files import predicted_joints, read_predictions
from deeppose.data.readers.buffy_estimates import FILE as BUFFY_ESTIMATES
from deeppose.data.readers.buffy_estimates import estimated_poses
from deeppose.data.registry import Packing, entry_named, find_archive

SUBFOLDER = "predictions"
UNKNOWN = "unknown file"
WRONG_SCALE = 2**0.5


@dataclass(frozen=True)
class Peer:
    """One method's predictions on one set.

    Attributes
    ----------
    file
        Name of the file, in one of the layouts of :func:`deeppose.data.prediction_files.read_predictions`.
    method
        Its name in tables and figures.
    set
        Name of the set in the registry, whose test part it predicts.
    skeleton
        The joints of the file, in their order.
    page
        Where it comes from.
    original
        Its name there.
    packings
        Files that are known byte for byte.
    read
        Of a file in the set's own archive what reads it: the poses of the test part, `(n, k, 2)`, and which
        examples are predicted at all, `(n,)`. None of a file of its own.
    """

    file: str
    method: str
    set: str
    skeleton: Skeleton
    page: str
    original: str
    licence: str
    packings: tuple[Packing, ...]
    read: Callable[[Path], tuple[Floats, Bools]] | None = None


@dataclass(frozen=True)
class FoundPeer:
    """A peer's file that is there, or the archive it is in; `packing` says in words if it is a known one."""

    peer: Peer
    path: Path
    sha256: str
    packing: str


PEERS = (
    Peer(
        file="flic_oc_Sapp_CVPR13.mat",
        method="MODEC (Sapp and Taskar 2013)",
        set="flic",
        skeleton=FLIC_LABELLED,
        page="https://github.com/farrajota/human-pose-benchmark",
        original="algorithms/SappCVPR13/pred_keypoints_flic_oc.mat",
        licence="MIT, copyright 2017 M. Farrajota; the predictions were published with MODEC",
        packings=(
            Packing(
                "77826cb531a2aa539de3cc45bffe025be9326d352cd5d81198f49388740091d7",
                "scaled to images at half size",
            ),
        ),
    ),
    Peer(
        file=BUFFY_ESTIMATES,
        method="Eichner et al. (2010)",
        set="buffy",
        skeleton=BUFFY_STICKS,
        page="https://www.robots.ox.ac.uk/~vgg/data/stickmen/",
        original=BUFFY_ESTIMATES,
        licence="none stated; published with the set",
        packings=(
            Packing(
                "34087570d69309c16f65fa5077bed60c5e23dde13ae5ca72164ce031ca060201",
                "as published with version 3",
            ),
        ),
        read=estimated_poses,
    ),
)


def find_peers(folders: Sequence[Path]) -> list[FoundPeer]:
    """The peers whose file is there; the first one counts.

    It lies in one of the folders or in its folder `predictions`, or in the archive of its set.
    """
    found = []
    for peer in PEERS:
        there = _in_archive(peer, folders) if peer.read else _beside(peer, folders)
        if there is not None:
            path, digest = there
            known = {packing.sha256: packing.description for packing in peer.packings}
            found.append(FoundPeer(peer, path, digest, known.get(digest, UNKNOWN)))
    return found


def _beside(peer: Peer, folders: Sequence[Path]) -> tuple[Path, str] | None:
    places = (place / peer.file for folder in folders for place in (folder, folder / SUBFOLDER))
    path = next((path for path in places if path.is_file()), None)
    return None if path is None else (path, sha256(path))


def _in_archive(peer: Peer, folders: Sequence[Path]) -> tuple[Path, str] | None:
    archive = find_archive(entry_named(peer.set), folders)
    if archive is None:
        return None
    try:
        with open_archive(archive) as opened:
            return archive, member_sha256(opened, find_member(opened, peer.file))
    except ArchiveError:
        # An older version lacks it; what is wrong with an archive is said where the set is read.
        return None


def how_to_add(peer: Peer, folder: Path) -> str:
    """Which file a user must put into `folder` to see a peer beside ours, and where to get it, in words."""
    if peer.read:
        return f"{peer.method} is drawn beside ours on {peer.set} where its archive holds {peer.original}"
    return (
        f"to draw {peer.method} beside ours on {peer.set}: get {peer.original} from {peer.page} and put it "
        f"there as {folder / SUBFOLDER / peer.file}, in pixels of the images that your archive holds"
    )


def peer_poses(
    found: FoundPeer, truth: Floats, labelled: Bools, skeleton: Skeleton
) -> tuple[Floats, tuple[str, ...], Bools]:
    """A peer's poses on the test part of a set, and the joints and examples that it predicts at all.

    The predictions must be in pixels of these very images. The rule: the one factor that brings them nearest
    to the labels, in least squares from the image's corner, must lie nearer to 1 than to 2 or a half.

    Parameters
    ----------
    truth
        Poses of that test part in its order, `(n, k, 2)` pixels.
    labelled
        `(n, k)`.
    skeleton
        The k joints, which are found by name in the file.

    Returns
    -------
    poses
        `(n, k, 2)`, pixels, 0-based; NaN where missed, and for all joints that are not predicted.
    predicted
        Names of the joints that the method predicts; the others must give no figure rather than 0.
    examples
        `(n,)`, which examples it predicts.

    Raises
    ------
    PredictionsError
        If the file does not fit the set's test part, or belongs to images of another size.
    """
    own = found.peer.skeleton
    if found.peer.read:
        poses, examples = found.peer.read(found.path)
    else:
        numbers, examples = [str(n) for n in range(len(truth))], np.ones(len(truth), dtype=bool)
        poses, _ = read_predictions(found.path, numbers, own)
    is_predicted = dict(zip(own.joints, predicted_joints(poses), strict=True))
    joints = [joint for joint in skeleton.joints if is_predicted.get(joint)]
    wanted = np.full((len(poses), len(skeleton.joints), 2), np.nan)
    for joint in joints:
        wanted[:, skeleton.joints.index(joint)] = poses[:, own.joints.index(joint)]
    both = labelled & ~np.isnan(wanted).any(axis=-1)
    predicted, true = wanted[both], truth[both]
    energy = float((predicted**2).sum())
    factor = float((predicted * true).sum()) / energy if energy else np.nan
    if not 1 / WRONG_SCALE < factor < WRONG_SCALE:
        raise PredictionsError(
            f"{found.path} does not belong to the images of {found.peer.set} that are there: its poses come "
            f"nearest to the labels when they are multiplied by {factor:.2f}; scale them to those images, or "
            f"put the archive there that they were made for"
        )
    return wanted, tuple(joints), examples
