"""Crops cut where the network runs, from images that lie in its memory: a GPU then waits for no process."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from deeppose.errors import DeviceError
from deeppose.examples import Indices
from deeppose.geometry import Bools, Floats
from deeppose.images import Images, Pixels

SUBPIXELS = 32
"""Points are sampled at this fraction of a pixel, as OpenCV does."""
COARSEST = 64
"""The longest side, in pixels, of the coarsest copies."""


class DeviceImages:
    """All images of a table on one device, and copies of them at a half, a quarter, … of their size.

    A crop that shrinks its image is sampled from the copy that is nearest to its own resolution, where
    :func:`deeppose.crops.crop` averages over just the pixels that each of its own covers.
    """

    def __init__(self, images: Images | Sequence[Pixels], device: torch.device) -> None:
        """Copy the images there, a third more than their own bytes with the smaller copies.

        Raises
        ------
        DeviceError
            If they don't fit into the device's memory.
        """
        sizes = np.array([images[row].shape[1::-1] for row in range(len(images))], dtype=np.int64)
        sizes = sizes.reshape(-1, 2)
        levels = 1 + max(0, math.ceil(math.log2(sizes.max(initial=1) / COARSEST)))
        halved = [sizes]
        while len(halved) < levels:
            halved.append(-(-halved[-1] // 2))
        self.sizes = np.stack(halved)
        areas = self.sizes.prod(axis=2)
        self.offsets = (np.cumsum(areas) - areas.ravel()).reshape(areas.shape)
        pixels = np.empty((int(areas.sum()), 3), dtype=np.uint8)
        for row in tqdm(range(len(images)), desc="images to the device", disable=None, leave=False):
            copy: Pixels = np.ascontiguousarray(images[row])
            for level, ((width, height), offset) in enumerate(
                zip(self.sizes[:, row].tolist(), self.offsets[:, row].tolist(), strict=True)
            ):
                if level:
                    copy = cv2.resize(copy, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
                pixels[offset : offset + width * height] = copy.reshape(-1, 3)
        try:
            self._pixels = torch.from_numpy(pixels).to(device)
        except torch.OutOfMemoryError:
            raise DeviceError(
                f"the images with their smaller copies take {pixels.nbytes / 1e9:.1f} GB, more than {device} "
                f"has free: cut crops beside it (device.crops: host)"
            ) from None

    def __len__(self) -> int:
        return len(self.sizes[0])

    def crops(
        self,
        rows: Indices,
        boxes: Floats,
        mirrored: Bools,
        size: int,
        padding: tuple[int, int, int],
        angles: Floats,
    ) -> Tensor:
        """Cut as :func:`deeppose.crops.crop` does, all at once.

        Parameters
        ----------
        rows
            Which image each crop is of, `(n,)`.
        boxes, mirrored, angles
            `(n, 4)`, `(n,)` and `(n,)`, as there.

        Returns
        -------
        `(n, size, size, 3)` uint8, on the device.
        """
        levels, turns, firsts = self._from_crops(rows, boxes, mirrored, size, angles)
        device = self._pixels.device
        turn, first = (torch.from_numpy(part).to(device) for part in (turns, firsts))
        numbers = torch.arange(size, device=device, dtype=torch.float64)
        # (n, 2, size, size): x and y, in fractions of a pixel, of each crop's pixels.
        points = (
            first[:, :, None, None]
            + turn[:, :, 0, None, None] * numbers
            + turn[:, :, 1, None, None] * numbers[:, None]
        )
        subpixels = torch.floor(points * SUBPIXELS + 0.5).long()
        corners, within = subpixels.div(SUBPIXELS, rounding_mode="floor"), subpixels % SUBPIXELS
        offsets = torch.from_numpy(self.offsets[levels, rows]).to(device)[:, None, None]
        ends = torch.from_numpy(self.sizes[levels, rows]).to(device)[:, :, None, None]
        colour = torch.tensor(padding, dtype=torch.int32, device=device)
        total = torch.zeros((len(rows), size, size, 3), dtype=torch.int32, device=device)
        for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
            x, y = corners[:, 0] + right, corners[:, 1] + below
            inside = (x >= 0) & (y >= 0) & (x < ends[:, 0]) & (y < ends[:, 1])
            places = torch.where(inside, offsets + y * ends[:, 0] + x, 0)
            colours = torch.where(inside[..., None], self._pixels[places].int(), colour)
            along_x = within[:, 0] if right else SUBPIXELS - within[:, 0]
            along_y = within[:, 1] if below else SUBPIXELS - within[:, 1]
            total += colours * (along_x * along_y).int()[..., None]
        whole = SUBPIXELS**2
        return ((total + whole // 2) // whole).to(torch.uint8)

    def _from_crops(
        self, rows: Indices, boxes: Floats, mirrored: Bools, size: int, angles: Floats
    ) -> tuple[Indices, Floats, Floats]:
        """Which copy each crop is sampled from, `(n,)`, and how its pixels lie there: x ↦ Ax + b.

        A is `(n, 2, 2)`, b `(n, 2)`.
        """
        boxes = boxes.astype(np.float64)
        centres, steps = boxes[:, :2], boxes[:, 2:] / size
        firsts = centres - boxes[:, 2:] / 2 + steps / 2
        largest = steps.max(axis=1)
        levels = np.clip(np.rint(np.log2(largest)), 0, len(self.sizes) - 1).astype(np.int64)
        firsts[:, 0] += np.where(mirrored, (size - 1) * steps[:, 0], 0.0)
        signed = steps * np.where(mirrored[:, None], [-1.0, 1.0], 1.0)
        cos, sin = np.cos(angles), np.sin(angles)
        turn = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=1)
        to_image = turn * signed[:, None]
        firsts = np.einsum("nij,nj->ni", turn, firsts - centres) + centres
        shares = self.sizes[levels, rows] / self.sizes[0, rows]
        return levels, to_image * shares[:, :, None], (firsts + 0.5) * shares - 0.5
