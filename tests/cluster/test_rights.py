"""The role that ``osform rights apply`` prints is enough for an index that is made anew, request by request."""

from __future__ import annotations

import re

from osform.cluster.copying import Copier, Copy
from osform.core.address import Address
from osform.core.events import silent
from osform.kinds.rights import role
from tests.cluster.indices import Copying

# As the server names them: what each of a request's actions asks of whoever sent it.
RIGHTS = {
    r"GET /[^/]+/_stats/docs": "indices:monitor/stats",
    r"POST /[^/]+/_(count|search)": "indices:data/read/search",
    r"POST /[^/]+/_refresh": "indices:admin/refresh",
    r"GET /[^/]+/_settings.*": "indices:monitor/settings/get",
    r"PUT /[^/]+/_settings": "indices:admin/settings/update",
    r"GET /[^/]+/_alias": "indices:admin/aliases/get",
    r"PUT /[^/]+/_block/write": "indices:admin/block/add",
    r"POST /[^/]+/_bulk": "indices:data/write/bulk",
    r"POST /_reindex": "indices:data/write/reindex",
    r"GET /_tasks": "cluster:monitor/tasks/lists",
    r"GET /_tasks/.+": "cluster:monitor/task/get",
    r"GET /_cluster/health/.+": "cluster:monitor/health",
}


def test_whoever_has_the_role_may_send_what_a_copy_sends() -> None:
    cluster = Copying()
    for id in ("kept", "gone"):
        cluster.write(id)
    cluster.write("gone too", "new")
    with Copier(cluster, Copy("old", "new", ()), {}, lambda _: None, silent, cluster.clock, cluster.sleep) as copier:
        copier.fill()
        copier.hand_over(lambda: None)
    body = role([Address("index", "images")], "apply")
    given = {
        *body["cluster_permissions"],
        *(right for each in body["index_permissions"] for right in each["allowed_actions"]),
    }
    taken = {right for asked in cluster.asked for path, right in RIGHTS.items() if re.fullmatch(path, asked)}
    assert [asked for asked in cluster.asked if not any(re.fullmatch(path, asked) for path in RIGHTS)] == []
    assert taken == set(RIGHTS.values())
    assert taken - given == set()
