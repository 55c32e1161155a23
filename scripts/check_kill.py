"""Kill `dvc repro` at random moments; the run that follows must end with the hashes of an undisturbed one.

    python scripts/check_kill.py [--short]

With --short on a twentieth of the demo. SIGKILL goes to DVC and the stage it runs, at moments spread over the
length of the undisturbed run. Works in a copy of what git tracks.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project_copy import check_same, hashes, project_copy, repro, repro_command, shorten

KILLS, SEED = 10, 2014


def main(*, short: bool) -> None:
    moments = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = (project_copy(Path(folder) / name) for name in ("undisturbed", "killed"))
        if short:
            shorten(undisturbed)
            shorten(killed)
        started = time.monotonic()
        repro(undisturbed)
        length = time.monotonic() - started
        expected = hashes(undisturbed)
        print(f"undisturbed: {len(expected)} outputs in {length:.0f} s")
        for number in range(KILLS):
            after = moments.uniform(0, 2 * length / KILLS)
            with subprocess.Popen(**repro_command(killed), start_new_session=True) as process:
                time.sleep(after)
                os.killpg(process.pid, signal.SIGKILL)
            print(f"kill {number + 1}: after {after:.1f} s, {process.returncode}")
        subprocess.run([sys.executable, "scripts/mend_lock.py"], cwd=killed, check=True)
        repro(killed)
        check_same(expected, hashes(killed), "the killed run ended with other outputs")
    print(f"all {len(expected)} outputs have the hashes of the undisturbed run")


if __name__ == "__main__":
    main(short="--short" in sys.argv)
