"""`deeppose demo`: the cascade in a browser, from a folder that `deeppose export --web` wrote."""

import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from deeppose.core.errors import OutputError

HERE = "127.0.0.1"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""With these, browsers allow threads that share memory."""


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder for a page that is isolated from other sites."""

    def end_headers(self) -> None:
        """Say with every file that the page is isolated, and that it may change."""
        for name, value in (ISOLATED | {"Cache-Control": "no-cache"}).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Each file that is asked for is nobody's news."""


def server_of(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of a page's folder on this machine alone; port 0: any that is free.

    Raises
    ------
    OutputError
        If there is no page in the folder, or the port is taken.
    """
    if not (folder / "index.html").is_file():
        raise OutputError(f"{folder} holds no page: `deeppose export --web {folder}` makes it")
    try:
        return ThreadingHTTPServer((HERE, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        raise OutputError(
            f"port {port} can't be opened ({error.strerror}): name another by --port"
        ) from error


def demo(
    folder: Annotated[Path, typer.Argument(help="That `deeppose export --web` wrote.")] = Path("dist/web"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
) -> None:
    """Show the cascade in a browser, step by step; no other machine sees it. Ctrl-C ends it."""
    with server_of(folder, port) as server:
        address = f"http://{HERE}:{server.server_port}/"
        typer.echo(f"{address} (Ctrl-C ends it)")
        webbrowser.open(address)
        server.serve_forever()
