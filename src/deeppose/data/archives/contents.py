"""Whether an archive is the published one, a known other packing or an unknown one, and rightly filled."""

from pathlib import Path

from deeppose.core.errors import ArchiveError
from deeppose.core.files import sha256
from deeppose.data.archives.zips import find_member, member_sha256, open_archive
from deeppose.data.pose_set import PoseSet
from deeppose.data.registry import Entry, check_labels

PUBLISHED = "published archive"
KNOWN = "known other packing"
UNKNOWN = "unknown packing"


def classify(entry: Entry, archive_sha256: str) -> str:
    """Which packing an archive is, in words that begin with PUBLISHED, KNOWN or UNKNOWN."""
    if archive_sha256 == entry.published_sha256:
        return PUBLISHED
    for packing in entry.repacked:
        if archive_sha256 == packing.sha256:
            return f"{KNOWN}: {packing.description}"
    return UNKNOWN


def check_contents(entry: Entry, archive: Path) -> None:
    """Check that a real archive holds the published labels, and all of them, however it was packed.

    Of a set whose versions differ in number, any number of examples will do that its reader takes.

    Raises
    ------
    ArchiveError
        If the labels' checksum is not the known one, or examples or images are missing.
    AnnotationError
        If the labels are not laid out as published.
    """
    if entry.annotations_sha256 is not None:
        check_labels(entry, archive, _annotations_sha256(entry, archive))
    if entry.read is None:
        return
    wrong = unexpected_counts(entry, entry.read(archive))
    if wrong and not entry.counts_vary:
        raise ArchiveError(
            f"{archive}: the contents are not those of {entry.title}: {', '.join(wrong)}; get it "
            f"from {entry.page}"
        )


def unexpected_counts(entry: Entry, pose_set: PoseSet) -> list[str]:
    """In what numbers a set differs from what its entry says, in words."""
    expected = entry.counts
    counts = {
        "examples": (len(pose_set.poses), expected.examples),
        "training examples": (int(pose_set.train.sum()), expected.train),
        "test examples": (int((~pose_set.train).sum()), expected.test),
        "images": (len(set(pose_set.members)), expected.images),
    }
    return [f"{have} {what} for {want}" for what, (have, want) in counts.items() if have != want]


def _annotations_sha256(entry: Entry, archive: Path) -> str:
    if entry.annotations is None:
        return sha256(archive)
    with open_archive(archive) as opened:
        return member_sha256(opened, find_member(opened, entry.annotations))
