"""A facility of the same name that another Terraform state has made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tfsite import namesake
from tfsite.errors import Problem


def change(kind: str, name: str, actions: list[str], before: str | None = None) -> dict[str, Any]:
    old = {"id": before, "name": name} if before else None
    return {"type": kind, "change": {"actions": actions, "before": old, "after": {"name": name}}}


def check(changes: list[dict[str, Any]], servers: tuple[str, ...] = (), key_pairs: tuple[str, ...] = ()) -> None:
    """Servers are named as their ids are."""
    compute = SimpleNamespace(
        servers=lambda details, metadata: [SimpleNamespace(id=each, name=each) for each in servers],
        keypairs=lambda: [SimpleNamespace(name=each) for each in key_pairs],
    )
    namesake.check({"resource_changes": changes}, SimpleNamespace(compute=compute), "lab", "inventory/lab/x.tfvars")


FIRST = [change(namesake.KEY_PAIR, "lab", ["create"]), change(namesake.SERVER, "lab-cp0", ["create"])]


def test_a_first_apply_in_an_empty_project() -> None:
    check(FIRST, key_pairs=("somebody",))


def test_what_another_state_made_is_named() -> None:
    with pytest.raises(Problem) as refused:
        check(FIRST, servers=("lab-w0", "lab-cp0"), key_pairs=("lab",))
    text = str(refused.value)
    assert "key pair 'lab', server 'lab-cp0', server 'lab-w0'" in text
    assert "nothing was changed" in text
    assert "inventory/lab/x.tfvars" in text


def test_servers_of_other_names_count_too() -> None:
    with pytest.raises(Problem, match="server 'lab-old'"):
        check(FIRST, servers=("lab-old",))


def test_a_node_more_beside_those_of_the_state() -> None:
    more = [change(namesake.SERVER, "lab-cp0", ["no-op"], "lab-cp0"), change(namesake.SERVER, "lab-w1", ["create"])]
    check(more, servers=("lab-cp0",))


def test_a_node_that_is_made_anew() -> None:
    check([change(namesake.SERVER, "lab-w0", ["delete", "create"], "lab-w0")], servers=("lab-w0",))


def test_no_question_to_the_cloud_where_nothing_is_added() -> None:
    check([change(namesake.SERVER, "lab-cp0", ["update"], "lab-cp0")], servers=("lab-cp0", "other"))
