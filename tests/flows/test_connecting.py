"""From config file, environment and options to a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.core.connection import Basic, Bearer, Connection, Hidden, SigV4, Wishes
from osform.errors import InputError, SpecError
from osform.flows.connecting import connection

CONFIG = """
[profiles.prod]
hosts = ["https://one.example:9200", "https://two.example:9200"]
ca = "ca.pem"
user = "deploy"
password_command = ["echo", "sesame"]

[profiles.aws]
url = "https://x.eu-west-1.es.amazonaws.com"
aws = {service = "es", region = "eu-west-1", role = "arn:aws:iam::1:role/x"}
"""


@pytest.fixture(name="environ")
def environment(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    return {"OSFORM_CONFIG": str(file), "PATH": "/usr/bin:/bin", "OSFORM_DATA_DIR": str(tmp_path / "data")}


def written(environ: dict[str, str], text: str) -> None:
    Path(environ["OSFORM_CONFIG"]).write_text(text)


def test_a_profile_is_a_whole_connection(environ: dict[str, str], tmp_path: Path) -> None:
    made = connection(environ, profile="prod")
    assert made.hosts == ("https://one.example:9200", "https://two.example:9200")
    assert made.auth == Basic("deploy", Hidden("sesame"))
    assert made.tls.ca == tmp_path / "ca.pem"


@pytest.mark.parametrize("given", [{"OSFORM_CLUSTER": "prod"}, {"OSFORM_PROFILE": "prod"}])
def test_the_environment_names_a_profile(environ: dict[str, str], given: dict[str, str]) -> None:
    assert connection(environ | given).name == "prod"


def test_the_environment_is_stronger_than_the_profile_and_the_options_than_both(environ: dict[str, str]) -> None:
    environ |= {"OSFORM_USER": "env", "OSFORM_PASSWORD": "from-env", "OSFORM_CA": "/env.pem", "OSFORM_TIMEOUT": "9"}
    made = connection(environ, Wishes(ca="/option.pem"), profile="prod")
    assert made.auth == Basic("env", Hidden("from-env"))
    assert (made.tls.ca, made.timeout) == (Path("/option.pem"), 9.0)


def test_a_stronger_credential_leaves_none_of_the_weaker_ones(environ: dict[str, str]) -> None:
    assert connection(environ | {"OSFORM_TOKEN": "abc"}, profile="prod").auth == Bearer(Hidden("abc"))


def test_aws_is_said_by_a_table(environ: dict[str, str]) -> None:
    assert connection(environ, cluster="aws").auth == SigV4("es", "eu-west-1", "", "arn:aws:iam::1:role/x")


def test_credentials_of_a_profile_are_for_its_hosts_alone(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="none of the profile's hosts"):
        connection(environ, cluster="https://evil.example:9200", profile="prod")
    made = connection(environ, cluster="https://two.example:9200", profile="prod")
    assert made.hosts == ("https://two.example:9200",)
    assert made.auth is not None


def test_a_url_after_the_option_leaves_the_profile_of_the_environment_alone(environ: dict[str, str]) -> None:
    made = connection(environ | {"OSFORM_PROFILE": "prod"}, cluster="https://evil.example:9200")
    assert made == Connection(("https://evil.example:9200",))


@pytest.mark.parametrize("url", ["https://ana:sesame@search.example:9200", "ana:sesame@localhost:9200"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(environ: dict[str, str], url: str) -> None:
    for given in ({"cluster": url}, {"options": Wishes(proxy=url), "profile": "prod"}):
        with pytest.raises(InputError, match="command line") as caught:
            connection(environ, **given)
        assert "sesame" not in str(caught.value)


def test_a_proxys_password_is_in_no_repr(environ: dict[str, str]) -> None:
    made = connection(environ | {"OSFORM_PROXY": "http://ana:sesame@proxy.example"}, profile="aws")
    assert "ana:sesame" in made.proxy
    assert "sesame" not in repr(made)


@pytest.mark.parametrize("words", ["pass show 'search", '"'])
def test_a_command_whose_quote_is_not_closed_is_a_mistake(environ: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match="OSFORM_PASSWORD_COMMAND is no command"):
        connection(environ | {"OSFORM_PASSWORD_COMMAND": words}, profile="aws")
    written(environ, f"[profiles.prod]\nurl = 'https://x'\nuser = 'ana'\npassword_command = '''{words}'''\n")
    with pytest.raises(SpecError, match="expected a command"):
        connection(environ, profile="prod")


def test_a_password_in_the_environments_url_is_taken_out_of_it(environ: dict[str, str]) -> None:
    made = connection(environ | {"OSFORM_CLUSTER": "https://ana:sesame@search.example:9200"})
    assert (made.url, made.auth) == ("https://search.example:9200", Basic("ana", Hidden("sesame")))


@pytest.mark.parametrize("words", ["false", "echo", "no-such-program", "sh -c 'echo sesame; exit 3'"])
def test_a_command_that_says_no_password_is_named_without_what_it_said(environ: dict[str, str], words: str) -> None:
    environ |= {"OSFORM_CLUSTER": "https://x.example", "OSFORM_USER": "ana", "OSFORM_PASSWORD_COMMAND": words}
    with pytest.raises(InputError, match="which is to say a secret") as caught:
        connection(environ)
    assert "sesame" not in str(caught.value)


def test_a_user_without_a_password_is_told_where_one_may_stand(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no password for ana"):
        connection(environ, Wishes(user="ana"), cluster="https://x.example")


MISTAKES = {
    '[profiles.x]\nurl = "https://x"\npassword = "sesame"\n': "secrets do not stand in this file",
    '[profiles.x]\nurl = "https://x"\nusr = "ana"\n': "unknown key 'usr'; did you mean user?",
    "[profiles.x]\nuser = 'ana'\n": "expected either hosts or url",
    "[profiles.x]\nurl = 'https://x'\nfingerprint = 'abc'\n": "64 hexadecimal digits",
    "[profiles.x]\nurl = 'https://x'\naws = {service = 's3'}\n": "expected a table",
    "[profiles.x]\nurl = 'https://x'\ntimeout = true\n": "a number of seconds",
    "[profile.x]\n": "unknown key 'profile'",
    "profiles = 3\n": "expected a table",
    "[profiles": "can't be read",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_config_file_is_named(environ: dict[str, str], text: str) -> None:
    written(environ, text)
    with pytest.raises(SpecError) as caught:
        connection(environ, profile="x")
    assert MISTAKES[text] in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_an_unknown_profile_is_named_with_the_nearest(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no profile 'prd'") as caught:
        connection(environ, profile="prd")
    assert caught.value.hint == "did you mean prod?"
