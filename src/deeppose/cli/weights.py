"""Which weights a command takes, by the params in this folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from deeppose.core.errors import ParamsError, WeightsError
from deeppose.core.published import PUBLISHED, PUT_BACK

if TYPE_CHECKING:
    from deeppose.core.params import Params
    from deeppose.core.skeleton import Described


def weights_to_predict(model: str, profile: str | None) -> "tuple[list[Path], Described | None]":
    """As :func:`weights_of`; in a folder without params those that come with the package.

    Raises
    ------
    ParamsError
        If the params have no such model or profile, or there are none and a profile is named.
    WeightsError
        If they have not been trained, or can't be read.
    """
    if profile is None and not Path("params.yaml").exists():
        from deeppose.deploy.pose import published_weights

        return published_weights(model), None
    return weights_of(model, profile)


def weights_of(model: str, profile: str | None) -> "tuple[list[Path], Described]":
    """The weights of a model's stages, first to last, and the model's skeleton.

    Raises
    ------
    ParamsError
        If the params have no such model or profile.
    WeightsError
        If they have not been trained, or can't be read.
    """
    from deeppose.core.params_file import load_params
    from deeppose.core.paths import Item

    params = load_params()
    profile = profile or profile_for_photographs(params, model)
    for kind, name, known in (("model", model, params.model), ("profile", profile, params.profiles)):
        if name not in known:
            raise ParamsError(f"no {kind} {name!r} here, only {', '.join(known)}")
    folder = Path("data") / profile / model
    paths = [folder / f"stage{stage}.safetensors" for stage in range(1, params.cascade_stages + 1)]
    for path in paths:
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError) as error:
            there = f"{PUT_BACK}, " if profile == PUBLISHED else ""
            trains = f"`dvc repro` with profile {profile} trains it"
            synthetic = f"; --profile {params.profile} takes weights that have seen synthetic people alone"
            chosen = params.profiles[params.profile]
            if profile == params.profile or not (chosen.synthetic and chosen.trains(model)):
                synthetic = ""
            raise WeightsError(f"{path} is not there: {there}{trains}{synthetic}") from error
        except OSError as error:
            raise WeightsError(f"{path} can't be read: {error.strerror}") from error
        if size == 0:
            raise WeightsError(
                f"{path} is empty: either an archive that {model} is trained on was missing (`deeppose "
                f"datasets` says which, and what to type once it is there), or fewer cascade_stages were "
                f"asked for then; `dvc repro` trains it"
            )
    return paths, Item(params, profile, model).skeleton.described


def labels_of(model: str) -> str:
    """Whose left and right a model's joints have: "observer-centric" or "person-centric"."""
    if not Path("params.yaml").exists():
        return "observer-centric"
    from deeppose.core.params_file import load_params

    return {"oc": "observer-centric", "pc": "person-centric"}[load_params().model[model].labels]


def profile_for_photographs(params: "Params", model: str) -> str:
    """The profile of params.yaml, or another where that has seen synthetic people alone or has no such model.

    The other one is the published one if that has the model, or else the first that has.
    """
    for name in dict.fromkeys([params.profile, PUBLISHED, *params.profiles]):
        if (found := params.profiles.get(name)) and found.trains(model) and not found.synthetic:
            return name
    return params.profile
