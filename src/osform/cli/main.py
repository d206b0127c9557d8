"""The ``osform`` command: a list of lazily imported subcommands, and the place where errors become messages."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from osform.cli.stopping import stoppable
from osform.errors import OsformError, SpecError

# Name -> (module:command, one line of help), in the order of a first day with osform. The help stands here so that
# `osform --help` imports no command.
SECTIONS = {
    "Files to cluster": {
        "init": ("osform.cli.init:init", "Write a small working stack to start from."),
        "validate": ("osform.cli.stack:validate", "Check the files, without a cluster."),
        "render": ("osform.cli.stack:render", "Print the bodies as they would be sent."),
        "plan": ("osform.cli.stack:plan", "Show what apply would change, and why."),
        "apply": ("osform.cli.stack:apply", "Show the plan, ask, and carry it out."),
        "rollback": ("osform.cli.upkeep:rollback", "Switch an index back to the one that it replaced."),
        "destroy": ("osform.cli.upkeep:destroy", "Delete everything that this stack made."),
        "import": ("osform.cli.upkeep:import_", "Write files for what is on the cluster, and take it over."),
        "watch": ("osform.cli.watch:watch", "Follow a Git repository, and keep the cluster in sync."),
        "schema": ("osform.cli.schema:schema", "Print JSON Schema of the files, for editors."),
    },
    "State of the cluster": {
        "doctor": ("osform.cli.doctor:doctor", "Check whether a cluster can run this stack."),
        "status": ("osform.cli.upkeep:status", "Show what is there, since when, by whom, and its health."),
        "drift": ("osform.cli.upkeep:drift", "Show what was changed behind the files' back."),
        "history": ("osform.cli.history:history", "Show who changed what, when, and from which commit."),
        "show": ("osform.cli.history:show", "Show what one run changed."),
        "unlock": ("osform.cli.lock:unlock", "Show who holds the cluster's lock, and break a dead one."),
        "rights": ("osform.cli.rights:rights", "Print the role that a stack needs on a secured cluster."),
    },
    "Models, documents, searches": {
        "model": ("osform.cli.model:model", "Package models: export, verify, list."),
        "ingest": ("osform.cli.data:ingest", "Index documents; the cluster makes their vectors."),
        "search": ("osform.cli.search:search", "Search by words, by meaning, or by what pictures show."),
        "evaluate": ("osform.cli.evaluate:evaluate", "Measure whether indices find what their checks expect."),
        "ui": ("osform.cli.ui:ui", "Serve a page to try searches on and see the pictures found."),
        "caption": ("osform.cli.caption:caption", "Describe pictures in words, for osform ingest."),
        "pictures": ("osform.cli.pictures:pictures", "Index pictures by what they show, for search --image."),
    },
    "On this machine": {
        "cluster": ("osform.cli.cluster:cluster", "Run a real OpenSearch here, without Docker."),
    },
}
COMMANDS = {name: command for section in SECTIONS.values() for name, command in section.items()}


_ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of an answer that is not as OpenSearch's are: a number, say, where a list is expected."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, not when the group is listed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What an odd answer of a cluster upsets is one sentence, wherever that shows."""
        try:
            return super().invoke(ctx)
        except _ODD as error:
            from osform.cli.options import not_understood

            if (told := not_understood(error)) is None:
                raise
            raise told from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), text) for name, (_, text) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="osform")
def cli() -> None:
    """Keep the machine-learning side of an OpenSearch cluster in sync with files.

    To begin: osform init my-search, then my-search/provision/README.md.
    """


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line.

    Exit status: 0 done, 1 an error, 2 there are differences, 3 done but some documents failed; 130 stopped, by Ctrl-C
    or by SIGTERM, which is how CI systems cancel a job: both give back what is held on the cluster.
    """
    stoppable()
    try:
        status: Any = cli.main(argv, standalone_mode=False)
    except OsformError as error:
        from osform.cli.plan_words import lines

        for line in [str(each) for each in error.problems] if isinstance(error, SpecError) else [error.message]:
            click.echo(f"error: {lines(line)}", err=True)
        if error.hint:
            click.echo(f"next:  {lines(error.hint)}", err=True)
        sys.exit(1)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
