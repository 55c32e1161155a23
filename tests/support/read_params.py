"""Run every stage of the project in this folder, in one process, and print which params each one read."""

import importlib
import json
import re
import sys
from pathlib import Path

import yaml
from pydantic import BaseModel

from deeppose.core.params_file import load_params
from deeppose.core.paths import Item

WHOLE = ("model_dump", "model_copy")
# Mappings that are read as one, not by key.
WHOLE_MAPPINGS = ("repeated", "recrops", "sigma", "shrinkage")


class Noted:
    """A section of the params that notes what is read of it, by its path in params.yaml."""

    def __init__(self, value, path, paths):
        self._value, self._path, self._paths = value, path, paths

    def _child(self, value, name):
        path = f"{self._path}.{name}".lstrip(".")
        if isinstance(value, BaseModel | dict) and name not in WHOLE_MAPPINGS:
            return Noted(value, path, self._paths)
        self._paths.add(path)
        return value

    def __getattr__(self, name):
        method = getattr(type(self._value), name, None)
        if name in WHOLE:
            return lambda exclude=(), **options: self._whole(name, exclude, options)
        if isinstance(method, property):
            return method.fget(self)
        if callable(method):
            return lambda *arguments: method(self, *arguments)
        return self._child(getattr(self._value, name), name)

    def _whole(self, name, exclude, options):
        """The whole section, or all of it but what is excluded."""
        fields = [key for key in type(self._value).model_fields if key not in exclude] if exclude else []
        self._paths |= {f"{self._path}.{key}" for key in fields} or {self._path}
        return getattr(self._value, name)(**options, **({"exclude": set(exclude)} if exclude else {}))

    def __getitem__(self, name):
        return self._child(self._value[name], name)


def main():
    sys.path.insert(0, str(Path("stages").resolve()))
    read = {}
    for name, stage in yaml.safe_load(Path("dvc.yaml").read_text())["stages"].items():
        if name == "download":
            continue
        _, script, *arguments = stage["cmd"].split()
        module = importlib.import_module(Path(script).stem)
        paths = set()
        params = Noted(load_params(), "", paths)
        if name == "report":
            sys.argv[1:] = ["demo"]
            module.main(params)
        else:
            number = int((arguments[2:] or [0])[0])
            for model in load_params().models:
                module.main(Item(params, "demo", model), number)
            # What is made for a stage beyond the second is left empty where S is smaller.
            if number + name.startswith("predict-train") > 2:
                paths.add("cascade_stages")
        read[name] = sorted({re.sub(r"^model\.\w+", "model.*", path) for path in paths})
    print(json.dumps(read))


if __name__ == "__main__":
    main()
