"""Fixtures of those who predict photos: a folder with weights, and the command in it."""

from functools import partial

import cv2
import pytest
import torch
from command_line import run_command
from project import copy_params
from small_cascade import photo_pixels, write_weights


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with params.yaml, trained weights and two photos."""
    monkeypatch.chdir(tmp_path)
    copy_params(tmp_path)
    write_weights(tmp_path / "data" / "cpu" / "lsp")
    cv2.imwrite("photo.png", photo_pixels())
    cv2.imwrite("other.png", photo_pixels(60, 50))
    return tmp_path


@pytest.fixture
def predict(project, monkeypatch, capsys):
    """Run `deeppose predict`; gives status, output, errors."""

    before = torch.get_num_threads()
    yield partial(run_command, monkeypatch, capsys, "predict")
    torch.set_num_threads(before)
