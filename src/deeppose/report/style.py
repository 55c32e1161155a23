"""How every figure looks, and saving that gives the same bytes in each run."""

import functools
import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image
from scipy.spatial import cKDTree

from deeppose.core.colours import LIMB_COLOURS, SPARE_LIMB_COLOURS
from deeppose.core.files import atomic_path

P = ParamSpec("P")
R = TypeVar("R")

PNG_DPI = 150
# Figures that show photographs are kept small: some are in git.
FEWER_DPI = (120, 100, 85, 72, 60)
SUITED_COLOURS = 100
MOST_BYTES = 300_000

# Colours are told apart in grey by their lightness, and lines by dashes and markers as well.
JOINT_LINES: dict[str, dict[str, Any]] = {
    "elbow": {"color": "#123a70", "marker": "o"},
    "wrist": {"color": "#e8892b", "marker": "s"},
    "knee": {"color": "#5b1a62", "marker": "^"},
    "ankle": {"color": "#2fa88a", "marker": "D"},
}
PREDICTOR_LINES: dict[str, dict[str, Any]] = {
    "stage 1": {"color": "#7fb2dd", "linestyle": (0, (5, 1.5)), "linewidth": 1.6},
    "stage 2": {"color": "#d1603d", "linestyle": "-", "linewidth": 1.6, "marker": "o"},
    "stage 3": {"color": "#0b2545", "linestyle": "-", "linewidth": 1.8},
    "mean pose": {"color": "0.45", "linestyle": ":", "linewidth": 1.1},
}
# Other methods, in the order of their names.
PEER_LINES: tuple[dict[str, Any], ...] = (
    {"color": "#1d5c3a", "linestyle": (0, (3.5, 1.2)), "linewidth": 1.4, "marker": "s"},
    {"color": "#8a63b8", "linestyle": (0, (7, 1.5, 1.5, 1.5)), "linewidth": 1.4, "marker": "^"},
    {"color": "#b8912b", "linestyle": (0, (1.5, 1.2)), "linewidth": 1.4, "marker": "D"},
    {"color": "#222222", "linestyle": (0, (9, 2)), "linewidth": 1.1, "marker": "v"},
)

PREDICTED_COLOUR = "#d01c1f"
TRUE_COLOUR = "#5cf25c"
# A detected face, and an initial box.
BOX_COLOURS = ("#f2c14e", "#1552b8")
BLACK = "#000000"

_LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "svg.fonttype": "path",
    "svg.hashsalt": "deeppose",
}


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` under the project's look, whatever matplotlibrc the user has."""

    @functools.wraps(function)
    def under_our_look(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(_LOOK, after_reset=True):
            return function(*args, **kwargs)

    return under_our_look


def new_figure(width: float, height: float, title: str, caption: str = "") -> Figure:
    """A figure of `width` × `height` inches with a title above and a wrapped caption below."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.05, hspace=0.03))
    figure.suptitle(_wrapped(title, width * 12.5), fontsize=11)
    if caption:
        figure.supxlabel(_wrapped(caption, width * 16.5), fontsize=8, color="0.25")
    return figure


def strip(axes: Axes) -> None:
    """Take away all but what is plotted, for a photograph."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _wrapped(text: str, characters: float) -> str:
    return "\n".join(textwrap.wrap(text, int(characters), break_on_hyphens=False))


def save_plot(figure: Figure, folder: Path, name: str) -> None:
    """Write `name`.png and `name`.svg into `folder`; the same figure gives the same bytes."""
    save_picture(figure, folder, name)
    with atomic_path(folder / f"{name}.svg") as temporary:
        _render(figure, temporary, "svg", PNG_DPI)


def save_picture(figure: Figure, folder: Path, name: str) -> None:
    """Write `name`.png of at most 300 kB into `folder`; the same figure gives the same bytes.

    It has a palette of its own; where that is not enough, fewer pixels an inch.
    """
    for dpi in (PNG_DPI, *FEWER_DPI):
        written = io.BytesIO()
        _render(figure, written, "png", dpi)
        small = io.BytesIO()
        _with_palette(Image.open(written).convert("RGB")).save(small, "png", optimize=True)
        if len(small.getvalue()) <= MOST_BYTES:
            break
    with atomic_path(folder / f"{name}.png") as temporary:
        temporary.write_bytes(small.getvalue())


def _with_palette(picture: Image.Image) -> Image.Image:
    """A picture of few colours: those that poses and boxes have, and the ones that suit all else in it."""
    own = [*LIMB_COLOURS.values(), *SPARE_LIMB_COLOURS, PREDICTED_COLOUR, TRUE_COLOUR, *BOX_COLOURS, BLACK]
    suited = picture.quantize(SUITED_COLOURS, method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = np.vstack(
        [
            [list(bytes.fromhex(colour.removeprefix("#"))) for colour in own],
            np.reshape(suited[: 3 * SUITED_COLOURS], (-1, 3)),
        ]
    )
    packed = np.asarray(picture).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, places = np.unique(packed, return_inverse=True)
    # Pillow's own mapping to a given palette is off by some bits: white would turn grey.
    _, nearest = cKDTree(palette).query(np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1))
    mapped = Image.fromarray(nearest[places].reshape(packed.shape).astype(np.uint8))
    mapped.putpalette(palette.astype(np.uint8).tobytes())
    return mapped


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file, pixels."""
    with Image.open(path) as picture:
        return picture.size


# The writers would put the date and matplotlib's version into the file.
_NO_METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


@styled
def _render(figure: Figure, target: Path | io.BytesIO, kind: str, dpi: int) -> None:
    figure.savefig(target, format=kind, dpi=dpi, metadata=_NO_METADATA[kind])
