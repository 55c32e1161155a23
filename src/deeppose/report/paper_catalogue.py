"""The paper's tables and figures in our words; ours are in :mod:`deeppose.report.catalogue`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperExhibit:
    """A table or figure of the paper.

    Attributes
    ----------
    heading
        Its number, by which our counterpart is found.
    shows
        What the paper's shows; its curves are not given as numbers, and its pictures are not ours to copy.
    with_pdj
        Whether our table of PDJ on its set stands below it.
    differences
        What differs whatever the run.
    """

    heading: str
    title: str
    shows: str
    with_pdj: bool = False
    differences: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """What a link to it ends with."""
        return self.heading.lower().replace(" ", "-")


PAPER_EXHIBITS = (
    PaperExhibit(
        "Table 1",
        "correct limbs on LSP",
        "Percentage of correct parts at 0.5 of the model trained on LSP and LSP extended, after each stage, "
        "beside five other methods.",
    ),
    PaperExhibit(
        "Table 2",
        "correct limbs on Image Parse",
        "Percentage of correct parts at 0.5 of the same model on a set that it was not trained on.",
        with_pdj=True,
    ),
    PaperExhibit(
        "Figure 3",
        "detected elbows and wrists on FLIC",
        "Detection rate of elbows and wrists against the distance to the true joint, up to 0.2 of the pose's "
        "diameter: DeepPose after two cascade stages, and four other methods. The text puts DeepPose at 0.2 "
        "ahead of the next best method by 0.15 for elbows and by 0.2 for wrists.",
        with_pdj=True,
        differences=(
            "The mean pose of the training images stands in the picture, to show what takes no network.",
        ),
    ),
    PaperExhibit(
        "Figure 4",
        "detected joints on LSP",
        "Detection rate of ankles, knees, elbows and wrists up to 0.5 of the pose's diameter: DeepPose "
        "solid, Dantone et al. dashed, one colour a joint. The text puts DeepPose ahead by 0.1 at 0.5, with "
        "comparable legs and slightly worse arms at 0.2.",
        with_pdj=True,
        differences=(
            "The curves of Dantone et al. are published as a picture, not as numbers: the dotted lines here "
            "are the mean pose of the training images.",
        ),
    ),
    PaperExhibit(
        "Figure 5",
        "what each stage adds on FLIC",
        "Detection rate of elbows and wrists after stages 1, 2 and 3, over a larger range of distances. The "
        "text sees the largest gains from 0.15 to 0.2, and most of them from the first refinement.",
        differences=("Where the range ends is not in the text: here at 0.5.",),
    ),
    PaperExhibit(
        "Figure 6",
        "poses after each stage on LSP",
        "Three images, a row each, with the predicted pose (red) and the true one (green) after stages 1, 2 "
        "and 3: refinement moves a pose of about the right shape onto the body.",
        differences=("The images are chosen by a rule, which stands below them, not by eye.",),
    ),
    PaperExhibit(
        "Figure 7",
        "detected elbows and wrists on Buffy",
        "Detection rate of elbows and wrists on a set that the FLIC model was not trained on: DeepPose after "
        "two cascade stages, and four other methods.",
        with_pdj=True,
        differences=("Buffy has no hips: the diameter of a pose is the length of its torso's stick.",),
    ),
    PaperExhibit(
        "Figure 8",
        "stick figures on LSP",
        "Predicted poses on many images of LSP as stick figures, one colour a limb, the same in all images; "
        "among them upside-down people, foreshortening, hidden limbs, and left and right confused from the "
        "back.",
        differences=("The images are chosen by a rule, from the best to the worst.",),
    ),
    PaperExhibit(
        "Figure 9",
        "stick figures on FLIC",
        "Predicted poses on images of FLIC, drawn as in Figure 8; lower arms are where mistakes are seen.",
        differences=("The images are chosen by a rule, from the best to the worst.",),
    ),
)
