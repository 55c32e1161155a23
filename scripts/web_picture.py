"""The picture of the page of web/ that stands in the README and in docs/web.md.

    python scripts/web_picture.py

Of `dist/web`, see `make web`: a synthetic person at the second stage. Writes docs/web.png.
"""

import tempfile
import threading
from pathlib import Path

from browser import Browser
from PIL import Image

from deeppose.cli.demo import HERE, server_of

PAGE, OUTPUT = Path("dist/web"), Path("docs/web.png")
WIDTH, HEIGHT = 1120, 900
SHOWN, STAGE, JOINT = "synthetic person", 2, "right wrist"
COLOURS = 128
SHRUNK = 0.65
CHOOSE = f"""
const named = (name) => (one) => one.textContent === name;
[...document.querySelectorAll("#samples button")].find(named("{SHOWN}")).click();
"""
STEP = f"""
joint.value = [...joint.options].find(({{ text }}) => text === "{JOINT}").value;
stage.value = {STAGE};
stage.dispatchEvent(new Event("input"));
"""


def main() -> None:
    with server_of(PAGE) as server, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = Browser(Path(scratch) / "profile", WIDTH, HEIGHT)
        browser.open(f"http://{HERE}:{server.server_port}/")
        browser.wait("document.querySelector('#samples button') !== null")
        browser.run(CHOOSE)
        browser.wait(f"document.querySelector('#status').textContent.startsWith('{SHOWN}: ')")
        browser.run(STEP)
        bottom = browser.run("document.querySelector('#drop').getBoundingClientRect().bottom + 8")
        browser.screenshot(Path(scratch) / "page.png")
        browser.close()
        server.shutdown()
        picture = Image.open(Path(scratch) / "page.png").convert("RGB")
    picture = picture.crop((0, 0, picture.width, round(bottom)))
    small = picture.resize(
        (round(picture.width * SHRUNK), round(picture.height * SHRUNK)), Image.Resampling.LANCZOS
    )
    # A palette that has the few bright pixels of the pose, too.
    small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(OUTPUT, optimize=True)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
