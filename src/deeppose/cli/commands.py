"""All commands of `deeppose`. They import what they need when they run, so that --help is quick."""

from typing import Annotated

import typer

from deeppose.cli import datasets
from deeppose.cli.demo import demo
from deeppose.cli.export import export
from deeppose.cli.new import new
from deeppose.cli.predict import predict
from deeppose.cli.score import SCORE_HELP, score

app = typer.Typer(
    help="DeepPose: human pose estimation by a cascade of regressors, and the sets it is measured on.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
app.add_typer(datasets.app, name="datasets")
app.command()(predict)
app.command(help=SCORE_HELP)(score)
app.command()(export)
app.command()(demo)
app.command()(new)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"deeppose {version('deeppose')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """What comes before a command."""
