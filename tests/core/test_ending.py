"""How commands and stages end where the fault isn't the code's: in one line, and with which status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, environment, small_params, write_params

COMMAND = [sys.executable, "-c", "from deeppose.cli.main import main; main()"]
BLOCK = "from deeppose.core.ending import OneLineEnding\nwith OneLineEnding('it'):\n    {}"
full_device = pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="this system has no /dev/full"
)


def call(command, folder, **options):
    return subprocess.run(
        command, cwd=folder, env=environment(ROOT) | options.pop("env", {}), text=True, check=False, **options
    )


def ends(block, folder, **options):
    """Status, output and errors of a process that runs the block."""
    done = call([sys.executable, "-c", BLOCK.format(block)], folder, capture_output=True, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("block", "ending"),
    [
        ("print('done')", (0, "done\n", "")),
        ("open('none')", (1, "", "it: none: No such file or directory\n")),
        ("raise OSError('no such host')", (1, "", "it: no such host\n")),
        ("raise KeyboardInterrupt", (130, "", "it: interrupted\n")),
        ("raise SystemExit(130)", (130, "", "it: interrupted\n")),
        ("raise SystemExit(2)", (2, "", "")),
        (
            "from deeppose.core.errors import FaceError; print('a'); raise FaceError('no face')",
            (1, "a\n", "it: no face\n"),
        ),
    ],
)
def test_what_is_said_and_the_status(tmp_path, block, ending):
    assert ends(block, tmp_path) == ending


def test_a_fault_of_the_code_keeps_its_traceback(tmp_path):
    status, _, err = ends("1 / 0", tmp_path)
    assert status == 1
    assert "Traceback" in err


def test_a_character_that_the_encoding_lacks(tmp_path):
    found = ends("print('a – b ×')", tmp_path, env={"PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert found == (0, "a ? b ×\n", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_take_everything(tmp_path, closed):
    block = "import sys; print('a'); print('b', file=sys.stderr); open('file', 'w').write('c')"
    command = f'"{sys.executable}" -c "{BLOCK.format(block)}" {closed}'
    done = call(command, tmp_path, shell=True, capture_output=True)
    assert done.returncode == 0
    assert "b" not in done.stdout
    assert (tmp_path / "file").read_text() == "c"


@full_device
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["datasets"], ["datasets", "--mirror", "m"], ["score", "--help"]]
)
def test_an_output_that_is_full_is_said_by_every_command(tmp_path, arguments):
    with Path("/dev/full").open("w") as full:
        done = call([*COMMAND, *arguments], tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "deeppose: what it prints can't be written: No space left on device\n"


def test_a_reader_that_has_enough_is_no_error_to_speak_of(tmp_path):
    command = f'"{sys.executable}" -c "{BLOCK.format("print(12345 * chr(10))")}" | true'
    assert call(command, tmp_path, shell=True, stderr=subprocess.PIPE).stderr == ""


def interrupted(command, folder):
    """Status and errors of a process whose group gets Ctrl-C once it has said something."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A process in the background of a shell ignores Ctrl-C, and what it starts inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


WAITING = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize("block", [WAITING, "import deeppose.cascade.training; " + WAITING])
def test_ctrl_c_in_a_block(tmp_path, block):
    assert interrupted([sys.executable, "-c", BLOCK.format(block)], tmp_path) == (
        130,
        "it: interrupted\n",
    )


def test_ctrl_c_while_a_stage_imports(tmp_path):
    """Its own modules come after `run`, as in each script of stages/."""
    write_params(tmp_path, small_params())
    (tmp_path / "slow.py").write_text(WAITING)
    script = (ROOT / "stages/plot.py").read_text().replace("from pathlib", "import slow\nfrom pathlib")
    (tmp_path / "plot.py").write_text(script)
    (tmp_path / "run.py").write_text((ROOT / "stages/run.py").read_text())
    found = interrupted([sys.executable, "plot.py", "demo", "lsp"], tmp_path)
    assert found == (130, "error: interrupted\n")


@pytest.mark.parametrize("script", sorted((ROOT / "stages").glob("*.py")), ids=lambda path: path.stem)
def test_each_stage_is_guarded_before_it_imports_anything(script):
    first = next(line for line in script.read_text().splitlines() if line.startswith(("from", "import")))
    assert first in ("from run import run", "from run import run_of_profile", "import sys")
    assert first != "import sys" or script.stem == "run"


def test_the_command_imports_little_before_it_is_guarded():
    code = (
        "import os, sys; known = set(sys.modules); import deeppose.cli.main; print(*set(sys.modules) - known)"
    )
    done = call([sys.executable, "-S", "-c", code], ROOT, capture_output=True)
    assert {name.split(".")[0] for name in done.stdout.split()} == {"deeppose", "errno"}
