"""The page of web/, and browsers that show it."""

import shutil
import threading
from importlib.util import find_spec

import pytest
from browser import BROWSER, Browser

from deeppose.cli.demo import server_of
from deeppose.cli.export import sample_photos
from deeppose.core.errors import ExportError
from deeppose.deploy import web
from deeppose.deploy.export import PACKAGES

MOST_BYTES = 45e6
NO_GPU = "No available adapters."
"""What Chromium warns of where a page looks for a GPU and there is none."""


def complaints(browser):
    return [error for error in browser.errors if NO_GPU not in str(error)]


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page's folder, with the published networks."""
    lacking = [name for name in ("npm",) if shutil.which(name) is None]
    lacking += [name for name in PACKAGES if find_spec(name) is None]
    if lacking or BROWSER is None:
        pytest.skip(f"{', '.join(lacking) or 'Chromium'} is not installed")
    folder = tmp_path_factory.mktemp("web") / "page"
    try:
        size = web.write_page(folder, sample_photos())
    except ExportError as error:
        if "registry" not in str(error):
            raise
        pytest.skip(str(error))
    assert size < MOST_BYTES
    return folder


@pytest.fixture(scope="session")
def address(page):
    """Of the page, as `deeppose demo` serves it."""
    with server_of(page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser(address, tmp_path_factory):
    shown = Browser(tmp_path_factory.mktemp("profile"), 1280, 900)
    shown.address = address
    yield shown
    shown.close()


@pytest.fixture
def filmed(page, address, tmp_path):
    """A browser whose camera sees the synthetic person; the page may use it."""
    film = tmp_path / "film.mjpeg"
    film.write_bytes((page / "samples" / "synthetic person.jpg").read_bytes())
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    shown = Browser(tmp_path / "profile", 1280, 900, camera)
    shown.permit("camera", "granted", address)
    shown.open(address)
    shown.wait("window.deeppose !== undefined")
    yield shown
    assert complaints(shown) == []
    shown.close()


@pytest.fixture
def opened(browser):
    """The browser with the page anew; in the end nobody complained and nothing was asked of others."""
    browser.resize(1280, 900)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(browser.address)
    browser.wait("window.deeppose !== undefined")
    yield browser
    assert complaints(browser) == []
    own = ("data:", "blob:", browser.address)
    assert [address for address in browser.requests if not address.startswith(own)] == []
