"""Neutron's tables on SQLite: `python -m lab.cloud.neutron_db <neutron.conf>`.

Its migrations do not run there (no ALTER of constraints), so the tables are made from the models, the rows that a
migration would add are added (the template rules of every new security group, without which it lets nothing out), and
the database is stamped as up to date.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from neutron.db.migration import cli
from neutron.db.migration.models import head
from neutron.db.models.securitygroup_default_rules import SecurityGroupDefaultRule
from sqlalchemy import orm


def _template_rules() -> list[SecurityGroupDefaultRule]:
    return [
        SecurityGroupDefaultRule(
            direction=direction,
            ethertype=ethertype,
            remote_group_id=remote,
            used_in_default_sg=True,
            used_in_non_default_sg=everywhere,
            description=f"Legacy default SG rule for {direction} traffic",
        )
        for direction, remote, everywhere in (("egress", None, True), ("ingress", "PARENT", False))
        for ethertype in ("IPv4", "IPv6")
    ]


def main(config_file: str) -> None:
    cli.CONF(["--config-file", config_file, "heads"], project="neutron")
    engine = sa.create_engine(cli.CONF.database.connection)
    head.get_metadata().create_all(engine)
    with orm.Session(engine) as session, session.begin():
        session.add_all(_template_rules())
    engine.dispose()
    cli.CONF.reset()
    sys.argv = ["neutron-db-manage", "--config-file", config_file, "stamp", "heads"]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1])
