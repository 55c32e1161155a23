"""How stages run networks: where crops are cut, and by whom."""

import numpy as np
import pandas as pd
import pytest
import torch
from project import ROOT

from deeppose.cascade.device_images import DeviceImages
from deeppose.cascade.setup import images_of, workers_of
from deeppose.core.examples import Examples
from deeppose.core.images import Images, write_images
from deeppose.core.params_file import load_params
from deeppose.core.paths import Item

CPU = torch.device("cpu")


@pytest.fixture
def item(tmp_path, monkeypatch):
    """A function that gives the demo's item with crops cut here or there, and examples of two images."""
    monkeypatch.chdir(tmp_path)

    params = load_params(ROOT / "params.yaml")

    def cutting(where, workers):
        demo = params.profiles["demo"]
        device = demo.device.model_copy(update={"crops": where})
        profiles = {"demo": demo.model_copy(update={"device": device})}
        made = Item(params.model_copy(update={"profiles": profiles, "workers": workers}), "demo", "lsp")
        made.train.images.parent.mkdir(parents=True, exist_ok=True)
        pictures = [np.full((4, 6, 3), colour, dtype=np.uint8) for colour in (1, 2)]
        table = pd.DataFrame(write_images(made.train.images, pictures))
        return made, Examples(table, np.zeros((2, 14, 2)), np.zeros((2, 14), dtype=bool))

    return cutting


@pytest.mark.parametrize(("workers", "used"), [("auto", 0), (3, 3)])
def test_beside_the_network_by_so_many_processes(item, workers, used):
    made, examples = item("host", workers)
    images = images_of(made, made.train, examples, CPU)
    assert isinstance(images, Images)
    assert workers_of(made, CPU) == used


@pytest.mark.parametrize("workers", ["auto", 3])
def test_where_the_network_runs_by_no_process(item, workers):
    made, examples = item("device", workers)
    images = images_of(made, made.train, examples, CPU)
    assert isinstance(images, DeviceImages)
    cut = images.crops(np.array([1]), np.array([[2.5, 1.5, 6, 4]]), np.zeros(1, dtype=bool), 8, (0, 0, 0))
    assert (cut[0, 2:6, 2:6] == 2).all()
    assert workers_of(made, CPU) == 0
