"""Observed displacements of a stage and the Normals fitted to them, one a joint (§3.2)."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from deeppose.core.examples import Examples, Indices
from deeppose.core.geometry import Bools, Floats
from deeppose.core.skeleton import Skeleton

Units = Literal["pixels", "diameter"]
Covariance = Literal["diagonal", "full"]


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


def fit_normals(displacements: pd.DataFrame, covariance: Covariance, narrowest: float = 0.0) -> pd.DataFrame:
    """Fit a 2-D Normal 𝒩_i^(s−1) a joint: mean and variance of its observed displacements (§3.2).

    Parameters
    ----------
    narrowest
        The smallest standard deviation along x and along y, in the displacements' unit: a network is less far
        off on images that it was trained on than it will be on others.

    Returns
    -------
    One row a joint: `joint`, `count`, `mean_x`, `mean_y`, `var_x`, `var_y`, `cov_xy`, the last 0 with
    "diagonal".
    """
    rows = []
    for joint, group in displacements.groupby("joint", sort=True):
        points = group[["dx", "dy"]].to_numpy()
        spread = np.cov(points, rowvar=False, bias=True)
        rows.append(
            {
                "joint": np.int16(joint),  # type: ignore[arg-type]
                "count": len(points),
                "mean_x": points[:, 0].mean(),
                "mean_y": points[:, 1].mean(),
                "var_x": max(spread[0, 0], narrowest**2),
                "var_y": max(spread[1, 1], narrowest**2),
                "cov_xy": spread[0, 1] if covariance == "full" else 0.0,
            }
        )
    return pd.DataFrame(rows)


def sample_displacements(normal: pd.Series, count: int, generator: np.random.Generator) -> Floats:
    """Draw δ ~ 𝒩_i^(s−1), `(count, 2)`, from one row of :func:`fit_normals`."""
    covariance = np.array([[normal["var_x"], normal["cov_xy"]], [normal["cov_xy"], normal["var_y"]]])
    # A factor that exists for singular covariances too, unlike Cholesky's.
    values, vectors = np.linalg.eigh(covariance)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    mean = np.array([normal["mean_x"], normal["mean_y"]])
    sample: Floats = mean + generator.standard_normal((count, 2)) @ factor.T
    return sample
