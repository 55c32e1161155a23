"""Every file format's own writer, on a disk that is really full."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deeppose.core import examples, files, images
from deeppose.core.errors import DiskFullError
from deeppose.core.files import atomic_path
from deeppose.displacements import augmented_set
from deeppose.networks import weights

SMALL_NETWORK = {
    "joints": 1,
    "size": 59,
    "width": 0.01,
    "dropout": 0.0,
    "initial_weights": "he",
    "pixel_scale": 1.0,
    "mean": (0, 0, 0),
}


def write_network(path):
    weights.save_network(weights.build_network("alexnet", **SMALL_NETWORK), {}, path)


def write_examples(path):
    table = pd.DataFrame({"set": ["lsp"], "width": [4], "height": [4]})
    one = examples.Examples(table, np.zeros((1, 1, 2)), np.ones((1, 1), dtype=bool))
    examples.write_examples(one, path, path.with_name("joints"))


def write_augmented_set(path):
    table = pd.DataFrame({"mirrored": [False] * 9, "joint": [0] * 9, "side": [1.0] * 9})
    augmented_set.write_augmented_set(path, [table])


def write_images(path):
    images.write_images(path, [np.zeros((3, 3, 3), dtype=np.uint8)])


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("module", "write"),
    [
        (weights, write_network),
        (files, write_examples),
        (augmented_set, write_augmented_set),
        (images, write_images),
    ],
    ids=["safetensors", "pandas", "pyarrow", "plain"],
)
def test_a_full_disk_is_named_and_the_old_file_stands(monkeypatch, tmp_path, module, write):
    @contextmanager
    def on_a_full_disk(target):
        with atomic_path(target) as temporary:
            temporary.symlink_to("/dev/full")
            yield temporary

    monkeypatch.setattr(module, "atomic_path", on_a_full_disk)
    path = tmp_path / "old"
    path.write_text("old")
    with pytest.raises(DiskFullError, match=r"no space left on the disk while writing .*/old: free some"):
        write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
