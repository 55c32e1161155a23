"""What training the paper's network and predicting cost on this CPU, beside what the machine can do.

    python scripts/bench.py

Takes less than a quarter of an hour on two cores. Writes reports/bench/bench.json and bench.md, a page of it,
and prints the page.
"""

from pathlib import Path

from bench_feeding import feeding_sections, packing_section
from bench_network import CPU, network_sections
from bench_prediction import papers_section, published_sections, shell_section
from bench_setup import PROFILE, random_examples, random_pictures, whole_bodies
from benching import report_of, write_report

from deeppose.cascade.batches import rows_of_step
from deeppose.cascade.devices import set_up_device
from deeppose.core.params_file import load_params

OUTPUT = Path("reports/bench/bench.json")
ROUNDS = 5
JPEGS = 2000
IMAGES = 8  # in a batch of the paper's cascade


def main() -> None:
    params = load_params()
    set_up_device(CPU, params.threads)
    crops = params.profiles[PROFILE].training.batch
    table = whole_bodies(params, random_pictures(crops), random_examples(crops))
    batch = table.batch(rows_of_step(crops, crops, (0,), 0), 0, slice(None))
    sections = [
        *network_sections(params, batch, ROUNDS),
        *feeding_sections(params, ROUNDS),
        packing_section(JPEGS, ROUNDS),
        papers_section(params, IMAGES, ROUNDS),
        *published_sections(params, 4 * IMAGES, ROUNDS),
        shell_section(ROUNDS),
    ]
    report = report_of("What it costs on a CPU", "python scripts/bench.py", sections, params.threads)
    write_report(OUTPUT, report)


if __name__ == "__main__":
    main()
