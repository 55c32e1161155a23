"""What runs the networks of the page of web/: WebGPU, by software in place of a GPU, or WASM."""

import json
import sys
import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer

import numpy as np
import pytest
from browser import Browser
from page import people, upload

from deeppose.cli import main as cli
from deeppose.cli.demo import HERE, Handler

pytestmark = pytest.mark.xdist_group("web")

# A software adapter; without the second, SwiftShader takes half as long again.
SOFTWARE = ("--enable-unsafe-webgpu", "--enable-dawn-features=disable_workgroup_init")
NEAR = 0.5
"""Pixels between a joint in the browser and the same by Python."""
PLAIN, WITH_WEBGPU = "ort-wasm-simd-threaded.wasm.gz", "ort-wasm-simd-threaded.jspi.wasm.gz"
RUNS = "document.querySelector('#runs')?.textContent"
SAID = "document.querySelector('#status.error')?.textContent"
ADAPTER = "(async () => 'Suspending' in WebAssembly && Boolean(await navigator.gpu?.requestAdapter()))()"


def go(browser, address):
    browser.open(address)
    browser.wait(f"location.href === '{address}' && window.deeppose !== undefined")


@pytest.fixture
def served(page):
    """An address of the page, what was asked of it, and what is answered in place of its files."""
    asked, instead = [], {}

    class Recording(Handler):
        def do_GET(self):
            name = self.path.partition("?")[0].rpartition("/")[2]
            asked.append(name)
            if name not in instead:
                return super().do_GET()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(instead[name])

    with ThreadingHTTPServer((HERE, 0), partial(Recording, directory=str(page))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HERE}:{server.server_port}/", asked, instead
        server.shutdown()


@pytest.fixture(scope="module")
def software(page, address, tmp_path_factory):
    """A browser whose GPU is software."""
    shown = Browser(tmp_path_factory.mktemp("software"), 1280, 900, SOFTWARE)
    go(shown, address)
    if not shown.run(ADAPTER):
        shown.close()
        pytest.skip("this Chromium has no JSPI, or no software in place of a GPU for WebGPU")
    yield shown
    shown.close()


def test_poses_by_webgpu_are_those_of_predict(software, served, page, monkeypatch, capsys, tmp_path):
    address, asked, _ = served
    software.errors.clear()
    go(software, f"{address}?backend=webgpu")
    software.run("document.querySelector('[value=flic]').click()")
    photo = page / "samples" / "synthetic person.jpg"
    upload(software, photo, seconds=300)
    assert software.run(RUNS).startswith("Poses by WebGPU, faces by WASM, ")
    assert software.errors == []
    assert WITH_WEBGPU in asked
    assert PLAIN not in asked
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["deeppose", "predict", str(photo), "--model", "flic", "--format", "json"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    ((expected,), (found,)) = json.loads(capsys.readouterr().out)["images"][0]["people"], people(software)
    stages = np.array([stage["pose"] for stage in found["stages"]])
    np.testing.assert_allclose(stages, list(expected["stages"].values()), rtol=0, atol=NEAR)
    sure = [confidence for *_, confidence in expected["keypoints"]]
    np.testing.assert_allclose(found["confidences"], sure, rtol=0, atol=0.01)
    sums = software.run(
        "deeppose.people[0].stages.map(({maps}) => maps.map((map) => map.reduce((a, b) => a + b)))"
    )
    np.testing.assert_allclose(sums, 1, rtol=0, atol=1e-4)


def test_software_is_no_gpu(software, served):
    address, asked, _ = served
    go(software, address)
    software.wait(f"{RUNS}.startsWith('Poses and faces by WASM, ')")
    assert PLAIN in asked
    assert WITH_WEBGPU not in asked


def test_a_gpu_that_computes_something_else_is_left(software, served, page):
    address, _, instead = served
    models = json.loads((page / "models.json").read_text())
    models["lsp"]["stages"][0]["probed"][0][0] += 0.01
    instead["models.json"] = json.dumps(models).encode()
    go(software, f"{address}?backend=webgpu")
    runs = software.wait(f"{RUNS}.includes('failed') && {RUNS}", seconds=300)
    assert runs.startswith("Poses and faces by WASM, ")
    assert "WebGPU failed here: a joint is 0.0" in runs
    upload(software, page / "samples" / "synthetic person.jpg")
    assert people(software)


@pytest.mark.parametrize(
    ("asked_for", "answer"),
    [("webgpu", "?backend=webgpu: this browser has no "), ("cuda", "?backend=cuda: ")],
)
def test_what_an_address_asks_for_and_is_not_there_is_said(browser, served, asked_for, answer):
    address, asked, _ = served
    go(browser, f"{address}?backend={asked_for}")
    assert browser.wait(SAID).startswith(answer)
    assert {PLAIN, WITH_WEBGPU}.isdisjoint(asked)


def test_wasm_can_be_asked_for(browser, served):
    address, asked, _ = served
    go(browser, f"{address}?backend=wasm")
    browser.wait(f"{RUNS}.startsWith('Poses and faces by WASM, ')")
    assert PLAIN in asked
    assert WITH_WEBGPU not in asked


def test_a_gpu_that_is_lost_is_left(software, served, page):
    address, asked, _ = served
    go(software, f"{address}?backend=webgpu")
    while "stage3.weights.gz" not in asked:
        time.sleep(0.1)
    session, software.session = software.session, None
    software.call("Browser.crashGpuProcess")
    software.session = session
    for name in ("synthetic person", "synthetic scene"):
        upload(software, page / "samples" / f"{name}.jpg")
        assert people(software)
    assert "WebGPU failed here: " in software.run(RUNS)
