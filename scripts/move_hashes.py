"""Bring dvc.lock to today's code without running anything, where the outputs are known to be the same.

    python scripts/move_hashes.py PROFILE [NEW-PARAM...]

Of each stage of the profile that dvc.lock holds, the command and hashes of code become today's, and data
dependencies get the hashes of the outputs that they are. No output is touched. CONTRIBUTING.md says how to
show beforehand that the outputs are the same. Where params differ they are not: it stops and names them, but
for those that are new and named here, whose values ask for what was done before there were such params.
"""

import sys
from collections.abc import Mapping
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dump_yaml, load_yaml
from published import leaves, profile_chosen

LOCK = "dvc.lock"
CODE = ("src/", "stages/")


def main(profile: str, new: list[str]) -> None:
    with profile_chosen(profile), Repo() as repo, repo.lock:
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        locked = [stage for stage in stages if all(out.hash_info for out in stage.outs)]
        made = {out.def_path: out for stage in locked for out in stage.outs}
        lock = load_yaml(LOCK)
        for stage in locked:
            for dep in stage.deps:
                if isinstance(dep, ParamsDependency):
                    before, now = (
                        by_name(values) for values in (dep.hash_info.value or {}, dep.read_params())
                    )
                    same_as_none = (now.keys() - before.keys()) & set(new)
                    changed = [
                        name
                        for name in dict.fromkeys([*now, *before])
                        if name not in same_as_none
                        and (name not in now or name not in before or now[name] != before[name])
                    ]
                    if changed:
                        sys.exit(f"{stage.addressing} ran with another {', '.join(changed)}: run it again")
                    dep.save()
                if dep.def_path.startswith(CODE):
                    dep.save()
                elif dep.def_path in made:
                    dep.hash_info, dep.meta = made[dep.def_path].hash_info, made[dep.def_path].meta
            lock["stages"].update(to_lockfile(stage))
        dump_yaml(LOCK, lock)
    print(f"{LOCK}: {len(locked)} of {len(stages)} stages of {profile} stand on today's code")


def by_name(params: Mapping[str, Any]) -> dict[str, Any]:
    """Their values by full names."""
    return {".".join(keys): value for keys, value in leaves(params)}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
