"""DeepPose (Toshev and Szegedy, CVPR 2014): human pose by a cascade of ConvNet regressors."""

import os

# How long torch's threads spin before they sleep, read when torch is loaded. Its default halves the speed,
# and worse, beside other work on the machine; not to spin at all costs a small network a third of its speed.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# What OpenCV decodes at most, read when it is loaded. Its default lets a file of a few bytes take 3 GB.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

# As in typing, which is slow to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from deeppose.deploy.pose import Pose

__all__ = ["Pose"]


def __getattr__(name: str) -> object:
    """`Pose`, once somebody asks for it: pipeline stages start without."""
    if name == "Pose":
        from deeppose.deploy.pose import Pose

        return Pose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
