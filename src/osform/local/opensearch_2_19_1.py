"""OpenSearch 2.19.1, the one release whose security plugin is published: 2.19.6 with other files.

Its POMs ask for the same jars of others as those of 2.19.6, but for an older commons-codec; of its own modules,
search-pipeline-common is not published.
"""

from __future__ import annotations

from dataclasses import replace

from osform.local.artifacts import Artifact, JavaRange, Module, Release
from osform.local.opensearch_2_19 import MODULES as OF_2_19_6
from osform.local.torch import TORCH_2_5_1

_OTHERS = {
    each.name: each
    for each in (
        Artifact.of(
            "org.opensearch.plugin:lang-painless:jar:2.19.1",
            719_758,
            "3cf5e02efa40ff5b88e74e1ab66a0bc462de3509fab4a6a4ffe90b8d13777a9a",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-scripting-painless-spi:jar:2.19.1",
            30_407,
            "c2598797a5f6f897ce7e8d05f593ff96de3fbc56c52f299d63cddcae41556dda",
        ),
        Artifact.of(
            "org.opensearch.plugin:analysis-common:jar:2.19.1",
            199_627,
            "13fdc1071af42946b13153a62491a5e9b0ad214d44f7c8153d3afef60f558821",
        ),
        Artifact.of(
            "org.opensearch.plugin:ingest-common:jar:2.19.1",
            154_112,
            "8baa5b133f3693265555fb6467deb105877d329e42d2c6a2d496239b8e406461",
        ),
        Artifact.of(
            "org.opensearch:opensearch-grok:jar:2.19.1",
            49_558,
            "33f7fb192c89ebdea39184f73a3edcab00419cac5e6c53c6f48d9028ac0e8647",
        ),
        Artifact.of(
            "org.opensearch:opensearch-dissect:jar:2.19.1",
            23_627,
            "25cf8949ac696c389119fe6dd2039241f522abdd46955108f86952f99fced68d",
        ),
        Artifact.of(
            "org.opensearch.plugin:mapper-extras-client:jar:2.19.1",
            84_960,
            "93e85f305ddc3070fea5b83cc8d962bdcd30df20638352b02cf57276cc2bc5d5",
        ),
        Artifact.of(
            "org.opensearch.plugin:reindex-client:jar:2.19.1",
            122_355,
            "eb2056ee54ac367f8820d5c13fa5cea2d10bb492b01f4d1a15a6dce163bf82ce",
        ),
        Artifact.of(
            "org.opensearch.client:opensearch-rest-client:jar:2.19.1",
            93_850,
            "6ab691dc6cb2c12802bb9024df3379bd1779a2b626d3bd7b27ed5f974cbc1708",
        ),
        Artifact.of(
            "org.opensearch:opensearch-ssl-config:jar:2.19.1",
            68_124,
            "30fe6a20a08004044be90abdf0e711313b7dfe2e5c7b12ac32498ae8e1cae927",
        ),
        Artifact.of(
            "commons-codec:commons-codec:jar:1.16.1",
            365_463,
            "ec87bfb55f22cbd1b21e2190eeda28b2b312ed2a431ee49fbdcc01812d04a5e4",
        ),
        Artifact.of(
            "org.opensearch.plugin:lang-mustache-client:jar:2.19.1",
            65_665,
            "3d688c8d05e517ddad94e439c61183b642aa1784daf7a4d76964d518f6c17135",
        ),
    )
}
MODULES: tuple[Module, ...] = tuple(
    replace(each, jars=tuple(_OTHERS.get(jar.name, jar) for jar in each.jars))
    for each in OF_2_19_6
    if each.name != "search-pipeline-common"
)

RELEASE = Release(
    version="2.19.1",
    distribution=Artifact.of(
        "org.opensearch.distribution.integ-test-zip:opensearch:zip:2.19.1",
        51_391_430,
        "af7152d8b7f6f1cee09d47276b32b70479fe6dd8cdbb61213f84eb7f8098b261",
    ),
    plugins=(
        Artifact.of(
            "org.opensearch.plugin:opensearch-job-scheduler:zip:2.19.1.0",
            3_318_495,
            "a54e12582b88a4c173d6e58b16fbc609df12a04eff010ae30396905a1a882bf6",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-knn:zip:2.19.1.0",
            5_888_095,
            "eab8c9818865bc035212eab5068cdacae164baa09d4c152f49b736d6f6b0e85c",
        ),
        Artifact.of(
            "org.opensearch.plugin:neural-search:zip:2.19.1.0",
            8_434_600,
            "b17ca1d774692902c58cbae102bf463970740c31d81446866e8eabd336e285aa",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-ml-plugin:zip:2.19.1.0",
            362_924_991,
            "2324234d81109dcb2c488da5a6b2034cc0f78d9d08e40ce49ba59fc423a5df5f",
        ),
        Artifact.of(
            "org.opensearch.plugin:opensearch-security:zip:2.19.1.0",
            43_828_219,
            "94a04f12ac6033902209fac1e4e512618d45beee604bbf0e42c3ed79c55220cf",
        ),
    ),
    torch={"linux-x86_64": TORCH_2_5_1},
    java=JavaRange(17, 23),
    unpacked=1_100_000_000,
    modules=MODULES,
)
