"""Reading params.yaml and profiles/; all that is not allowed in them is named at once."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deeppose.core.errors import ParamsError
from deeppose.core.files import write_text
from deeppose.core.params import Embedded, Params, Profile
from deeppose.core.training_params import Section, Training

MOST_VALUES = 10_000
LARGEST_INT = 10**18
LONGEST_SHOWN = 200


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml and the profiles beside it.

    Raises
    ------
    ParamsError
        Naming every bad key, its value and what is allowed.
    """
    return _checked(path, read_values(path))


def _checked(path: Path, values: Any) -> Params:  # noqa: ANN401
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        problems = _explained(error.errors(include_url=False))
        lines = [f"  {key}: {' or '.join(wrong)}" for key, wrong in problems.items()]
        said = f"{path} or a profile beside it holds what is not allowed:"
        raise ParamsError("\n".join([said, *lines])) from error


def read_values(path: Path = Path("params.yaml")) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The values of params.yaml, unchecked; under `profiles` those of profiles/NAME.yaml by NAME.

    Raises
    ------
    ParamsError
        If a file can't be read or is not YAML, or params.yaml has `profiles` itself.
    """
    values = _read_yaml(path)
    if not isinstance(values, dict):
        return values
    if "profiles" in values:
        raise ParamsError(f"{path} has `profiles`: each has a file of its own, profiles/NAME.yaml")
    files = sorted(path.with_name("profiles").glob("*.yaml"))
    return {**values, "profiles": {file.stem: _read_yaml(file) for file in files}}


def add_model(name: str, model: dict[str, Any], profile: dict[str, Any], about: str) -> None:
    """Write a profile and, into ./params.yaml, its one model, and that these are what is run next.

    The text of params.yaml stays as it is otherwise.

    Parameters
    ----------
    about
        What the profile's first line says.

    Raises
    ------
    ParamsError
        If they are not allowed, or params.yaml is not laid out as it comes; nothing is written then.
    """
    path = Path("params.yaml")
    values = read_values(path)
    values["model"][name], values["profiles"][name] = model, profile
    values |= {"profile": name, "models": [name]}
    _checked(path, values)
    entry = textwrap.indent(_dumped({name: model}), "  ")
    text = path.read_text(encoding="utf-8")
    for pattern, replaced in (
        (r"^profile:[ \t]*[^\s#]+", f"profile: {name}"),
        (r"^models:[ \t]*(\[[^]]*\]|(\n[ \t]*-[^\n]*)+)", f"models: [{name}]"),
        (r"^model:[ \t]*(#.*)?\n", rf"\g<0>{entry}\n"),
    ):
        text = re.sub(pattern, replaced, text, count=1, flags=re.MULTILINE)
    del values["profiles"]
    try:
        as_wanted = yaml.load(text, _Loader) == values
    except yaml.YAMLError:
        as_wanted = False
    if not as_wanted:
        raise ParamsError(
            f"{path} has not one line `profile: …`, one `models: […]` and a section `model:` of indented "
            f"lines: {name} can't be written into it"
        )
    write_text(path.with_name("profiles") / f"{name}.yaml", f"# {about}\n\n{_dumped(profile)}")
    write_text(path, text)


def _dumped(values: dict[str, Any]) -> str:
    """As YAML, the innermost sections and lists in one line each."""
    return str(
        yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    )


class _Loader(yaml.SafeLoader):
    """Plain values, and each key once: YAML itself would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # what building an int, a date, … of any text leads to
            raise yaml.constructor.ConstructorError(
                None, None, f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}", node.start_mark
            ) from error


def _read_yaml(path: Path) -> Any:  # noqa: ANN401
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ParamsError(
            f"{path} can't be read ({error.strerror}): run this in the project's folder"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ParamsError(f"{path} is not valid YAML: its brackets are nested too deep") from error
    _check_size(path, values)
    return values


def _check_size(path: Path, values: Any) -> None:  # noqa: ANN401
    """Count all values as often as they are referred to: aliases of aliases are few bytes and no end."""
    waiting, seen = [values], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise ParamsError(f"{path} has more than {MOST_VALUES} values, aliases written out")
        if isinstance(value, int) and abs(value) > LARGEST_INT:
            raise ParamsError(f"{path} has a whole number of more than 18 digits, {hex(value)[:20]}…")
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value


def key_name(path: Sequence[int | str]) -> str:
    """What `dvc exp run -S` calls a key: seed, or profiles/cpu.yaml:stage1.scale."""
    if len(path) > 1 and path[0] == "profiles":
        _, profile, *keys = path
        return ":".join([f"profiles/{profile}.yaml", *filter(None, [".".join(map(str, keys))])])
    return ".".join(map(str, path))


def key_path(name: str) -> list[str]:
    """The path of a key in :func:`read_values`, by its :func:`key_name`."""
    file, _, key = name.rpartition(":")
    return [*(["profiles", Path(file).stem] if file else []), *key.split(".")]


def _explained(problems: Sequence[ErrorDetails]) -> dict[str, list[str]]:
    """What is wrong by key and value; a key of several types has a message for each."""
    explained: dict[str, list[str]] = {}
    for problem in problems:
        if problem["type"] == "too_short" and problem["input"]:
            continue  # its items are at fault, and named already
        # Pydantic appends the type that it tried, as in sigma.literal['auto'].
        loc = problem["loc"]
        where = loc[:1] if loc[:1] in (("sigma",), ("workers",)) else _untagged(loc)
        value = problem["input"]
        if problem["type"].startswith("union_tag"):
            where, value = [*where, "name"], problem["ctx"].get("tag")
        key = key_name(where) or "(the whole file)"
        if problem["type"] not in ("missing", "union_tag_not_found", "value_error"):
            shown = repr(value)
            key += f" = {shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + '…'}"
        explained.setdefault(key, []).append(_what_is_allowed(problem))
    return explained


def _what_is_allowed(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key, allowed here: {', '.join(_keys_beside(problem['loc']))}"
        case "missing":
            return "missing"
        case "model_type" | "dict_type":
            return "should be a section, keys and values"
        case "tuple_type":
            return "should be a list, as in [a, b]"
        case "too_short":
            return "should have an item at least"
        case "union_tag_invalid":
            return f"should be one of {problem['ctx']['expected_tags']}"
        case "union_tag_not_found":
            return "missing"
        case "float_type" if str(problem["input"])[:1].isdigit():
            return "should be a number, without quotes; YAML takes 1e-3 for text, write 1.0e-3"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return problem["msg"].removeprefix("Input ")


def _by_name(section: type[Section], key: str) -> dict[int | str, type[Section]]:
    """The kinds that the section under `key` can have, by the `name` that says which it is."""
    kinds = get_args(section.model_fields[key].annotation)
    return {get_args(kind.model_fields["name"].annotation)[0]: kind for kind in kinds}


# Pydantic counts such a name among the keys.
TAGGED: dict[int | str, dict[int | str, type[Section]]] = {
    "network": _by_name(Profile, "network"),
    "optimizer": _by_name(Training, "optimizer"),
}


def _untagged(location: Sequence[int | str]) -> list[int | str]:
    return [
        part
        for before, part in zip(("", *location), location, strict=False)
        if part not in TAGGED.get(before, ())
    ]


def _keys_beside(location: Sequence[int | str]) -> Iterator[str]:
    section: Any = Params
    for before, part in zip(("", *location), location[:-1], strict=False):
        if part in TAGGED:
            continue
        if before in TAGGED:
            section = TAGGED[before][part]
        elif get_args(section):  # the name of a model or of a profile
            section = get_args(section)[1]
        else:
            kind = section.model_fields[part].annotation
            section = Embedded if kind == Embedded | None else kind
    yield from section.model_fields
