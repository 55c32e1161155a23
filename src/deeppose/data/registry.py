"""The data sets that are known: where each comes from, what is in it, who reads it.

One block of ENTRIES is one set; nothing else has to change when a block is added.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deeppose.core.errors import AnnotationError, ArchiveError, MissingArchiveError
from deeppose.core.files import sha256
from deeppose.core.geometry import Bools, Floats
from deeppose.core.params import Labels
from deeppose.data.pose_set import OBSERVER_CENTRIC, OBSERVER_CENTRIC_BY_RULE, PERSON_CENTRIC, PoseSet
from deeppose.data.readers.buffy import read_buffy, read_buffy_unnamed
from deeppose.data.readers.flic import ANNOTATIONS as FLIC_ANNOTATIONS
from deeppose.data.readers.flic import read_flic
from deeppose.data.readers.lsp import read_lsp, read_lsp_extended, read_lsp_observer_centric
from deeppose.data.readers.observer_centric import NEEDED, observer_centric
from deeppose.data.readers.parse import ANNOTATIONS as PARSE_ANNOTATIONS
from deeppose.data.readers.parse import read_parse


@dataclasses.dataclass(frozen=True)
class Packing:
    """A file that is known byte for byte, and in words what is packed how."""

    sha256: str
    description: str


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a complete set holds."""

    examples: int
    train: int
    test: int
    images: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """One published set, or labels published apart from their images.

    Attributes
    ----------
    archive
        Name of the file, in capitals or not; what is in a .zip may also be a folder of that name. With a *
        at its end: what the name of a .zip file or of a folder begins with.
    urls
        Published addresses, tried in this order; none where none could be established.
    published_sha256
        Of the archive as published; None where it is not known.
    repacked
        Other archives known to hold the same labels.
    annotations
        The member that holds the labels; None where the file itself is the labels.
    annotations_sha256
        Of that member in every right archive; None where it is not known or differs between packings.
    read
        The reader; None for labels published apart, which `labels_of` says the set of.
    counts_vary
        Whether versions of the set with other counts are in use, `counts` being those of one.
    subsets
        Customary parts of its test part, by name: what the members of their images match.
    shares
        The set whose examples they are too, looked at in another way.
    person_centric
        Whether it is published with person-centric labels, from which the others can be made.
    """

    name: str
    title: str
    page: str
    archive: str
    counts: Counts
    licence: str
    citation: str
    read: Callable[[Path], PoseSet] | None = None
    urls: tuple[str, ...] = ()
    published_sha256: str | None = None
    repacked: tuple[Packing, ...] = ()
    annotations: str | None = None
    annotations_sha256: str | None = None
    labels_of: str | None = None
    counts_vary: bool = False
    subsets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    shares: str | None = None
    person_centric: bool = True

    @property
    def wanted(self) -> str:
        """What a user has to put into a folder, in words."""
        beginning = self.archive.removesuffix("*")
        return self.archive if beginning == self.archive else f"{beginning}*.zip or a folder {beginning}*"

    def is_called(self, path: Path) -> bool:
        """Whether a file or a folder is the archive, by its name."""
        name, wanted = path.name.lower(), self.archive.lower()
        if wanted.endswith("*"):
            fits = name.startswith(wanted.removesuffix("*"))
            return fits and (path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file()))
        if path.is_file():
            return name == wanted
        # What an archive unpacks to is called like it, or like the one folder in it.
        top = (self.annotations or "").rpartition("/")[0].lower()
        return wanted.endswith(".zip") and name in (wanted.removesuffix(".zip"), top) and path.is_dir()


PAPER_TEST_SETS = ("lsp", "parse", "flic", "buffy", "buffy-confidence")
"""Those that the paper has results on (§4)."""

EPISODES_256 = r"(?:[^/]+/)?images/buffy_s5e[256](?:_original)?/\d{6}\.jpg"
"""The 276 frames of Buffy on which most methods were measured."""

BUFFY = Entry(
    name="buffy",
    title="Buffy stickmen",
    page="https://www.robots.ox.ac.uk/~vgg/data/stickmen/",
    archive="buffy*",
    repacked=(
        Packing(
            "a0dc27f086a5a23ca04945b0230501bc1792a6c5f4885c05880d36fbd10325f9",
            "version 3 without overlays and code",
        ),
    ),
    counts=Counts(examples=748, train=0, test=748, images=748),
    licence="none stated; frames of a TV series that others own",
    citation=(
        "V. Ferrari, M. Marin-Jimenez and A. Zisserman, Progressive Search Space Reduction for Human "
        "Pose Estimation, CVPR 2008"
    ),
    read=read_buffy,
    counts_vary=True,
    subsets={"buffy-276": EPISODES_256},
    person_centric=False,
)

ENTRIES = (
    Entry(
        name="lsp",
        title="Leeds Sports Pose",
        page="https://sam.johnson.io/research/lsp.html",
        archive="lsp_dataset.zip",
        urls=("https://sam.johnson.io/research/lsp_dataset.zip",),
        repacked=(
            Packing(
                "2ed82c9caf319337428716994c156a07d0f36049764b0d208d1232a8ac058126",
                "without the folder visualized/",
            ),
        ),
        annotations="joints.mat",
        annotations_sha256="ddcfcbe904106bfbf26561c8d11720ca62a11c7a861548064b3bae84cb396b2a",
        counts=Counts(examples=2000, train=1000, test=1000, images=2000),
        licence="none stated; photographs of many people's, gathered from Flickr",
        citation=(
            "S. Johnson and M. Everingham, Clustered Pose and Nonlinear Appearance Models for Human Pose "
            "Estimation, BMVC 2010"
        ),
        read=read_lsp,
    ),
    Entry(
        name="lsp-extended",
        title="Leeds Sports Pose Extended Training",
        page="https://sam.johnson.io/research/lspet.html",
        archive="lspet_dataset.zip",
        urls=("https://sam.johnson.io/research/lspet_dataset.zip",),
        repacked=(
            Packing(
                "b24780c79253c37159358e86531d68a41ed26846eb1c14a8fac715cc46ac10db",
                "JPEG files saved again at quality 50",
            ),
        ),
        annotations="joints.mat",
        annotations_sha256="cc66465117888d9f43aac78c15c4548e37df5022640a193f2002fd084cba13ef",
        counts=Counts(examples=10000, train=10000, test=0, images=10000),
        licence="none stated; photographs of many people's, gathered from Flickr",
        citation=(
            "S. Johnson and M. Everingham, Learning Effective Human Pose Estimation from Inaccurate "
            "Annotation, CVPR 2011"
        ),
        read=read_lsp_extended,
    ),
    Entry(
        name="lsp-oc",
        title="Leeds Sports Pose, observer-centric labels",
        page="http://human-pose.mpi-inf.mpg.de",
        archive="lsp-joints-OC.mat",
        published_sha256="14e4f21084081275f064d68faa365280ce0aa28130ae54d564f6a626e9ef57bb",
        annotations_sha256="14e4f21084081275f064d68faa365280ce0aa28130ae54d564f6a626e9ef57bb",
        counts=Counts(examples=2000, train=1000, test=1000, images=2000),
        licence="none stated",
        citation="as for lsp; labels from the MPII Human Pose evaluation, human-pose.mpi-inf.mpg.de",
        labels_of="lsp",
    ),
    Entry(
        name="flic",
        title="Frames Labeled In Cinema",
        page="https://bensapp.github.io/flic-dataset.html",
        archive="FLIC.zip",
        urls=("https://drive.google.com/uc?id=0B4K3PZp8xXDJN0Fpb0piVjQ3Y3M&export=download",),
        published_sha256="778a4847f068592af40e959381c153838e4f68bb1d798e3824a9d88e5b881955",
        repacked=(
            Packing(
                "e33712a9e6f7e925d1d8268ec0a3b52d25c77403e55a8578cd8799c0ab4080b4",
                "images at half size, labels scaled to match",
            ),
        ),
        annotations=FLIC_ANNOTATIONS,
        counts=Counts(examples=5003, train=3987, test=1016, images=4552),
        licence="none stated; frames of films that others own",
        citation=(
            "B. Sapp and B. Taskar, MODEC: Multimodal Decomposable Models for Human Pose Estimation, "
            "CVPR 2013"
        ),
        read=read_flic,
        person_centric=False,
    ),
    Entry(
        name="parse",
        title="Image Parse",
        page="https://www.cs.cmu.edu/~deva/papers/parse/index.html",
        archive="people.zip",
        urls=("http://www.ics.uci.edu/~dramanan/papers/parse/people.zip",),
        repacked=(
            Packing(
                "b0448fabc9d9d522b88b6adb06b397f12605daf89a8cd34c562828dfe8ca80b7",
                "the published files, packed again",
            ),
        ),
        annotations=PARSE_ANNOTATIONS,
        annotations_sha256="81ee345fe70fee1a0ce1ce0e7bdaaba9ae2024e6e981a7c182fc6e1e8b1f4bfe",
        counts=Counts(examples=305, train=100, test=205, images=305),
        licence="none stated; photographs gathered from earlier sets and the web",
        citation="D. Ramanan, Learning to Parse Images of Articulated Bodies, NIPS 2006",
        read=read_parse,
        person_centric=False,
    ),
    BUFFY,
    dataclasses.replace(
        BUFFY,
        name="buffy-confidence",
        title="Buffy stickmen, nobody told who is meant",
        read=read_buffy_unnamed,
        subsets={"buffy-confidence-276": EPISODES_256},
        shares="buffy",
    ),
)


def entry_named(name: str) -> Entry:
    """The entry of a set.

    Raises
    ------
    MissingArchiveError
        If there is none of that name.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENTRIES)
    raise MissingArchiveError(f"no data set is called {name!r}; there are {known}")


def find_archive(entry: Entry, folders: Sequence[Path]) -> Path | None:
    """The entry's file, or folder, in the first of the folders that has one.

    Of several the one of the very name, then the shortest, then the first by name.

    Raises
    ------
    MissingArchiveError
        If a folder can't be looked into.
    """
    for folder in folders:
        try:
            found = [path for path in folder.iterdir() if entry.is_called(path)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise MissingArchiveError(f"{folder} can't be looked into: {error.strerror}") from error
        except ValueError as error:
            raise MissingArchiveError(f"{str(folder)!r} can't be looked into: {error}") from error
        if found:
            return min(found, key=lambda path: (path.name != entry.archive, len(path.stem), path.name))
    return None


def require_archive(entry: Entry, folders: Sequence[Path]) -> Path:
    """As :func:`find_archive`.

    Raises
    ------
    MissingArchiveError
        If no folder has it; it says which file to put where, and which page to get it from.
    """
    archive = find_archive(entry, folders)
    if archive is None:
        raise MissingArchiveError(f"{where_looked(entry, folders)}; {how_to_get(entry, folders[0])}")
    return archive


def where_looked(entry: Entry, folders: Sequence[Path]) -> str:
    """That an entry's file is in none of the folders, in words."""
    return f"{entry.wanted} ({entry.title}) is not in {' or '.join(map(str, folders))}"


def how_to_get(entry: Entry, folder: Path) -> str:
    """Which file a user must put into `folder`, and which page to ask for it, in words."""
    return f"get it from {entry.page} and put it there as {folder / entry.wanted}"


def read_set(name: str, folders: Sequence[Path], labels: Labels) -> PoseSet:
    """Read a set from the first of the folders that has its archive; its contents are read as they are.

    Observer-centric labels of a set published with person-centric ones are those published apart, where
    a folder has their file, and else made by the rule; `PoseSet.labels` says which.

    Raises
    ------
    MissingArchiveError
        If no folder has the archive.
    ArchiveError
        If it is cut short or lacks images.
    AnnotationError
        If the labels are not laid out as published, or those asked for are neither published nor can be
        made.
    """
    entry = entry_named(name)
    archive = require_archive(entry, folders)
    if entry.labels_of is not None:
        published = _with_published_labels(read_set(entry.labels_of, folders, "pc"), archive)
    elif entry.read is not None:
        published = entry.read(archive)
    else:
        raise AssertionError(f"the entry {name} has neither a reader nor a set that it labels")
    if labels == "pc" and published.labels != PERSON_CENTRIC:
        raise AnnotationError(
            f"{archive}: {entry.title} has observer-centric labels alone, and person-centric ones can't be "
            f"made of them: ask for labels oc"
        )
    if labels == "pc" or published.labels == OBSERVER_CENTRIC:
        return published
    return _observer_centric(published, folders)


def check_labels(entry: Entry, archive: Path, found: str) -> None:
    """Check that the labels of a set, whose SHA-256 is `found`, are the published ones, if those are known.

    Raises
    ------
    ArchiveError
        If they are not.
    """
    if entry.annotations_sha256 not in (None, found):
        raise ArchiveError(
            f"{archive}: the contents are not those of {entry.title}: {entry.annotations or 'the file'} "
            f"has sha256 {found}, published is {entry.annotations_sha256}; get it from {entry.page}"
        )


def _observer_centric(person_centric: PoseSet, folders: Sequence[Path]) -> PoseSet:
    """The set with observer-centric labels, published ones where a folder has them."""
    for other in ENTRIES:
        file = find_archive(other, folders) if other.labels_of == person_centric.name else None
        if file is not None:
            return _with_published_labels(person_centric, file)
    skeleton = person_centric.skeleton
    lacking = [joint for joint in NEEDED if joint not in skeleton.joints]
    if lacking:
        raise AnnotationError(
            f"{person_centric.archive}: the rule that makes labels observer-centric can't be used on its "
            f"skeleton, which lacks {', '.join(lacking)}: give the model labels: pc, or have the set's "
            f"reader make observer-centric labels"
        )
    poses, labelled, counts = observer_centric(person_centric.poses, person_centric.labelled, skeleton)
    exchanged = _exchanged(person_centric, poses, labelled)
    return dataclasses.replace(exchanged, labels=OBSERVER_CENTRIC_BY_RULE, exchanged=counts)


def _exchanged(person_centric: PoseSet, poses: Floats, labelled: Bools) -> PoseSet:
    """The set with joints that changed sides; what is known of each goes with it."""
    skeleton = person_centric.skeleton
    stayed: Bools = np.all(np.isclose(poses, person_centric.poses, equal_nan=True), axis=-1)
    occluded = person_centric.occluded
    if occluded is not None:
        occluded = np.where(stayed, occluded, occluded[:, list(skeleton.mirrored)])
    from_behind = ~stayed[:, skeleton.joints.index("left shoulder")]
    return dataclasses.replace(
        person_centric, poses=poses, labelled=labelled, occluded=occluded, from_behind=from_behind
    )


def _with_published_labels(person_centric: PoseSet, file: Path) -> PoseSet:
    """The set with the labels of `file`, which may only exchange joints, never move them."""
    entry = next(entry for entry in ENTRIES if entry.labels_of == person_centric.name)
    check_labels(entry, file, sha256(file))
    poses = read_lsp_observer_centric(file)
    if poses.shape != person_centric.poses.shape:
        raise AnnotationError(
            f"{file} labels {len(poses)} poses, but {person_centric.archive} holds "
            f"{len(person_centric.poses)}: they don't belong together"
        )
    mirrored = person_centric.poses[:, list(person_centric.skeleton.mirrored)]
    moved = ~(np.isclose(poses, person_centric.poses) | np.isclose(poses, mirrored)).all(axis=-1)
    if moved.any():
        example, joint = map(int, np.argwhere(moved)[0])
        raise AnnotationError(
            f"{file}: example {example}, {person_centric.skeleton.joints[joint]} lies at "
            f"{poses[example, joint].tolist()}, where {person_centric.archive} has neither that joint nor "
            f"its counterpart: they don't belong together"
        )
    exchanged = _exchanged(person_centric, poses, person_centric.labelled)
    return dataclasses.replace(exchanged, labels=OBSERVER_CENTRIC)
