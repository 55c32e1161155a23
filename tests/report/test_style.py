import re

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from PIL import Image
from plotted import NETWORK, image, normals, pose

from deeppose.core.colours import LIMB_COLOURS, limb_colours
from deeppose.core.skeleton import FULL_BODY
from deeppose.report.figures.curves import (
    limbs_figure,
)
from deeppose.report.figures.normals import normals_figure
from deeppose.report.figures.poses import (
    stick_sheet,
)
from deeppose.report.style import (
    MOST_BYTES,
    save_picture,
    save_plot,
)


def test_the_same_figure_gives_the_same_bytes(curves, choice, tmp_path):
    for run in ("first", "second"):
        folder = tmp_path / run
        save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), folder, "figure4")
        save_plot(normals_figure(*normals(5), "pixels", FULL_BODY, "Normals"), folder, "normals")
        poses = np.stack([pose(), pose()])
        save_picture(stick_sheet([image()] * 2, poses, poses, FULL_BODY, choice, "Poses"), folder, "figure8")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["figure4.png", "figure4.svg", "figure8.png", "normals.png", "normals.svg"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_photographs_are_light_and_keep_the_limbs_colours(choice, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (400, 300, 3), np.uint8)
    truth = np.stack([pose(), pose(seed=1)]) * 7
    save_picture(stick_sheet([noise] * 2, truth, truth, FULL_BODY, choice, "Poses"), tmp_path, "poses")
    assert (tmp_path / "poses.png").stat().st_size <= MOST_BYTES
    with Image.open(tmp_path / "poses.png") as picture:
        seen = {to_hex(np.array(colour) / 255) for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {LIMB_COLOURS[limb.name] for limb in FULL_BODY.limbs} | {"#ffffff"} <= seen


def test_files_carry_no_date_no_version_and_no_font(curves, tmp_path):
    save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "figure4")
    svg = (tmp_path / "figure4.svg").read_text("utf-8")
    assert not re.search(r"<dc:date>|Matplotlib v|<text", svg)
    assert b"Matplotlib" not in (tmp_path / "figure4.png").read_bytes()


def test_the_users_matplotlibrc_changes_nothing(curves, tmp_path):
    save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "plain")
    with matplotlib.rc_context({"font.size": 20, "savefig.facecolor": "red", "svg.hashsalt": "other"}):
        save_plot(limbs_figure(curves, "stage 3", NETWORK, "PDJ"), tmp_path, "own")
        assert matplotlib.rcParams["font.size"] == 20
    for suffix in ("png", "svg"):
        assert (tmp_path / f"own.{suffix}").read_bytes() == (tmp_path / f"plain.{suffix}").read_bytes()


def test_limbs_that_have_no_colour_of_their_own_get_one():
    colours = limb_colours(["left upper arm", "left thumb", "right thumb"])
    assert colours["left upper arm"] == LIMB_COLOURS["left upper arm"]
    assert len(set(colours.values())) == 3
    assert colours == limb_colours(["left upper arm", "left thumb", "right thumb"])
