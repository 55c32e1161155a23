import io

import archives
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from deeppose.core.errors import AnnotationError, PredictionsError
from deeppose.core.skeleton import FULL_BODY
from deeppose.data.archives import matlab
from deeppose.data.archives.matlab import load_variable
from deeppose.data.prediction_files import read_predictions
from deeppose.data.readers.lsp import read_lsp

CELL = np.empty((1, 2), dtype=object)
CELL[:] = [[np.ones(3), "none"]]
BAD = {
    "sparse": csc_array(np.ones((3, 14))),
    "logical": np.ones((3, 14, 2), dtype=bool),
    "cell": CELL,
    "text": "none",
    "struct": {"x": 1.0},
    "complex": np.ones((3, 14, 2)) * 1j,
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, value):
    members = archives.lsp_members(archives.lsp_joints(2)) | {"joints.mat": archives.mat(joints=value)}
    with pytest.raises(AnnotationError, match=r"lsp_dataset.zip: joints.mat") as labels:
        read_lsp(archives.write_zip(tmp_path / "lsp_dataset.zip", members))
    (tmp_path / "p.mat").write_bytes(archives.mat(pred=value))
    with pytest.raises(PredictionsError, match=r"p.mat: ") as predictions:
        read_predictions(tmp_path / "p.mat", ["0", "1"], FULL_BODY)
    assert all(len(str(error.value).splitlines()) == 1 for error in (labels, predictions))


def packed(**variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def test_what_unpacks_to_much_is_refused_before_it_is_unpacked(monkeypatch):
    data = packed(pred=np.zeros((2, 14, 500)), other=np.zeros(3))
    found, names = load_variable(data, "pred")
    assert found.shape == (2, 14, 500)
    assert names == ["pred", "other"]
    monkeypatch.setattr(matlab, "LARGEST", 100_000)
    for large in (data, archives.mat(pred=np.zeros((2, 14, 500))), packed(a=1.0, pred=np.zeros(50_000))):
        with pytest.raises(ValueError, match="it unpacks to more than"):
            load_variable(large, "pred")


def test_a_cell_that_claims_many_elements_is_refused():
    data = bytearray(archives.mat(pred=CELL))
    claimed = (1, 2)
    at = data.index(b"".join(size.to_bytes(4, "little") for size in claimed))
    data[at : at + 8] = (1 << 20).to_bytes(4, "little") + (1 << 12).to_bytes(4, "little")
    with pytest.raises(ValueError, match="pred is cell and has 4294967296 elements"):
        load_variable(bytes(data), "pred")
