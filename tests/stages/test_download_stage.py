"""The stage `download` on drawn archives: what it notes, and when it draws them again."""

import json

import pytest
from project import ROOT, small_params, write_params

from deeppose.core.params import load_params


@pytest.fixture
def download(tmp_path, monkeypatch):
    """A function that runs the stage in a folder of its own and gives the notes of each model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "stages"))
    (tmp_path / "src").symlink_to(ROOT / "src")
    import download

    def run(**changes):
        params = small_params()
        for path, value in changes.items():
            section = params
            *sections, key = path.split("__")
            for name in sections:
                section = section[name]
            section[key] = value
        write_params(tmp_path, params)
        download.main(load_params(), "demo")
        folder = tmp_path / "data" / "demo" / "manifests"
        return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}

    return run


def test_each_model_has_its_archives(download):
    noted = download()
    assert set(noted["lsp"]["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip", "people.zip"}
    assert set(noted["flic"]["archives"]) == {"FLIC.zip", "buffy_stickmen.zip"}
    assert noted["lsp"]["left_out"] == {}


def test_sets_without_person_centric_labels_are_left_out_where_those_are_asked_for(download):
    noted = download(model__lsp__labels="pc")
    assert set(noted["lsp"]["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip"}
    assert "observer-centric labels alone, and model.lsp.labels is pc" in noted["lsp"]["left_out"]["parse"]
    assert noted["flic"]["left_out"] == {}


def test_a_set_that_is_not_drawn_is_left_out(download):
    download()
    from deeppose.core.paths import Item
    from download import drawn

    sets = {"lsp": {"lsp_dataset.zip": {}}, "lsp-extended": {"lspet_dataset.zip": {}}}
    noted = drawn(Item(load_params(), "demo", "lsp"), sets)
    assert set(noted["archives"]) == {"lsp_dataset.zip", "lspet_dataset.zip"}
    assert noted["left_out"]["parse"].startswith("Image Parse is not among the drawn sets")


def test_a_damaged_archive_is_drawn_again(download, tmp_path):
    before = download()
    path = tmp_path / "data" / "demo" / "archives" / "people.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert download() == before
    assert path.read_bytes() != bytes(data)


def test_nothing_is_drawn_twice(download, tmp_path):
    download()
    folder = tmp_path / "data" / "demo" / "archives"
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    download()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
