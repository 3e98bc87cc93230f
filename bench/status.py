"""What `bench status` does: who uses a site now, and who waits."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import Exit
from .facility.kube import Kube
from .facility.prometheus import Prometheus
from .facility.site import kubeconfig_path, load_facility
from .facility.usage import Usage, usage
from .report.status import certificate_line, headline, status_page, status_tables
from .report.write import write_texts
from .terminal import Terminal


def ask(site: str) -> Usage:
    """Who uses a site now.

    Raises
    ------
    BenchError
        Nothing is installed there, or its Kubernetes does not answer.
    """
    kube = Kube(kubeconfig_path(load_facility(site)))
    return usage(kube, Prometheus(kube.exchange))


def as_values(found: Usage) -> dict[str, Any]:
    """As JSON has it; certificates are a list, for their names are pairs."""
    certificates = [{"node": node, "name": name, "days": days} for (node, name), days in found.certificates.items()]
    return {**asdict(found), "certificates": certificates}


def show_status(site: str, page: Path | None, as_json: bool, terminal: Terminal) -> Exit:
    """Show who uses a site; status 2 where something could not be asked."""
    found = ask(site)
    if as_json:
        json.dump(as_values(found), sys.stdout, indent=2)
        print()
    else:
        say(found, terminal)
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_texts(page.parent, {page.name: status_page(found, site, datetime.now(UTC))})
        if not as_json:
            terminal.say(f"page: {page}")
    return Exit.CANNOT_TELL if found.unknown else Exit.OK


def say(found: Usage, terminal: Terminal) -> None:
    """On the terminal."""
    terminal.say(headline(found))
    for table in status_tables(found):
        terminal.show(table)
    terminal.say(certificate_line(found))
    for text in found.unknown:
        terminal.say(f"could not tell: {text}")
