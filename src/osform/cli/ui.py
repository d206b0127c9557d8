"""``osform ui``: the page to try searches on."""

from __future__ import annotations

import ipaddress
import webbrowser
from pathlib import Path

import click

from osform.cli.options import cluster_option, connected
from osform.cli.stack import loaded, stack_options
from osform.errors import InputError

PORT = 8780


@click.command()
@click.option(
    "--index", metavar="NAME", help="The alias or index that is searched first. [default: the first there is]"
)
@click.option(
    "--pictures", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
    help="A folder whose pictures may be shown; may be given several times.",
)  # fmt: skip
@click.option(
    "--picture-field", metavar="FIELD", help="The field that names a document's picture. [default: image, ...]"
)
@click.option(
    "--web-pictures", is_flag=True, help="Also show pictures of the web, which the browser then fetches there."
)
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any.")
@click.option(
    "--listen", metavar="ADDRESS", default="127.0.0.1", show_default=True,
    help="The address to listen on. Another one than this machine's own lets anybody who reaches it search.",
)  # fmt: skip
@click.option("--name", "names", multiple=True, metavar="NAME", help="A host name that the page may be called by.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@stack_options
@cluster_option
def ui(
    index: str | None,
    pictures: tuple[Path, ...],
    picture_field: str | None,
    web_pictures: bool,
    port: int,
    listen: str,
    names: tuple[str, ...],
    show: bool,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
) -> None:
    """Serve a page to try searches on and see the pictures found, until Ctrl-C.

    It changes nothing on the cluster.
    """
    from osform.ui import App, Server, Settings
    from osform.ui.folders import Folders
    from osform.ui.gate import Gate

    folders = Folders(tuple(map(_folder, pictures)), picture_field, web_pictures)
    gate = Gate(frozenset(name.lower() for name in names))
    address = _address(listen)
    with connected(cluster_url) as cluster:
        settings = Settings(lambda: loaded(provision, environment, variables), provision, index, folders, gate)
        with Server(App(cluster, settings), address, port) as server:
            if not ipaddress.ip_address(address).is_loopback:
                click.echo(f"warning: {_open_to_all(address, server.server_port)}", err=True)
            click.echo(server.url)
            if show:
                webbrowser.open(server.url)
            server.serve_forever(poll_interval=0.2)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"--pictures {path}: there is no such folder")
    return path.resolve()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError as error:
        raise InputError(f"--listen {text}: expected an address", hint="--listen 127.0.0.1") from error


def _open_to_all(address: str, port: int) -> str:
    return (
        f"whoever reaches {address}:{port} may search every index that you may read, and see the stack and the "
        "pictures, without a password and without encryption; a proxy in front of it can ask for both"
    )
