"""What a manifest keeps of former runs."""

from __future__ import annotations

from lab.artifacts import cli, table
from lab.artifacts.manifest import Artifact


def artifact(name: str, path: str, kind: str = "binary") -> Artifact:
    return Artifact(name, "1", kind, path, "0" * 64, 1, "built", "by hand")


OTHER = artifact("kubelet", next(item.path for item in table.wanted("1.26.3") if item.name == "kubelet"))
OURS = artifact("kubelet", next(item.path for item in table.wanted("1.27.16") if item.name == "kubelet"))
FORMER = artifact("kubelet", "dl.k8s.io/v1.25.0/bin/linux/amd64/kubelet")
FOREIGN = artifact("crictl", "github.com/crictl-0.1.tgz")
PACKAGE = artifact("tar", "rpm/tar.rpm", "rpm")


def test_a_complete_run_keeps_other_versions_of_the_tables_and_nothing_else() -> None:
    assert cli.kept([OTHER, OURS, FORMER, FOREIGN, PACKAGE], [OURS], complete=True) == [OTHER]


def test_a_run_for_one_artefact_keeps_the_others() -> None:
    assert cli.kept([OTHER, OURS, FORMER, FOREIGN, PACKAGE], [OURS], complete=False) == [OTHER, FOREIGN, PACKAGE]


def test_packages_are_replaced_together() -> None:
    assert cli.kept([OTHER, PACKAGE], [artifact("sed", "rpm/sed.rpm", "rpm")], complete=False) == [OTHER]
