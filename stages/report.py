"""Gather a profile: its metrics, the verdicts on the paper's claims, and the page that shows all of it."""

from run import run_of_profile

import sys

from deeppose.core.params import Params
from deeppose.report.report import write_report


def main(params: Params) -> None:
    write_report(params, sys.argv[1])


if __name__ == "__main__":
    run_of_profile(main)
