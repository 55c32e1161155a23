import re

import pytest

from deeppose.core.errors import AnnotationError, TableError
from deeppose.data.readers.tables import read_deeplabcut, read_table

JOINTS = ("nose", "withers", "tail")
TABLE = """image,part,joint,x,y
1.jpg,train,nose,31.5,40
1.jpg,train,withers,88,35.5
2.jpg,test,nose,30,42
"""
COLLECTED = """scorer,,,me,me,me,me,me,me
bodyparts,,,nose,nose,withers,withers,ear,ear
coords,,,x,y,x,y,x,y
labeled-data,film,img01.png,1.5,2,3,4,,
labeled-data,film,img02.png,,,5,6,1,1
"""
SEVERAL = """scorer,me,me,me,me,me,me
individuals,ada,ada,ada,ada,bob,bob
bodyparts,nose,nose,withers,withers,nose,nose
coords,x,y,x,y,x,y
labeled-data/film/img01.png,1,2,3,4,5,6
labeled-data/film/img02.png,1,2,,,,
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="labels.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_table(written):
    one, other = read_table(written(TABLE), JOINTS)
    assert (one.image, one.part, one.points) == (
        "1.jpg",
        "train",
        {"nose": (31.5, 40), "withers": (88, 35.5)},
    )
    assert (other.image, other.part, other.points) == ("2.jpg", "test", {"nose": (30, 42)})
    assert (one.box, one.size) == (None, None)


def test_a_table_of_several_in_an_image(written):
    text = "person,joint,image,y,x\na,nose,1.jpg,2,1\nb,nose,1.jpg,4,3\na,tail,1.jpg,6,5\n"
    one, other = read_table(written(text), JOINTS)
    assert (one.points, other.points) == ({"nose": (1, 2), "tail": (5, 6)}, {"nose": (3, 4)})
    assert one.part is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2.jpg,test,noes,1,2", "line 5: joint is 'noes', not one of nose, withers, tail"),
        ("2.jpg,tests,tail,1,2", "line 5: part is 'tests'"),
        ("2.jpg,test,nose,1,2", "line 5 has a joint again: nose of 2.jpg"),
        ("2.jpg,train,tail,1,2", "line 5: 2.jpg is in both parts"),
        ("2.jpg,test,tail,1", "line 5: 4 fields where the header has 5"),
        ("2.jpg,test,tail,one,2", "line 5: x is 'one', not a number"),
        ("2.jpg,test,tail,1,inf", "line 5: y is 'inf', not a finite number"),
        ("2.jpg,test,tail,1,", "line 5: y is '', not a number"),
        ("2.jpg,test,tail,,", "line 5: x and y are empty"),
    ],
)
def test_a_wrong_line_is_named(written, line, told):
    with pytest.raises((AnnotationError, TableError), match=re.escape(told)):
        read_table(written(TABLE + line), JOINTS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the columns image, joint, x, y are expected, each once; found none"),
        (
            "image,joint,x\n1.jpg,nose,1\n",
            "line 1: the columns image, joint, x, y are expected, each once; found image, joint, x",
        ),
        ("image,joint,x,y,z\n1.jpg,nose,1,2,3\n", "line 1: the column 'z' is none of image, part,"),
        ('image,joint,x,y\n1.jpg,nose,1.5,2\n2.jpg,nose,"1,5",2\n', "another decimal mark"),
    ],
)
def test_what_is_no_such_table(tmp_path, text, told):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises((AnnotationError, TableError), match=re.escape(told)):
        read_table(tmp_path / "t.csv", JOINTS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_tables_as_spreadsheets_write_them(tmp_path, encoding):
    lines = ["image;joint;x;y", "é.jpg;nose;1,5;2", "é.jpg;tail;3,25;4", ""]
    (tmp_path / "t.csv").write_bytes("\r\n".join(lines).encode(encoding))
    (one,) = read_table(tmp_path / "t.csv", JOINTS)
    assert (one.image, one.points) == ("é.jpg", {"nose": (1.5, 2), "tail": (3.25, 4)})


def test_collected_data_with_decimal_commas(written):
    (one,) = read_deeplabcut(
        written("scorer;me;me\nbodyparts;nose;nose\ncoords;x;y\n1.png;1,5;2,25\n"), JOINTS[:1]
    )
    assert one.points == {"nose": (1.5, 2.25)}


def test_collected_data(written):
    one, other = read_deeplabcut(written(COLLECTED), JOINTS[:2])
    assert (one.image, one.points) == ("labeled-data/film/img01.png", {"nose": (1.5, 2), "withers": (3, 4)})
    assert (other.image, other.points) == ("labeled-data/film/img02.png", {"withers": (5, 6)})


def test_collected_data_of_several(written):
    found = read_deeplabcut(written(SEVERAL), JOINTS[:2])
    assert [(one.image[-6:], one.points) for one in found] == [
        ("01.png", {"nose": (1, 2), "withers": (3, 4)}),
        ("01.png", {"nose": (5, 6)}),
        ("02.png", {"nose": (1, 2)}),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("bodyparts", "parts"), "is not laid out as DeepLabCut's CollectedData"),
        (("withers", "whithers"), "no body part 'withers', which the skeleton has, only nose, whithers, ear"),
        (("x,y,x,y,x,y", "x,y,x,x,x,y"), "coords are not x and y in turn"),
        (("x,y,x,y,x,y", "x,y,likelihood,x,y,likelihood"), "holds predictions, with likelihoods, not labels"),
        (("1.5,2,", "1.5,,"), "line 4: y of nose is '', not a number"),
        (("1.5,2,", "1.5,two,"), "line 4: y of nose is 'two', not a number"),
    ],
)
def test_collected_data_that_can_not_be_right(written, change, told):
    with pytest.raises((AnnotationError, TableError), match=re.escape(told)):
        read_deeplabcut(written(COLLECTED.replace(*change)), JOINTS[:2])
