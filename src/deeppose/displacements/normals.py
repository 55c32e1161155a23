"""Observed displacements of a stage and the normal distributions fitted to them, one a joint (§3.2)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from deeppose.core.errors import NotFiniteError
from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

Units = Literal["pixels", "diameter"]
Covariance = Literal["diagonal", "full"]
NORMAL_COLUMNS = ("joint", "count", "mean_x", "mean_y", "var_x", "var_y", "cov_xy")


def observed_displacements(
    predicted: Floats, truth: Floats, labelled: Bools, diameters: Floats, units: Units
) -> pd.DataFrame:
    """y^(s−1) − y over all training examples, labelled joints only.

    Parameters
    ----------
    predicted, truth
        `(n, k, 2)`, pixels, in the same frame (that of the image as it is or of its mirror).
    labelled
        `(n, k)`.
    diameters
        Of the true poses, `(n,)`, pixels. In units of the diameter, poses without one are left out.

    Returns
    -------
    One row a displacement: `joint`, `dx`, `dy`, in the given units.
    """
    displacements = predicted - truth
    counted = labelled
    if units == "diameter":
        displacements = displacements / diameters[:, None, None]
        counted = labelled & np.isfinite(diameters)[:, None]
    example, joint = np.nonzero(counted)
    return pd.DataFrame(
        {
            "joint": joint.astype(np.int16),
            "dx": displacements[example, joint, 0],
            "dy": displacements[example, joint, 1],
        }
    )


def displacements_of_frames(
    predicted: Mapping[bool, Floats], examples: Examples, rows: Indices, skeleton: Skeleton, units: Units
) -> pd.DataFrame:
    """:func:`observed_displacements` of the images as they are and of their mirrored copies, together.

    Parameters
    ----------
    predicted
        By whether images are mirrored what was predicted of all examples, `(n, k, 2)` pixels.
    rows
        The examples that count.
    """
    return pd.concat(
        [
            observed_displacements(
                poses[rows], *examples.frame(rows, mirrored, skeleton), examples.diameters[rows], units
            )
            for mirrored, poses in predicted.items()
        ],
        ignore_index=True,
    )


def fit_normals(
    displacements: pd.DataFrame, covariance: Covariance, narrowest: float = 0.0, *, joints: Sequence[str] = ()
) -> pd.DataFrame:
    """Fit a 2-D normal distribution 𝒩_i^(s−1) a joint: mean and variance of its displacements (§3.2).

    Parameters
    ----------
    narrowest
        The smallest standard deviation along x and along y, in the displacements' unit: a network is less far
        off on images that it was trained on than it will be on others.
    joints
        Their names, for the error.

    Returns
    -------
    One row a joint: `joint`, `count`, `mean_x`, `mean_y`, `var_x`, `var_y`, `cov_xy`, the last 0 with
    "diagonal".

    Raises
    ------
    NotFiniteError
        If a joint's mean or covariance is NaN or infinite.
    """
    rows = []
    for key, group in displacements.groupby("joint", sort=True):
        joint = np.int16(key)  # type: ignore[arg-type]
        x, y = group["dx"].to_numpy(np.float64), group["dy"].to_numpy(np.float64)
        # NumPy's own sums go through the numbers in one order everywhere. np.cov multiplies matrices by BLAS,
        # whose last bits hang on the processor.
        with np.errstate(over="ignore", invalid="ignore"):
            mean_x, mean_y = x.mean(), y.mean()
            away_x, away_y = x - mean_x, y - mean_y
            var_x, var_y = (away_x * away_x).mean(), (away_y * away_y).mean()
            cov_xy = (away_x * away_y).mean()
        if not np.isfinite([mean_x, mean_y, var_x, var_y, cov_xy]).all():
            name = joints[int(joint)] if joints else f"joint {joint}"
            raise NotFiniteError(
                f"{name}: mean ({mean_x:g}, {mean_y:g}) and variances ({var_x:g}, {var_y:g}) of its {len(x)} "
                f"displacements are not all finite: look at what the stage before predicts; a smaller "
                f"learning_rate there may help"
            )
        rows.append(
            {
                "joint": joint,
                "count": len(x),
                "mean_x": mean_x,
                "mean_y": mean_y,
                "var_x": max(var_x, narrowest**2),
                "var_y": max(var_y, narrowest**2),
                "cov_xy": cov_xy if covariance == "full" else 0.0,
            }
        )
    return pd.DataFrame(rows)


def sample_displacements(normal: pd.Series, count: int, generator: np.random.Generator) -> Floats:
    """Draw δ ~ 𝒩_i^(s−1), `(count, 2)`, from one row of :func:`fit_normals`.

    Of two draws a, b the axis with the larger variance v takes b, the other one, with variance w, takes a and
    what it shares with the first: μ_v + √v b and μ_w + (c/v) √v b + √(w − c²/v) a, c the covariance. That is
    Cholesky's factor with the larger pivot first, which exists for singular covariances too. Without a
    covariance both are mean + √variance · draw.
    """
    # No product of matrices: BLAS makes it, and its last bits hang on the processor.
    first, second = generator.standard_normal((count, 2)).T
    mean, variance = (np.array([normal[f"{name}_{axis}"] for axis in "xy"]) for name in ("mean", "var"))
    wide, narrow = (0, 1) if variance[0] > variance[1] else (1, 0)
    slope = normal["cov_xy"] / variance[wide] if variance[wide] > 0 else 0.0
    # Rounding makes what is left negative as often as not where the covariance is singular.
    left = max(variance[narrow] - slope * normal["cov_xy"], 0.0)
    along = np.sqrt(variance[wide]) * second
    sample = np.empty((count, 2))
    sample[:, wide] = mean[wide] + along
    sample[:, narrow] = mean[narrow] + (slope * along + np.sqrt(left) * first)
    return sample
