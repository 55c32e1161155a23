import dataclasses
import re

import archives
import numpy as np
import pytest

from deeppose.core.errors import AnnotationError, ArchiveError, MissingArchiveError
from deeppose.core.skeleton import FULL_BODY
from deeppose.data import registry
from deeppose.data.archives.contents import check_contents, classify, unexpected_counts
from deeppose.data.archives.zips import open_archive
from deeppose.data.pose_set import PERSON_CENTRIC
from deeppose.data.readers.observer_centric import observer_centric
from deeppose.data.registry import ENTRIES, entry_named, find_archive, read_set


@pytest.fixture
def folder(tmp_path):
    """A folder with a small LSP, LSP extended, FLIC, Image Parse and Buffy."""
    archives.write_lsp(tmp_path, archives.lsp_joints(4))
    archives.write_lsp_extended(tmp_path, archives.extended_joints(4))
    archives.write_flic(tmp_path, [archives.flic_example(n, train=n > 0) for n in range(3)])
    archives.write_parse(tmp_path, archives.parse_points(102))
    archives.write_folder(tmp_path / "Buffy", archives.buffy_members(BUFFY))
    return tmp_path


BUFFY = {2: {1: archives.BUFFY_STICKS}, 3: {2: archives.BUFFY_STICKS}, 5: {3: archives.BUFFY_STICKS}}


@pytest.fixture
def published_oc(monkeypatch):
    """Any file of observer-centric labels is taken for the published one."""
    entries = (dataclasses.replace(entry, annotations_sha256=None) for entry in ENTRIES)
    monkeypatch.setattr(registry, "ENTRIES", tuple(entries))


def exchanged_arms(joints):
    """Published LSP labels with left and right exchanged on the arms of the first pose."""
    result = joints.copy()
    arms = [6, 7, 8, 9, 10, 11]
    result[:, arms, 0] = joints[:, arms[::-1], 0]
    return result


def test_names_are_unique_and_every_entry_can_be_read():
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert (entry.read is None) == (entry.labels_of is not None)
        assert entry.labels_of is None or entry.labels_of in names
        assert entry.counts.train + entry.counts.test == entry.counts.examples
        checksums = [entry.published_sha256, entry.annotations_sha256, *(p.sha256 for p in entry.repacked)]
        assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in checksums if checksum)


def test_an_unknown_name_is_named():
    with pytest.raises(
        MissingArchiveError, match=r"'coco'; there are lsp, lsp-extended, lsp-oc, flic, parse, buffy"
    ):
        entry_named("coco")


def test_the_first_folder_counts(tmp_path):
    entry = entry_named("lsp")
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    assert find_archive(entry, [first, second]) is None
    archives.write_lsp(second, archives.lsp_joints(2))
    assert find_archive(entry, [first, second]) == second / "lsp_dataset.zip"
    first.mkdir()
    archives.write_lsp(first, archives.lsp_joints(2))
    assert find_archive(entry, [first, second]) == first / "lsp_dataset.zip"


@pytest.mark.parametrize("name", ["buffy.zip", "Buffy_s5e2_stickmen.ZIP", "buffy", "BUFFY stickmen V3"])
def test_buffy_goes_by_the_beginning_of_its_name(tmp_path, name):
    entry = entry_named("buffy")
    for other in ("a buffy.zip", "buffy.txt", "buffy.zip.part", "buffy_results.mat"):
        (tmp_path / other).write_bytes(b"")
    assert find_archive(entry, [tmp_path / "none", tmp_path]) is None
    members = archives.buffy_members(BUFFY)
    write = archives.write_zip if name.lower().endswith("zip") else archives.write_folder
    archive = write(tmp_path / name, members)
    assert find_archive(entry, [tmp_path / "none", tmp_path]) == archive
    assert len(read_set("buffy", [tmp_path], "oc").poses) == 3


def test_of_several_buffys_the_first_by_name_counts(tmp_path):
    for name in ("buffy_b", "Buffy_a", "buffy_a"):
        (tmp_path / name).mkdir()
    assert find_archive(entry_named("buffy"), [tmp_path]) == tmp_path / "Buffy_a"


@pytest.mark.parametrize("names", [("buffy", "Buffy backup"), ("buffy.zip", "Buffy backup", "buffy-2")])
def test_the_shortest_name_goes_first(tmp_path, names):
    for name in names:
        (tmp_path / name).touch() if name.endswith("zip") else (tmp_path / name).mkdir()
    assert find_archive(entry_named("buffy"), [tmp_path]) == tmp_path / names[0]


def without_top(members):
    return {name.partition("/")[2] if "/" in name else name: data for name, data in members.items()}


LSP = archives.lsp_members(archives.lsp_joints(4))
FLIC = archives.flic_members([archives.flic_example(n, train=n > 0) for n in range(3)])
PARSE = archives.parse_members(archives.parse_points(102))


@pytest.mark.parametrize(
    ("name", "file", "members"),
    [
        ("lsp", "LSP_dataset.zip", LSP),
        ("lsp", "lsp_dataset.zip", {f"lsp_dataset/{name}": data for name, data in LSP.items()}),
        ("lsp", "lsp_dataset", LSP),
        ("flic", "flic.zip", FLIC),
        ("flic", "FLIC.zip", {f"data/{name}": data for name, data in FLIC.items()}),
        ("flic", "FLIC.zip", without_top(FLIC)),
        ("flic", "FLIC", without_top(FLIC)),
        ("flic", "flic", FLIC),
        ("parse", "people.zip", without_top(PARSE)),
        ("parse", "people_all", without_top(PARSE)),
    ],
)
def test_other_packings_are_taken(folder, tmp_path_factory, name, file, members):
    elsewhere = tmp_path_factory.mktemp("packed")
    write = archives.write_zip if file.endswith("zip") else archives.write_folder
    archive = write(elsewhere / file, members)
    assert find_archive(entry_named(name), [elsewhere]) == archive
    found, published = (read_set(name, [place], "oc") for place in (elsewhere, folder))
    np.testing.assert_array_equal(found.poses, published.poses)
    with open_archive(archive) as opened:
        assert set(found.members) <= set(opened.namelist())


@pytest.mark.parametrize("bad", ["a" * 300, "nul\0"])
def test_a_folder_that_cant_be_looked_into_is_named(tmp_path, bad):
    with pytest.raises(MissingArchiveError, match="can't be looked into"):
        find_archive(entry_named("lsp"), [tmp_path / bad])


def test_a_missing_buffy_says_what_may_be_put_there(tmp_path):
    with pytest.raises(MissingArchiveError) as error:
        read_set("buffy", [tmp_path], "oc")
    for part in (f"{tmp_path / 'buffy'}*.zip", "a folder buffy*", "robots.ox.ac.uk", "Buffy stickmen"):
        assert part in str(error.value)


def test_a_file_alone_is_no_folder_of_that_name(tmp_path):
    (tmp_path / "FLIC.zip").mkdir()
    assert find_archive(entry_named("flic"), [tmp_path]) is None


def test_a_missing_archive_says_what_to_do(tmp_path):
    with pytest.raises(MissingArchiveError) as error:
        read_set("lsp", [tmp_path / "a", tmp_path / "b"], "oc")
    for part in (
        tmp_path / "a" / "lsp_dataset.zip",
        tmp_path / "b",
        "https://sam.johnson.io/research/lsp.html",
    ):
        assert str(part) in str(error.value)


def test_person_centric_labels_stay_as_published(folder):
    pose_set = read_set("lsp", [folder], "pc")
    np.testing.assert_array_equal(pose_set.poses, archives.lsp_joints(4)[:2].T - 1)
    assert pose_set.labels == "person-centric as published"


def test_the_rule_is_used_where_no_labels_were_published(folder):
    for name in ("lsp", "lsp-extended"):
        person_centric, by_rule = (read_set(name, [folder], labels) for labels in ("pc", "oc"))
        poses, labelled, counts = observer_centric(person_centric.poses, person_centric.labelled, FULL_BODY)
        np.testing.assert_array_equal(by_rule.poses, poses)
        np.testing.assert_array_equal(by_rule.labelled, labelled)
        assert by_rule.exchanged == counts
        assert by_rule.labels == "observer-centric by the rule"


def test_published_labels_go_before_the_rule_in_any_folder(folder, published_oc, tmp_path_factory):
    joints = exchanged_arms(archives.lsp_joints(4))
    elsewhere = tmp_path_factory.mktemp("labels")
    archives.write_lsp_oc(elsewhere, joints)
    for name in ("lsp", "lsp-oc"):
        pose_set = read_set(name, [folder, elsewhere], "oc")
        np.testing.assert_array_equal(pose_set.poses, joints[:2].T - 1)
        assert pose_set.labels == "observer-centric as published"
        assert pose_set.exchanged == {}
        assert pose_set.archive == folder / "lsp_dataset.zip"
    assert read_set("lsp-extended", [folder, elsewhere], "oc").labels == "observer-centric by the rule"
    assert read_set("lsp", [folder, elsewhere], "pc").labels == "person-centric as published"


def test_what_is_known_of_a_joint_changes_sides_with_it(folder, published_oc, tmp_path_factory):
    joints = archives.lsp_joints(4)
    elsewhere = tmp_path_factory.mktemp("labels")
    archives.write_lsp_oc(elsewhere, exchanged_arms(joints))
    published, observed = (read_set("lsp", [folder, elsewhere], labels) for labels in ("pc", "oc"))
    np.testing.assert_array_equal(published.occluded, joints[2].T == 1)
    np.testing.assert_array_equal(observed.occluded[1:], published.occluded[1:])
    np.testing.assert_array_equal(observed.occluded[0, 6:12], published.occluded[0, 11:5:-1])
    np.testing.assert_array_equal(observed.occluded[0, :6], published.occluded[0, :6])
    assert observed.from_behind.tolist() == [True, False, False, False]
    assert published.from_behind is None


def test_the_rule_tells_from_which_side_people_are_seen(folder):
    published, observed = (read_set("lsp", [folder], labels) for labels in ("pc", "oc"))
    exchanged = (observed.poses[:, 9] == published.poses[:, 8]).all(axis=-1)
    assert 0 < exchanged.sum() == observed.exchanged["arms_exchanged"] < 4
    np.testing.assert_array_equal(observed.from_behind, exchanged)
    assert read_set("flic", [folder], "oc").from_behind is None


def test_person_centric_labels_need_no_others(folder):
    before = read_set("lsp", [folder], "pc")
    archives.write_lsp_oc(folder, archives.lsp_joints(5))
    np.testing.assert_array_equal(read_set("lsp", [folder], "pc").poses, before.poses)


def test_other_labels_are_not_called_published(folder):
    archives.write_lsp_oc(folder, archives.lsp_joints(4))
    for name in ("lsp", "lsp-oc"):
        with pytest.raises(ArchiveError, match=r"lsp-joints-OC\.mat: .* sha256 .*, published is 14e4f210"):
            read_set(name, [folder], "oc")
    assert read_set("lsp", [folder], "pc").labels == PERSON_CENTRIC


def test_published_labels_of_other_poses_are_refused(folder, published_oc):
    archives.write_lsp_oc(folder, archives.lsp_joints(5))
    with pytest.raises(AnnotationError, match=r"labels 5 poses, but .* holds 4"):
        read_set("lsp", [folder], "oc")
    moved = archives.lsp_joints(4)
    moved[0, 12, 2] += 1
    archives.write_lsp_oc(folder, moved)
    with pytest.raises(AnnotationError, match=r"example 2, neck lies at .* don't belong together"):
        read_set("lsp", [folder], "oc")


@pytest.mark.parametrize("name", ["flic", "lsp-oc", "parse", "buffy"])
def test_observer_centric_sets_have_no_other_labels(folder, published_oc, name):
    archives.write_lsp_oc(folder, archives.lsp_joints(4))
    assert read_set(name, [folder], "oc").labels == "observer-centric as published"
    with pytest.raises(AnnotationError, match=r"observer-centric labels alone"):
        read_set(name, [folder], "pc")


def test_packings_are_told_apart():
    flic = entry_named("flic")
    assert classify(flic, flic.published_sha256) == "published archive"
    half = "known other packing: images at half size, labels scaled to match"
    assert classify(flic, flic.repacked[0].sha256) == half
    assert classify(flic, "0" * 64) == "unknown packing"
    assert classify(entry_named("lsp"), "0" * 64) == "unknown packing"


@pytest.mark.parametrize("name", ["lsp", "lsp-extended", "lsp-oc", "parse"])
def test_other_labels_stop_with_both_checksums(folder, name):
    archives.write_lsp_oc(folder, archives.lsp_joints(4))
    entry = entry_named(name)
    with pytest.raises(
        ArchiveError, match=rf"sha256 [0-9a-f]{{64}}, published is {entry.annotations_sha256}"
    ):
        check_contents(entry, folder / entry.archive)


def test_other_counts_stop(folder):
    with pytest.raises(ArchiveError) as error:
        check_contents(entry_named("flic"), folder / "FLIC.zip")
    for part in ("3 examples for 5003", "2 training", "1 test", "3 images for 4552", "bensapp.github.io"):
        assert part in str(error.value)


def test_versions_of_buffy_differ_in_number(folder):
    entry = entry_named("buffy")
    check_contents(entry, folder / "Buffy")
    differences = unexpected_counts(entry, read_set("buffy", [folder], "oc"))
    assert differences == ["3 examples for 748", "3 test examples for 748", "3 images for 748"]


@pytest.mark.realdata
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_the_published_sets_are_complete(mirror, entry):
    archive = find_archive(entry, [mirror])
    if archive is None:
        pytest.skip(f"{entry.wanted} is not in {mirror}")
    check_contents(entry, archive)
    pose_set = read_set(entry.name, [mirror], "oc")
    assert len(pose_set.poses) == len(pose_set.members)
    assert entry.counts_vary or len(pose_set.poses) == entry.counts.examples


def test_joints_that_the_observer_centric_rule_lacks_are_named(folder, monkeypatch):
    flic = entry_named("flic")
    person_centric = dataclasses.replace(flic.read(folder / "FLIC.zip"), labels=PERSON_CENTRIC)
    other = dataclasses.replace(flic, read=lambda _archive: person_centric)
    monkeypatch.setattr(registry, "ENTRIES", (other,))
    with pytest.raises(AnnotationError, match=r"FLIC\.zip.*lacks neck, .*left knee.*labels: pc"):
        read_set("flic", [folder], "oc")
    assert read_set("flic", [folder], "pc").labels == PERSON_CENTRIC
