"""What several tests of figures plot."""

import pytest
from plotted import STAGES, joint_errors

from deeppose.core.skeleton import FULL_BODY
from deeppose.report.figures.curves import (
    pdj_curves,
)
from deeppose.report.figures.poses import (
    choose_examples,
)


@pytest.fixture(scope="module")
def curves():
    return pdj_curves(joint_errors([0.1, 0.2, 0.3, 0.6], (*STAGES, "mean pose")), FULL_BODY, "lsp", 1)


@pytest.fixture(scope="module")
def choice():
    return choose_examples(joint_errors([0.1, 0.2]), "lsp", "stage 1", 2)
