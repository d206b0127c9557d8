"""On a secured cluster alone (``OSFORM_TEST_SECURE=1``): the kinds of its plugin, and groups that not all may use."""

from __future__ import annotations

import pytest

from osform.cluster.client import Cluster
from osform.cluster.identity import identity
from osform.core.request import Request
from tests.live.every_kind import Case, Edit
from tests.live.stacks import Files
from tests.live.test_every_kind import live_through

SECRET = "Quiet-harbour-7654-doors"
CASES = (
    Case(
        "action_group/NAME",
        "allowed_actions: ['indices:data/read/*']\ntype: index\ndescription: one\n",
        (
            Edit("data/read", "admin", ("allowed_actions[0]",)),
            Edit("type: index", "type: cluster", ("type",)),
            Edit("description: one\n", "", ("description",)),
        ),
    ),
    Case("tenant/NAME", "description: one\n", (Edit("one", "two", ("description",)),)),
    Case(
        "role/NAME",
        "cluster_permissions: [NAME-group]\nindex_permissions:\n"
        "- {index_patterns: ['a-*'], allowed_actions: [read], fls: [x], masked_fields: [y],"
        ' dls: \'{"term": {"o": "${user.name}"}}\'}\n'
        "tenant_permissions:\n- {tenant_patterns: [NAME-tenant], allowed_actions: [kibana_all_read]}\n",
        (
            Edit("'a-*'", "'b-*'", ("index_permissions[0].index_patterns[0]",)),
            Edit("fls: [x]", "fls: []", ("index_permissions[0].fls[0]",)),
            Edit("masked_fields: [y]", "masked_fields: [z]", ("index_permissions[0].masked_fields[0]",)),
            Edit("allowed_actions: [read]", "allowed_actions: [write]", ("index_permissions[0].allowed_actions[0]",)),
            Edit("_all_read", "_all_write", ("tenant_permissions[0].allowed_actions[0]",)),
        ),
        {
            "action_group/NAME-group": "allowed_actions: [cluster_monitor]\ntype: cluster\n",
            "tenant/NAME-tenant": "description: x\n",
        },
    ),
    Case(
        "internal_user/NAME",
        "password: '${env.KEY}'\nbackend_roles: [b, a]\nattributes: {team: red}\n"
        "opendistro_security_roles: [NAME-role]\ndescription: one\n",
        (
            Edit("team: red", "team: blue", ("attributes.team",)),
            Edit("[b, a]", "[b]", ("backend_roles[1]",)),
            Edit("description: one\n", "", ("description",)),
            Edit("opendistro_security_roles: [NAME-role]\n", "", ("opendistro_security_roles[0]",)),
        ),
        {"role/NAME-role": "cluster_permissions: [cluster_monitor]\n"},
    ),
    Case(
        "role_mapping/NAME",
        "users: [ana]\nbackend_roles: [painters]\nhosts: ['*.example']\ndescription: one\n",
        (
            Edit("[ana]", "[bo, ana]", ("users[0]", "users[1]")),
            Edit("hosts: ['*.example']\n", "", ("hosts[0]",)),
            Edit("painters", "sculptors", ("backend_roles[0]",)),
        ),
        {"role/NAME": "cluster_permissions: [cluster_monitor]\n"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_kind_of_the_plugin_from_its_first_apply_to_its_removal(files: Files, case: Case) -> None:
    live_through(files, case, SECRET)


def test_another_password_is_seen_by_its_fingerprint_and_then_lets_its_user_in(files: Files, live_url: str) -> None:
    files.environ["KEY"] = SECRET
    files.write("internal_user/NAME", "password: ${env.KEY}\n")
    files.apply()
    assert files.plan().empty
    files.environ["KEY"] = "Another-harbour-7654-doors"
    (change,) = files.plan().changes
    assert [each.path for each in change.differences] == [("password",)]
    assert "Another" not in repr(files.plan())
    files.apply()
    host = live_url.rpartition("@")[2]
    cluster = Cluster(f"https://{files.name}:Another-harbour-7654-doors@{host}")
    found = identity(cluster)
    assert found is not None
    assert (found.user, found.rights) == (files.name, None)
    cluster.close()


def test_a_restricted_group_is_for_its_backend_roles(files: Files) -> None:
    setting = "plugins.ml_commons.model_access_control_enabled"
    files.write("cluster_settings/access", f"persistent: {{{setting}: true}}\n")
    files.write("model_group/NAME", "access_mode: restricted\nbackend_roles: [painters, sculptors]\n")
    files.apply()
    assert files.plan().empty
    files.edit("model_group/NAME", "[painters, sculptors]", "[painters]")
    assert [change.action for change in files.plan().changes] == ["update"]
    files.apply()
    assert files.plan().empty
    query = {"query": {"term": {"name.keyword": files.name}}}
    answer = files.cluster.send(Request("POST", "/_plugins/_ml/model_groups/_search", query))
    assert [hit["_source"]["access"] for hit in answer["hits"]["hits"]] == ["restricted"]
