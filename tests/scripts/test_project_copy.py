"""The copies that the checks run in."""

from project import ROOT, copy_params

from deeppose.core.params_file import load_params


def test_the_short_demo_has_images_to_train_on(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from project_copy import shorten

    copy_params(tmp_path)
    shorten(tmp_path)
    params = load_params(tmp_path / "params.yaml")
    drawn = params.profiles["demo"].embedded
    assert drawn is not None
    # Half of LSP's images train, and held-out images are taken from the sets that are trusted.
    assert params.model["lsp"].held_out < drawn.lsp_images / 2
    assert params.model["flic"].held_out < drawn.flic_images - drawn.flic_test_images
