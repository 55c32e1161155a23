"""A real browser, driven by the DevTools protocol through pipes, so that no package is needed for it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")


class Browser:
    """One tab. `errors` are what its console and its scripts complained of, `requests` all addresses."""

    def __init__(self, profile: Path, width: int, height: int, options: Sequence[str] = ()) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def as_three_and_four() -> None:
            # By way of other numbers: one may be 3 or 4 already.
            os.dup2(os.dup(theirs_in), 63), os.dup2(os.dup(theirs_out), 64)
            os.dup2(63, 3), os.dup2(64, 4)

        command = [
            BROWSER,
            *OPTIONS,
            *options,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
        ]
        self.process = subprocess.Popen(
            [*command, "about:blank"],
            preexec_fn=as_three_and_four,
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in), os.close(theirs_out)
        self.reader, self.writer = os.fdopen(ours_in, "rb"), ours_out
        self.unread, self.number, self.session = b"", 0, None
        self.errors, self.requests = [], []
        (page,) = (t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def close(self) -> None:
        """End it."""
        self.session = None
        self.call("Browser.close")
        self.process.wait(30)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """What the protocol's method answers."""
        self.number += 1
        session = {"sessionId": self.session} if self.session else {}
        message = {"id": self.number, "method": method, "params": params, **session}
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            self._note(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            piece = self.reader.read1(1 << 20)
            assert piece, "the browser is gone"
            self.unread += piece
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(params["exceptionDetails"])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(params["entry"])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.errors.append(params["args"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    def open(self, address: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=address)

    def permit(self, what: str, setting: str, address: str) -> None:
        """Answer a page's question for a permission: "granted", "denied" or "prompt"."""
        given = {"permission": {"name": what}, "setting": setting, "origin": address.rstrip("/")}
        session, self.session = self.session, None
        self.call("Browser.setPermission", **given)
        self.session = session

    def resize(self, width: int, height: int) -> None:
        """The window's inside, pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:  # noqa: ANN401 - what JSON holds
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:  # noqa: ANN401 - as of run
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script} is never true; {self.errors}"
            time.sleep(0.05)
        return value

    def upload(self, selector: str, path: Path) -> None:
        """Choose a file."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def press(self, key: str, shift: bool = False) -> None:
        """A key of the keyboard."""
        means = {"Enter": {"text": "\r"}, "Tab": {"windowsVirtualKeyCode": 9}}.get(key, {})
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=8 if shift else 0, **means
            )

    def drag(self, start: Sequence[float], end: Sequence[float]) -> None:
        """From a place of the window to another."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
