"""Files that are out to harm: each is refused, or does nothing, within two seconds and 300 MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STACK = "name: hostile\n"
INDEX = "provision/index/a.yaml"
USE = "osform: {template: t.j2, values: {}}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "a bomb of aliases": BOMB,
    "a Python object": "settings: !!python/object/apply:os.system ['touch HARM']\n",
    "a tag of its own": "settings: !!python/name:os.system\n",
    "deep brackets": "settings: " + "[" * 100_000 + "]" * 100_000 + "\n",
    "deep indentation": "".join(f"{' ' * depth}a:\n" for depth in range(1500)),
    "a merge key": "<<: {settings: {}}\n",
    "control characters": "settings: {a: \x1b[31m}\n",
    "a huge number": "settings: {a: " + "9" * 100_000 + "}\n",
    "five megabytes": "settings: {a: '" + "x" * 5_000_000 + "'}\n",
    "a reference without an end": "settings: {a: '" + "${" * 100_000 + "'}\n",
    "a key of references": "settings: {'${env.HOME}': 1}\n",
    "everything of the environment": "settings: {a: '${env.*}', b: '${env}', c: '${env.A.B}', d: '${environ.HOME}'}\n",
    "a path in a reference": "settings: {a: '${model/../../x.id}'}\n",
}
TEMPLATES = {
    "Python by way of a class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "Python by way of a function": "{{ cycler.__init__.__globals__.os.popen('touch HARM') }}",
    "Python by way of format": "{{ '{0.__class__.__mro__}'.format(1) }}",
    "Python by way of attr": "{{ x|attr('__class__') }}",
    "an include from outside": "{% include '../../secret.txt' %}",
    "an include of the root": "{% include '/etc/passwd' %}",
    "a link that leads outside": "{% include 'link.txt' %}",
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "loops over lists": "{% set l = 'x' * 999 %}" + "{% for a in l %}" * 4 + "{% endfor %}" * 4,
    "a long range": "{% for a in range(10**9) %}{% endfor %}",
    "a text of gigabytes": "{{ 'x' * 10**10 }}",
    "a list of gigabytes": "{{ [1] * 10**10 }}",
    "a width of gigabytes": "{{ 'x'|center(10**10) }}",
    "a format of gigabytes": "{{ '%01000000000d'|format(1) }}",
    "a percent of gigabytes": "{{ '%*d' % (10**9, 1) }}",
    "a format method of gigabytes": "{{ '{:1000000000}'.format(1) }}",
    "an indent of gigabytes": "{{ 'x\n'|indent(10**10) }}",
    "a method of gigabytes": "{{ 'x'.ljust(10**10) }}",
    "a number of a billion digits": "{{ 9**9**9**9 }}",
    "texts that double": "{% set n = namespace(x='xx') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "sums that double": "{% set n = namespace(x='xx') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "blocks that double": "{% set n = namespace(x='xx') %}{% for i in range(60) %}"
    "{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}{% endfor %}",
    "replacements that multiply": "{% set x = 'x' * 3000 %}{{ x|replace('x', x)|replace('x', x) }}",
    "a join that multiplies": "{{ ['x' * 4000] | join('y' * 3000000) }}{{ ('x' * 9999)|list|join('y' * 9999) }}",
    "macros that call macros": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "a macro without an end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "an include without an end": "{% include 't.j2' %}",
    "a width in another script": "{{ '{:>\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669}'.format('x') }}",
    "a format that repeats": "{{ ('{0}' * 9999).format('x' * 999999) }}",
    "bytes of gigabytes": "{{ ('x'.encode() * 10**9)|length }}",
    "a number as gigabytes of bytes": "{{ (1).to_bytes(10**9, 'big')|length }}",
    "numbers that square": "{% set n = namespace(x=9**999) %}"
    "{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "a precision of millions": "{{ 1|round(10**8, 'ceil') }}",
    "a batch of gigabytes": "{{ [1]|batch(10**9, 'x')|list }}",
    "slices without end": "{{ [1]|slice(10**9)|list }}",
    "a novel": "{{ lipsum(1, false, 10**9, 10**9 + 1) }}",
    "lines that wrap": "{{ ('a ' * 99999)|wordwrap(1, wrapstring='x' * 999999) }}",
    "quotes that double": "{{ '\"'" + "|tojson" * 40 + " }}",
    "lists that double": "{% set n = namespace(x=[1]) %}"
    "{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "lists that double, compared": "{% set n = namespace(x=[1], y=[1]) %}"
    "{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
    "namespaces that double": "{% set n = namespace(x=1) %}{% for i in range(40) %}"
    "{% set n.x = namespace(y=[n.x, n.x]) %}{% endfor %}{{ n.x }}",
    "a list of one long text": "{{ (['x' * 999999] * 99999)|string }}",
    "a sum of lists": "{{ ([range(99999)|list] * 9999)|sum(start=[]) }}",
    "maps over maps": "{{ ([range(99999)] * 99999)|map('list')|list }}",
    "comparisons of much": "{% set a = range(99999)|list %}{% set b = range(99999)|list %}"
    "{% for i in range(99999) %}{% if a == b %}{% endif %}{% endfor %}",
    "slices of much": "{% set a = 'x' * 3999999 %}{% for i in range(99999) %}{% set b = a[1:] %}{% endfor %}",
    "letters of much": "{% set a = 'x' * 3999999 %}{% for i in range(99999) %}{% set b = a.upper() %}{% endfor %}",
    "a loop that calls itself": "{% for a in [1] recursive %}"
    "{% if loop.depth < 3 %}{{ loop(range(99999)) }}{% endif %}{% endfor %}",
    "a template of megabytes": "x" * 5_000_000,
    "a template of braces": "{{ a }}" * 99_999,
    "a bomb of aliases": BOMB,
    "the environment": "{{ environ }}{{ env.HOME }}",
}
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from pathlib import Path
from osform.errors import SpecError
from osform.flows.stack import Stack
for folder in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        Stack.load(Path(folder) / "provision", environ={"HOME": "sesame"}).render()
        said = "harmless"
    except SpecError as error:
        said = "refused" if "sesame" not in str(error) else "told a secret"
    after = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss, which begins with what the process that started this one had.
    most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(Path(folder).name, said, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, most)
"""


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"provision/stack.yaml": STACK, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def outcomes(folders: list[Path]) -> dict[str, tuple[str, float, int]]:
    """What became of each folder in a process of its own: the word, seconds of processor, kilobytes at most so far."""
    command = [sys.executable, "-c", CHILD, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folders[0])
    rows = [line.rsplit(" ", 3) for line in done.stdout.splitlines()]
    assert len(rows) == len(folders), done.stderr[-2000:]
    return {name: (said, float(seconds), int(size)) for name, said, seconds, size in rows}


def test_each_hostile_file_is_refused_in_two_seconds_and_300_megabytes(tmp_path: Path) -> None:
    folders = [laid_out(tmp_path / f"y{n}", {INDEX: text}) for n, text in enumerate(YAML.values())]
    for (name, _), (said, seconds, size) in zip(YAML.items(), outcomes(folders).values(), strict=True):
        assert (name, said) == (name, "refused")
        assert seconds < 2, name
        assert size < 300_000, name
    assert not list(tmp_path.rglob("HARM"))


def test_each_hostile_template_is_refused_in_two_seconds_and_300_megabytes(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("settings: {}")
    folders = [
        laid_out(tmp_path / f"t{n}", {INDEX: USE, "templates/t.j2": t}) for n, t in enumerate(TEMPLATES.values())
    ]
    for folder in folders:
        (folder / "templates/link.txt").symlink_to(tmp_path / "secret.txt")
    for (name, _), (said, seconds, size) in zip(TEMPLATES.items(), outcomes(folders).values(), strict=True):
        assert (name, said) == (name, "refused")
        assert seconds < 2, name
        assert size < 300_000, name
    assert not list(tmp_path.rglob("HARM"))


LINKS = {"a resource": "provision/index/a.yaml", "a kind": "provision/index", "the templates": "templates"}


def test_links_out_of_the_project_are_refused(tmp_path: Path) -> None:
    outside = laid_out(tmp_path / "outside", {INDEX: "settings: {}\n", "templates/t.j2": "settings: {a: sesame}\n"})
    folders = []
    for number, (name, where) in enumerate(LINKS.items()):
        more = {"provision/index/b.yaml": USE} if name == "the templates" else {}
        folders.append(laid_out(tmp_path / f"l{number}", more))
        (folders[-1] / where).parent.mkdir(parents=True, exist_ok=True)
        (folders[-1] / where).symlink_to(outside / where)
    assert [said for said, _, _ in outcomes(folders).values()] == ["refused"] * len(LINKS)


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    script = "script: {lang: painless, source: x}\n"
    names = ["a b", "a\x1b[31m", "-", "%2e%2e", "a?b", "A\u202eB", "<b>", "${env.HOME}"]
    folders = [laid_out(tmp_path / f"n{n}", {f"provision/stored_script/{name}.yaml": script})
               for n, name in enumerate(names)]  # fmt: skip
    for name, (said, _, _) in zip(names, outcomes(folders).values(), strict=True):
        assert (name, said) == (name, "refused")
