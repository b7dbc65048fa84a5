"""Run a command for users: ``python -m pipeline COMMAND``."""

import os
import sys
from argparse import ArgumentParser

from pipeline.io import run
from pipeline.predict.command import add_predict
from pipeline.publish.command import add_publish
from pipeline.review.command import add_review
from pipeline.schema import add_schema
from pipeline.sweep.command import add_sweep
from pipeline.track import add_track


def main() -> None:
    """Run the command that the arguments name."""
    parser = ArgumentParser(prog="python -m pipeline", description="Use what the pipeline has made.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_predict(commands)
    add_publish(commands)
    add_review(commands)
    add_schema(commands)
    add_sweep(commands)
    add_track(commands)
    arguments = parser.parse_args()
    try:
        arguments.command(arguments)
        if sys.stdout:  # None where it was closed before the start
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run(main)
