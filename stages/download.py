"""Find, make or download the archives of a profile's models; note which they are and which are missing."""

from run import run_of_profile

import sys

from deeppose.core.files import atomic_path, write_json
from deeppose.core.params import Params
from deeppose.core.paths import manifests_folder
from deeppose.data.manifest import make_manifests


def main(params: Params) -> None:
    profile = sys.argv[1]
    manifests = make_manifests(params, profile)
    with atomic_path(manifests_folder(profile)) as folder:
        for model, manifest in manifests.items():
            write_json(folder / f"{model}.json", manifest)


if __name__ == "__main__":
    run_of_profile(main)
