"""The command line: options in, results to stdout, progress and messages to stderr. No work is done here."""

from osform.cli.main import main

__all__ = ["main"]
