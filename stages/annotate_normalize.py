"""Read the sets of a model, pack their images, table their examples, and report what was found."""

from pathlib import Path

from common import Half, Item, run
from deeppose.core.errors import ArchiveError, MissingArchiveError
from deeppose.core.examples import write_examples
from deeppose.core.files import atomic_path, write_json
from deeppose.data.annotate import annotate
from deeppose.data.archives.checksums import archive_sha256
from deeppose.data.registry import read_set


def main(item: Item, _: int) -> None:
    model = item.model
    folders = item.archive_folders()
    check_archives(item, folders)
    test_sets = [name for name in model.test if name not in item.left_out]
    sets = {name: read_set(name, folders, model.labels) for name in dict.fromkeys((*model.train, *test_sets))}
    with atomic_path(item.train.folder) as train_folder, atomic_path(item.test.folder) as test_folder:
        train, test = Half(train_folder, item.skeleton), Half(test_folder, item.skeleton)
        annotated = annotate(
            [sets[name] for name in model.train],
            [sets[name] for name in test_sets],
            item.skeleton,
            train.images,
            test.images,
            held_out=model.held_out,
            trusted=item.trusted,
            seed=item.params.seed,
        )
        write_examples(annotated.train, *train.example_tables)
        write_examples(annotated.test, *test.example_tables)
    with atomic_path(item.circumstances) as temporary:
        annotated.circumstances.to_parquet(temporary, index=False)
    write_json(item.mean_colour, annotated.mean_colour)
    write_json(item.reports / "annotations.json", annotated.report)


def check_archives(item: Item, folders: list[Path]) -> None:
    """That the archives are still those which the download stage noted."""
    for name, noted in item.read_manifest()["archives"].items():
        path = next((folder / name for folder in folders if (folder / name).exists()), None)
        if path is None:
            raise MissingArchiveError(f"{name} is no longer in {' or '.join(map(str, folders))}: put it back")
        if archive_sha256(path, item.checksums) != noted["sha256"]:
            raise ArchiveError(
                f"{path} has changed since it was noted in {item.manifest}: run `dvc repro` again"
            )


if __name__ == "__main__":
    run(main)
