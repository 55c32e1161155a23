"""Crops cut where the network runs, from images that lie in its memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from deeppose.core.errors import DeviceError, GeometryError
from deeppose.core.examples import Indices
from deeppose.core.geometry import Bools, Floats
from deeppose.core.images import Images, Pixels

MOST_PIXELS = 2**25
"""Of the images, that are looked at at a time: with all that is made of them a gigabyte."""


class DeviceImages:
    """All images of a table, on one device.

    A crop is two products of matrices, since a box that isn't turned is resampled along x and along y. Each
    of its pixels is the mean of the image's around it, by weights that fall off linearly: within one pixel
    or, where the crop shrinks the image, as many as one of its own covers.
    """

    def __init__(self, images: Images | Sequence[Pixels], device: torch.device) -> None:
        """Copy the images there.

        Raises
        ------
        DeviceError
            If they don't fit into the device's memory.
        """
        every = [images[row] for row in range(len(images))]
        self.sizes = np.array([image.shape[1::-1] for image in every], dtype=np.int64).reshape(-1, 2)
        areas = self.sizes.prod(axis=1)
        self.offsets = np.cumsum(areas) - areas
        pixels = np.concatenate([np.zeros((0, 3), np.uint8), *(image.reshape(-1, 3) for image in every)])
        try:
            self._pixels = torch.from_numpy(pixels).to(device)
        except torch.OutOfMemoryError:
            raise DeviceError(
                f"the images take {pixels.nbytes / 1e9:.1f} GB, more than {device} has free: cut crops "
                f"beside it (-S profiles/<profile>.yaml:device.crops=host)"
            ) from None

    def __len__(self) -> int:
        return len(self.sizes)

    def crops(
        self, rows: Indices, boxes: Floats, mirrored: Bools, size: int, padding: tuple[int, int, int]
    ) -> Tensor:
        """Cut as :func:`deeppose.cascade.crops.crop` does, but for how a shrunk image is averaged.

        Parameters
        ----------
        rows
            Which image each crop is of, `(n,)`.
        boxes, mirrored
            `(n, 4)` and `(n,)`, as there.

        Returns
        -------
        `(n, size, size, 3)` uint8, on the device.

        Raises
        ------
        GeometryError
            If a box has no area or isn't finite.
        """
        boxes = boxes.astype(np.float64)
        bad = ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
        if bad.any():
            raise GeometryError(f"box {boxes[bad][0].tolist()} has no area or isn't finite")
        crops = torch.empty((len(rows), size, size, 3), dtype=torch.uint8, device=self._pixels.device)
        colour = torch.tensor(padding, dtype=torch.float32, device=crops.device)
        steps, lengths = boxes[:, 2:] / size, self.sizes[rows]
        reaches = np.maximum(steps, 1.0)
        # (n, 2, size): where the crops' pixels lie.
        middles = (boxes[:, :2] - boxes[:, 2:] / 2)[..., None] + steps[..., None] * (np.arange(size) + 0.5)
        firsts = np.maximum(np.floor(middles[..., 0] - reaches), 0).astype(np.int64)
        ends = np.minimum(np.ceil(middles[..., -1] + reaches) + 1, lengths).astype(np.int64)
        middles[:, 0] = np.where(mirrored[:, None], middles[:, 0, ::-1], middles[:, 0])
        spans = np.maximum(ends - firsts, 1)
        for some in _together(spans):
            seen = spans[some].max(axis=0)
            along_x, along_y = (
                self._weights(
                    *(part[some, axis] for part in (middles, reaches, firsts, lengths)), seen=int(seen[axis])
                )
                for axis in (0, 1)
            )
            pixels = self._regions(rows[some], firsts[some], seen) - colour
            count, height, width, _ = pixels.shape
            # (n, size, width, 3), then (n, size, size, 3) with x before y.
            by_row = (along_y @ pixels.reshape(count, height, width * 3)).reshape(count, size, width, 3)
            columns = by_row.transpose(1, 2).reshape(count, width, size * 3)
            cut = (along_x @ columns).reshape(count, size, size, 3).transpose(1, 2)
            whole = torch.floor(cut + colour + 0.5).clamp_(0, 255)
            crops[torch.from_numpy(some).to(crops.device)] = whole.to(torch.uint8)
        return crops

    def _regions(self, rows: Indices, firsts: Indices, seen: Indices) -> Tensor:
        """So many columns and rows from each image's first on, `(n, height, width, 3)`.

        Where the image ends before, its last ones again.
        """
        device = self._pixels.device
        first, last, offset = (
            torch.from_numpy(part).to(device) for part in (firsts, self.sizes[rows] - 1, self.offsets[rows])
        )
        columns, lines = (
            (first[:, axis, None] + torch.arange(int(seen[axis]), device=device)).minimum(last[:, axis, None])
            for axis in (0, 1)
        )
        widths = last[:, 0, None] + 1
        return self._pixels[(offset[:, None] + lines * widths)[:, :, None] + columns[:, None]].float()

    def _weights(
        self, middles: Floats, reaches: Floats, firsts: Indices, lengths: Indices, *, seen: int
    ) -> Tensor:
        """How much each of `seen` pixels from the first on counts for each of the crop's, `(n, size, seen)`.

        `middles` `(n, size)` are where the crop's pixels lie along an axis; each looks as far as its reach.
        Images are `lengths` long. What a sum lacks to 1 is the padding's.
        """
        device = self._pixels.device
        middle = torch.from_numpy(middles).to(device)[..., None]
        first, length, reach = (
            torch.from_numpy(part).to(device)[:, None, None] for part in (firsts, lengths, reaches)
        )
        places = first + torch.arange(seen, device=device)
        weights = (1 - (places - middle).abs_() / reach).clamp_(min=0) * (places < length)
        total = weights.sum(dim=-1, keepdim=True)
        # At the edge the image fades into the padding over one pixel of the size that it is brought to.
        shown = torch.minimum(middle + 0.5, length - 0.5 - middle) / reach + 0.5
        return (weights / total.clamp(min=1e-12) * shown.clamp_(0, 1)).float()


def _together(seen: Indices) -> Iterator[Indices]:
    """Which crops are cut at once, of all that see so many columns and rows, `(n, 2)`: those of like size."""
    exponents = np.ceil(np.log2(seen.max(axis=1))).astype(np.int64)
    for exponent in np.unique(exponents):
        alike = np.flatnonzero(exponents == exponent)
        most = max(1, MOST_PIXELS // int(seen[alike].max(axis=0).prod()))
        yield from np.split(alike, range(most, len(alike), most))
