"""Other people's predictions on the published sets, which can stand beside ours.

One element of PEERS is one file; nothing else has to change when one is added. The files are not downloaded:
who wants one in the tables and figures puts it beside the archives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeppose.core.errors import PredictionsError
from deeppose.core.files import sha256
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import FLIC_LABELLED, Skeleton
from deeppose.data.archives.packing import Packing
from deeppose.data.prediction_files import predicted_joints, read_predictions

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
    """

    file: str
    method: str
    set: str
    skeleton: Skeleton
    page: str
    original: str
    licence: str
    packings: tuple[Packing, ...]


@dataclass(frozen=True)
class FoundPeer:
    """A peer's file that is there; `packing` says in words whether it is a known one."""

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
)


def find_peers(folders: Sequence[Path]) -> list[FoundPeer]:
    """The peers whose file is in one of the folders or in its folder `predictions`; the first one counts."""
    found = []
    for peer in PEERS:
        places = (place / peer.file for folder in folders for place in (folder, folder / SUBFOLDER))
        path = next((path for path in places if path.is_file()), None)
        if path is not None:
            digest = sha256(path)
            known = {packing.sha256: packing.description for packing in peer.packings}
            found.append(FoundPeer(peer, path, digest, known.get(digest, UNKNOWN)))
    return found


def how_to_add(peer: Peer, folder: Path) -> str:
    """Which file a user must put into `folder` to see a peer beside ours, and where to get it, in words."""
    return (
        f"to draw {peer.method} beside ours on {peer.set}: get {peer.original} from {peer.page} and put it "
        f"there as {folder / SUBFOLDER / peer.file}, in pixels of the images that your archive holds"
    )


def peer_poses(
    found: FoundPeer, truth: Floats, labelled: Bools, skeleton: Skeleton
) -> tuple[Floats, tuple[str, ...]]:
    """A peer's poses on the test part of a set, and the joints that it predicts at all.

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

    Raises
    ------
    PredictionsError
        If the file does not fit the set's test part, or belongs to images of another size.
    """
    own = found.peer.skeleton
    poses = read_predictions(found.path, len(truth), own)
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
    return wanted, tuple(joints)
