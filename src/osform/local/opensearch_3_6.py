"""OpenSearch 3.6.0: a distribution with all its modules."""

from __future__ import annotations

from osform.local.artifacts import Artifact, JavaRange, Release
from osform.local.torch import TORCH_2_5_1

RELEASE = Release(
    version="3.6.0",
    distribution=Artifact.of(
        "org.opensearch.distribution.integ-test-zip:opensearch:zip:3.6.0",
        161_609_640,
        "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286",
    ),
    plugins=(
        Artifact.of(
            "org.opensearch.plugin:opensearch-job-scheduler:zip:3.6.0.0",
            368_626,
            "f81d0aa9fc850b18f803292bd7ae68bd33561f6c1d12db0f68529d40eddcee24",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-knn:zip:3.6.0.0",
            6_015_541,
            "ac392ca28a39b3bf290648a422ef30cb149dda2963a9d7feb26060e932341c9a",
        ),
        Artifact.of(
            "org.opensearch.plugin:neural-search:zip:3.6.0.0",
            12_095_213,
            "6ef1b206e79391e2e36268e32dc34d27fd8b8a59a8eb0a7393c97d53b038e433",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-ml-plugin:zip:3.6.0.0",
            390_566_619,
            "c051d436fe1936da1477bb999db829eb2bc92b12989e376c300d0a874fb90f9d",
        ),
    ),
    torch={"linux-x86_64": TORCH_2_5_1},
    java=JavaRange(21),
    unpacked=1_150_000_000,
)
