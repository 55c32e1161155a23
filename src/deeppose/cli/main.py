"""The command `deeppose`: how it starts, and ends."""

from deeppose.core.ending import OneLineEnding


def main() -> None:
    """Run the command line; what the user can mend ends it with one message and status 1."""
    with OneLineEnding("deeppose"):
        # Not above, so that Ctrl-C while it is imported ends in one line, too.
        from deeppose.cli.commands import app

        app()
