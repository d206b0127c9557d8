"""Bundles: made from their source, compared with it, kept by hash, and promised in a lock.

Same source and recipe is the same bundle, byte for byte. So a fresh export whose hash is not the lock's is refused,
and an export that gives the lock's own hash leaves the lock as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from osform.core.connection import without_password
from osform.core.events import Note, Report
from osform.core.models import PROJECTION, Bundle, Format, ModelLock, ModelSpec, PackagedModel, Precision, Probe
from osform.errors import ExportError, MissingExtra, OsformError
from osform.export import jobs, places, sources
from osform.files import bundles, locks
from osform.files.models import read_probes
from osform.flows import promises
from osform.flows.agreeing import Agreement, agreement, corpus_of

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Exported:
    """A bundle that was made, where it is, how it agrees as measured now, and whether the lock was written for it."""

    model: str
    bundle: Bundle
    lock: ModelLock
    path: Path
    agreement: Agreement
    lock_written: bool


@dataclass(frozen=True)
class Verified:
    """A bundle of the lock that was run as the server would run it, and compared with its source."""

    model: str
    bundle: Bundle
    path: Path
    agreement: Agreement


def _told(work: Callable[P, T]) -> Callable[P, T]:
    """A full disk, a folder that nobody may write to, and whatever else the system says of files, as a sentence."""

    @wraps(work)
    def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except OSError as error:
            # Of a copy the second name is what is written; what a full disk stops has none.
            place = error.filename2 or error.filename or kwargs["cache"]
            raise ExportError(f"{place}: {error.strerror or error}", hint=jobs.ROOM) from error

    return told


@_told
def export_model(
    model: PackagedModel,
    format: Format,
    precision: Precision,
    *,
    cache: Path,
    update_lock: bool = False,
    thorough: bool = True,
    report: Report,
    environment: Mapping[str, str],
) -> Exported:
    """Make one bundle, put it into the cache, and enter it into the model's ``lock.yaml``.

    Without ``thorough``, the corpus is left out: that is for bundles whose hash has to be the lock's anyway.
    Raises MissingExtra without torch, and ExportError where the source is missing, where the bundle disagrees with it,
    or where the lock promises other bytes and ``update_lock`` is False.
    """
    folder = sources.locate(model.spec.source, Path(model.spec.folder), report)
    with bundles.workplace(cache) as place:
        job = _job(model, format, precision, folder, place / "bundle.zip", make=True, thorough=thorough)
        report(Note(f"{model.name}: exporting {format} {precision}"))
        answer = jobs.run(job, report, environment)
        found = agreement(model.spec, job, answer)
        size = Path(job.bundle).stat().st_size
        sha256 = bundles.sha256_of(Path(job.bundle))
        bundle = Bundle(
            format,
            precision,
            sha256,
            size,
            answer.function_name,
            answer.model_config,
            found.least,
            found.mean,
            answer.recipe,
            found.recall,
        )
        fresh = ModelLock(
            model.name,
            _digest(model, folder),
            answer.dimension,
            answer.max_length,
            answer.space_type,
            (bundle,),
            tuple(Probe(text, vector) for text, vector in zip(model.spec.probes, answer.vectors, strict=True)),
        )
        home = Path(model.spec.folder)
        with locks.changing(home):
            before = _lock_now(home, model.name) if thorough else model.lock
            lock = promises.entered(before, fresh, report, update=update_lock, measured=thorough)
            _, path = bundles.store(cache, Path(job.bundle))
            written = lock is not before and locks.write_lock(home / "lock.yaml", lock)
    return Exported(model.name, bundle, lock, path, found, written)


@_told
def verify_model(
    model: PackagedModel,
    format: Format,
    precision: Precision,
    *,
    cache: Path,
    report: Report,
    environment: Mapping[str, str],
) -> Verified:
    """Run the lock's bundle out of the cache as the server would, and compare it with its source.

    Raises ExportError where the cache lacks the bundle, where the source isn't the lock's, or where they disagree.
    """
    bundle = promised(model, format, precision)
    path = bundles.find(cache, bundle.sha256)
    again = f"osform model export {model.name} --as {format}"
    if path is None:
        raise ExportError(f"{model.name}: no undamaged {format} {precision} bundle in {cache}", hint=again)
    folder = sources.locate(model.spec.source, Path(model.spec.folder), report)
    assert model.lock is not None
    layer = Path(model.spec.folder) / PROJECTION
    if model.spec.projection is not None and not layer.is_file():
        raise ExportError(f"{layer} is not there, and the bundle was made with it", hint="take it back from Git")
    if _digest(model, folder) != model.lock.source_sha256:
        hint = f"if that is meant: {again} --update-lock"
        raise ExportError(f"{model.name}: {folder} holds other files than those that were exported", hint=hint)
    job = _job(model, format, precision, folder, path, make=False, config=bundle.model_config)
    report(Note(f"{model.name}: running {format} {precision} as the server would"))
    return Verified(model.name, bundle, path, agreement(model.spec, job, jobs.run(job, report, environment)))


@_told
def obtain_bundle(
    model: PackagedModel,
    format: Format,
    precision: Precision,
    *,
    cache: Path,
    place: str | None,
    report: Report,
    environment: Mapping[str, str],
) -> Path:
    """The bundle that the lock promises, as a file: from the cache, from ``place``, or exported here and now.

    ``place`` is what a stack names as ``bundles:``, a folder or URL, or None. Raises ExportError, with what can be
    done, where there is no way to have it.
    """
    bundle = promised(model, format, precision)
    found = bundles.find(cache, bundle.sha256)
    if found is not None:
        return found
    if place is not None:
        with bundles.workplace(cache) as folder:
            fetched = folder / "bundle.zip"
            if places.fetch(place, bundle, fetched, report):
                return bundles.store(cache, fetched)[1]
    try:
        sources.locate(model.spec.source, Path(model.spec.folder), report)
    except (MissingExtra, ExportError) as error:
        raise _no_way(model, bundle, place, cache, error) from error
    report(Note(f"{model.name}: the {format} {precision} bundle is not in the cache, exporting it"))
    try:
        return export_model(
            model, format, precision, cache=cache, thorough=False, report=report, environment=environment
        ).path
    except MissingExtra as error:
        raise _no_way(model, bundle, place, cache, error) from error


def promised(model: PackagedModel, format: Format, precision: Precision) -> Bundle:
    """The lock's entry for that format and precision. Raises ExportError where it was never exported."""
    bundle = model.lock.bundle(format, precision) if model.lock else None
    if bundle is None:
        hint = f"osform model export {model.name} --as {format}"
        raise ExportError(f"{model.name} was never exported as {format} {precision}", hint=hint)
    return bundle


def _lock_now(home: Path, name: str) -> ModelLock | None:
    """The lock after the minutes that an export takes: another one may have entered its bundle meanwhile."""
    path = home / "lock.yaml"
    return locks.read_lock(path, name) if path.exists() else None


def _job(
    model: PackagedModel,
    format: Format,
    precision: Precision,
    folder: Path,
    bundle: Path,
    *,
    make: bool,
    thorough: bool = True,
    config: Mapping[str, object] | None = None,
) -> jobs.Job:
    spec = model.spec
    return jobs.Job(
        source=str(folder),
        format=format,
        precision=precision,
        bundle=str(bundle),
        texts=spec.probes,
        make=make,
        model_config=config or {},
        pooling=spec.pooling,
        normalize=spec.normalize,
        max_length=spec.max_length,
        space_type=spec.space_type,
        projection=_layer(spec),
        int8=spec.int8,
        function_name=spec.function_name,
        corpus=corpus_of(spec) if thorough and spec.tolerance[precision].recall is not None else (),
    )


def _layer(spec: ModelSpec) -> jobs.Layer | None:
    if spec.projection is None:
        return None
    home = Path(spec.folder)
    texts = read_probes(home / spec.projection.texts) if spec.projection.texts else ()
    return jobs.Layer(str(home.resolve() / PROJECTION), spec.projection.dimension, texts)


def _digest(model: PackagedModel, folder: Path) -> str:
    """The hash of everything that a bundle is made of: the source's files, and the projection's weights."""
    source = sources.digest(folder)
    layer = Path(model.spec.folder) / PROJECTION
    if model.spec.projection is None or not layer.is_file():
        return source
    return hashlib.sha256(f"{source}  source\n{bundles.sha256_of(layer)}  {PROJECTION}\n".encode()).hexdigest()


def _no_way(model: PackagedModel, bundle: Bundle, place: str | None, cache: Path, error: OsformError) -> ExportError:
    tried = f"neither in {cache} nor in {without_password(place)}" if place else f"not in {cache}"
    name = f"{bundle.sha256}.zip"
    return ExportError(
        f"{model.name}: the {bundle.format} {bundle.precision} bundle is {tried}, and can't be exported here: "
        f"{error.message}",
        hint=f"any of: pip install 'osform[export]'; copy {name} into {cache / 'bundles'}; "
        "or name a folder or URL that has it, as `bundles:` in stack.yaml",
    )
