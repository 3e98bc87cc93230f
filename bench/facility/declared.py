"""What was ordered: the map `nodes` of a site's terraform.tfvars."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import paths
from ..errors import BenchError, Exit


class OrderedNode(BaseModel):
    """A node as it stands in terraform.tfvars; its name is `<facility>-<key>`."""

    model_config = ConfigDict(frozen=True)

    flavor: str
    groups: frozenset[str] = frozenset()


class Order(BaseModel):
    """The part of terraform.tfvars that says what is to be there."""

    model_config = ConfigDict(frozen=True)

    facility: str
    cloud: str
    nodes: dict[str, OrderedNode]
    sha256: str = ""

    def by_name(self) -> dict[str, OrderedNode]:
        """The nodes by the name that the server, the Ansible host and the Kubernetes node share."""
        return {f"{self.facility}-{key}": node for key, node in self.nodes.items()}


def order_path(site: str) -> Path:
    """Where a site's terraform.tfvars is."""
    return paths.site_inventory(site) / "terraform.tfvars"


def read_order(path: Path) -> Order:
    """Read a terraform.tfvars.

    Raises
    ------
    BenchError
        It is not there, is not HCL, or has not the variables `facility`, `cloud` and `nodes`.
    """
    hcl: Any = importlib.import_module("hcl2")
    options = hcl.SerializationOptions(with_comments=False, strip_string_quotes=True)
    try:
        raw = path.read_bytes()
        values = hcl.loads(raw.decode(), serialization_options=options)
        return Order.model_validate({**values, "sha256": hashlib.sha256(raw).hexdigest()})
    except FileNotFoundError:
        raise BenchError(
            str(path), "there is no such file", "Name a site with --site: a folder in inventory/.", Exit.CANNOT_TELL
        ) from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BenchError(str(path), wrong, "Correct the file.", Exit.CANNOT_TELL) from error
    except Exception as error:  # the parser's exceptions have no common base of their own
        why = str(error).splitlines()[0]
        raise BenchError(str(path), f"it is no HCL: {why}", "Correct the file.", Exit.CANNOT_TELL) from error
