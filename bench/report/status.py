"""Who uses a facility now, as tables and as a page."""

from __future__ import annotations

from datetime import datetime

from rich.markup import escape
from rich.table import Table

from ..facility.usage import Usage
from .page import TEMPLATES

GIB = 2**30
SOON_DAYS = 30


def number(value: float | None, digits: int = 2) -> str:
    """A value, or a dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def headline(found: Usage) -> str:
    """The facility in one line."""
    cores = sum(node.cores for node in found.nodes)
    promised = sum(node.promised_cores for node in found.nodes)
    known = [node.used_cores for node in found.nodes if node.used_cores is not None]
    used = sum(known) if len(known) == len(found.nodes) else None
    return (
        f"{len(found.users)} users, {cores:g} cores: {promised:.2f} promised, {max(0.0, cores - promised):.2f} free, "
        f"{number(used)} used; {len(found.queue)} pods wait"
    )


def certificate_line(found: Usage) -> str:
    """How long certificates of the control plane are good."""
    if not found.certificates:
        return "certificates: not known"
    (node, name), days = min(found.certificates.items(), key=lambda each: each[1])
    word = f": renew them now (playbooks/certificates.yml), {name} on {node} is the first" if days < SOON_DAYS else ""
    return f"certificates: {days:.0f} days left{word}"


def status_tables(found: Usage) -> list[Table]:
    """Nodes, users, and what waits; only those with rows."""
    nodes = Table(title="nodes", title_justify="left")
    for title in ("node", "state", "cores", "promised", "used", "load", "memory [GiB]", "used [GiB]", "pods"):
        nodes.add_column(title, justify="left" if title in ("node", "state") else "right")
    for row in node_rows(found):
        nodes.add_row(*row)
    users = Table(title="users", title_justify="left")
    for title in ("user", "notebook", "Dask workers", "promised", "used", "waiting"):
        users.add_column(title, justify="left" if title in ("user", "notebook") else "right")
    for row in user_rows(found):
        users.add_row(*map(escape, row))
    queue = Table(title="queue: pods that no node has room for", title_justify="left")
    for title in ("namespace", "pod", "priority", "minutes"):
        queue.add_column(title, justify="right" if title == "minutes" else "left")
    queue.add_column("why", overflow="fold")
    for row in queue_rows(found):
        queue.add_row(*map(escape, row))
    return [table for table in (nodes, users, queue) if table.row_count]


def node_rows(found: Usage) -> list[tuple[str, ...]]:
    """Texts of a row for each node."""
    return [
        (
            node.name,
            node.state,
            f"{node.cores:g}",
            number(node.promised_cores),
            number(node.used_cores),
            number(node.load),
            number(node.memory_bytes / GIB, 1),
            number(None if node.used_memory_bytes is None else node.used_memory_bytes / GIB, 1),
            str(node.pods),
        )
        for node in found.nodes
    ]


def user_rows(found: Usage) -> list[tuple[str, ...]]:
    """Texts of a row for each user, who holds most first."""
    return [
        (
            user.name,
            "yes" if user.notebook else "no",
            str(user.workers),
            number(user.promised_cores),
            number(user.used_cores),
            str(user.waiting),
        )
        for user in sorted(found.users, key=lambda each: (-each.promised_cores, each.name))
    ]


def queue_rows(found: Usage) -> list[tuple[str, ...]]:
    """Texts of a row for each pod that waits, the longest first."""
    return [(each.namespace, each.name, each.priority, f"{each.since_s / 60:.1f}", each.why) for each in found.queue]


def status_page(found: Usage, site: str, at: datetime) -> str:
    """The page."""
    return TEMPLATES.get_template("status.html.j2").render(
        site=site,
        at=at,
        headline=headline(found),
        certificates=certificate_line(found),
        urgent=bool(found.certificates) and min(found.certificates.values()) < SOON_DAYS,
        nodes=node_rows(found),
        users=user_rows(found),
        queue=queue_rows(found),
        unknown=found.unknown,
    )
