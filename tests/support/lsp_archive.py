"""A set of a few examples in the layout of LSP's published archive, for tests that read one."""

import io
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import savemat

# A person seen from the back, labels person-centric: the person's left is on the image's left, so that
# observer-centric labels are the other way round.
PERSON = np.array(
    [
        (60, 150), (58, 120), (56, 90), (44, 90), (42, 120), (40, 150), (80, 90), (75, 65),
        (65, 40), (35, 40), (25, 65), (20, 90), (50, 30), (50, 10),
    ],
    dtype=np.float64,
)  # fmt: skip


def write_lsp_archive(folder: Path, poses: np.ndarray) -> Path:
    """Write 0-based poses `(n, 14, 2)` as lsp_dataset.zip; its images are empty files."""
    joints = np.zeros((3, 14, len(poses)))
    joints[:2] = poses.transpose(2, 1, 0) + 1
    labels = io.BytesIO()
    savemat(labels, {"joints": joints})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lsp_dataset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("joints.mat", labels.getvalue())
        for number in range(1, len(poses) + 1):
            archive.writestr(f"images/im{number:04d}.jpg", b"")
    return path
