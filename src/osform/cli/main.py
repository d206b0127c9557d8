"""The ``osform`` command: a list of lazily imported subcommands, and the place where errors become messages."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from osform.errors import OsformError, SpecError

# Name -> (module:command, one line of help). The help stands here so that `osform --help` imports no command.
COMMANDS = {
    "init": ("osform.cli.init:init", "A small working stack to start from."),
    "validate": ("osform.cli.stack:validate", "Everything that can be known about the files without a cluster."),
    "render": ("osform.cli.stack:render", "The bodies as they would be sent."),
    "plan": ("osform.cli.stack:plan", "What apply would do, and why."),
    "apply": ("osform.cli.stack:apply", "The plan, then do it."),
    "unlock": ("osform.cli.lock:unlock", "Show who holds the cluster's lock, and break a dead one."),
    "drift": ("osform.cli.upkeep:drift", "What changed on the cluster behind the files' back."),
    "destroy": ("osform.cli.upkeep:destroy", "Take away everything that this stack made."),
    "rollback": (
        "osform.cli.upkeep:rollback",
        "Back to the index that was there before, in one move of its aliases.",
    ),
    "import": ("osform.cli.upkeep:import_", "Write files for what is live, and take it over."),
    "status": ("osform.cli.upkeep:status", "What is there, since when, by whom, and whether it is well."),
    "watch": ("osform.cli.watch:watch", "Follow a Git repository, and keep the cluster to it."),
    "history": ("osform.cli.history:history", "Who changed what, when, and from which commit."),
    "show": ("osform.cli.history:show", "What one run changed."),
    "doctor": ("osform.cli.doctor:doctor", "Whether this cluster can do the work."),
    "rights": ("osform.cli.rights:rights", "The exact role that plan and apply need on a secured cluster."),
    "schema": ("osform.cli.schema:schema", "JSON Schema of the files, for editors."),
    "model": ("osform.cli.model:model", "Packaged models: export, verify, list."),
    "ingest": ("osform.cli.data:ingest", "Index raw documents; the cluster makes their vectors."),
    "search": ("osform.cli.search:search", "Search an alias: by words, by meaning, by what pictures show."),
    "ui": ("osform.cli.ui:ui", "A page to try searches on and look at the pictures found."),
    "evaluate": ("osform.cli.evaluate:evaluate", "Whether indices find what their checks expect."),
    "caption": ("osform.cli.caption:caption", "Describe pictures in words, for osform ingest."),
    "pictures": ("osform.cli.pictures:pictures", "Index pictures by what they show, for osform search --image."),
    "cluster": ("osform.cli.cluster:cluster", "A real OpenSearch on this machine, no Docker."),
}


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
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="osform")
def cli() -> None:
    """Keep the machine-learning side of an OpenSearch cluster the way files say it should be."""


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line.

    Exit status: 0 done, 1 an error, 2 there are differences, 3 done but some documents failed; 130 stopped, by Ctrl-C
    or by SIGTERM, which is how CI systems cancel a job: both give back what is held on the cluster.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
