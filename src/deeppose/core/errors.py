"""What can go wrong, one class a failure; each message names the bad value and what to do about it."""


class DeepPoseError(Exception):
    """Base of every error that a user can mend; the command line prints it without a traceback."""


class ParamsError(DeepPoseError):
    """params.yaml holds an unknown key or a value that is not allowed."""


class MissingArchiveError(DeepPoseError):
    """An archive is neither in the mirror folder nor to be had from its published address."""


class SkeletonError(DeepPoseError):
    """The joints, limbs and sides of a skeleton don't fit together."""


class ArchiveError(DeepPoseError):
    """An archive is cut short, lacks a member, or its contents are not the published ones."""


class AnnotationError(DeepPoseError):
    """The labels of a set are not in the published layout."""


class ImageError(DeepPoseError):
    """An image is missing or can't be decoded."""


class PredictionsError(DeepPoseError):
    """A predictions file does not fit the set that it is scored on."""


class FaceError(DeepPoseError):
    """No face was found where an initial box is to be made of one."""


class GeometryError(DeepPoseError):
    """A box without area, or arrays whose shapes don't belong together."""


class DiskFullError(DeepPoseError):
    """No space was left while an output was written; the old output, if any, still stands."""


class TableError(DeepPoseError):
    """A table of text, of annotations or predictions, can't be read."""


class OutputError(DeepPoseError):
    """A file or folder can't be written where it is asked for."""


class NotFiniteError(DeepPoseError):
    """A loss, a predicted pose, or a normal distribution that boxes are drawn from, is NaN or infinite."""


class DeviceError(DeepPoseError):
    """The accelerator that the params ask for is not there, or too small."""


class ProcessesError(DeepPoseError):
    """Processes that run a stage together are not as many as params say, don't fit together, or died."""


class StageError(DeepPoseError):
    """A stage was run before its dependencies, or is to be started in a way that can't work."""


class WeightsError(DeepPoseError):
    """A file of weights is missing or can't be read."""


class ExportError(DeepPoseError):
    """A network can't be written for other runtimes, or gives other values there."""
