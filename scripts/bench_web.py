"""How soon the page of web/ shows a pose, in Chromium, from navigation on.

    python scripts/bench_web.py

Of `dist/web`, see `make web`, served from this machine: with threads, as `deeppose demo` serves it, and
without, as any file server does. A synthetic person is chosen as soon as there is a button for it. Cold is a
browser's first visit, warm its second. Writes reports/bench/web.json and web.md, a page of it, and prints the
page.
"""

import os
import statistics
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benching import made_on, write_report
from browser import Browser
from pages import page_of, table

from deeppose.cli.demo import HERE, Handler

PAGE, OUTPUT = Path("dist/web"), Path("reports/bench/web.json")
ROUNDS = 5
SERVERS = {"isolated: threads": Handler, "not isolated": SimpleHTTPRequestHandler}
VISITS = ("cold", "warm")
MOMENTS = ("networks are there", "a pose is drawn", "all stages are through")
SAMPLE = "synthetic person"
WATCH = """
const times = {};
const now = () => performance.now() / 1000;
new MutationObserver(() => {
  const buttons = [...document.querySelectorAll("#samples button")];
  const button = buttons.find(({ textContent }) => textContent === "SAMPLE");
  if (button && !times.chosen) {
    times.chosen = now();
    button.click();
  }
  const said = document.querySelector("#status")?.textContent ?? "";
  if (said.startsWith("Looking")) times.opened ??= now();
  if (said.startsWith("Refining")) times.drawn ??= now();
  if (said.startsWith("SAMPLE: ")) window.times ??= [times.opened, times.drawn, now()];
}).observe(document, { childList: true, subtree: true, characterData: true });
""".replace("SAMPLE", SAMPLE)


def main() -> None:
    load = os.getloadavg()[0]
    rounds = [visits() for _ in range(ROUNDS + 1)][1:]
    medians = {
        served: {
            visit: [
                statistics.median(times)
                for times in zip(*(one[served][visit] for one in rounds), strict=True)
            ]
            for visit in VISITS
        }
        for served in SERVERS
    }
    write_report(OUTPUT, {**made_on(), "rounds": ROUNDS, "load": load, "seconds": medians}, page)


def visits() -> dict[str, dict[str, list[float]]]:
    """Seconds until each of MOMENTS, on each visit to each server."""
    return {served: visits_of(handler) for served, handler in SERVERS.items()}


def visits_of(handler: type[SimpleHTTPRequestHandler]) -> dict[str, list[float]]:
    silent = type("Silent", (handler,), {"log_message": lambda *_: None})
    with (
        ThreadingHTTPServer((HERE, 0), partial(silent, directory=str(PAGE))) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = Browser(Path(profile), 1280, 900)
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        seconds = {}
        for visit in VISITS:
            browser.open(f"http://{HERE}:{server.server_port}/")
            seconds[visit] = browser.wait("window.times")
            browser.open("about:blank")
            browser.wait("window.times === undefined")
        browser.close()
        server.shutdown()
    return seconds


def page(report: dict[str, Any]) -> str:
    rows = [
        [served, visit, *(f"{seconds:.1f}" for seconds in times)]
        for served, by_visit in report["seconds"].items()
        for visit, times in by_visit.items()
    ]
    return page_of(
        "The page in the browser",
        f"Made by `python scripts/bench_web.py` at commit {report['revision']}, in Chromium on: "
        f"{report['machine']}. Seconds from navigation on, served from the same machine; medians of "
        f"{report['rounds']} rounds. When they began, {report['load']:.0f} other processes wanted to run.",
        table(["server", "visit", *MOMENTS], rows, words=(0, 1)),
    )


if __name__ == "__main__":
    main()
