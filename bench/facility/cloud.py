"""What was built: Nova's servers."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .. import paths
from ..errors import BenchError, Exit


class Flavor(NamedTuple):
    """What a flavor promises."""

    cores: int
    memory_mib: int


@dataclass(frozen=True)
class Server:
    """A server with the cores and the memory that its flavor had when it was built or last resized."""

    name: str
    status: str
    cores: int
    flavor: str
    memory_mib: int = 0


class Cloud(Protocol):
    """Who knows flavors and servers."""

    def flavors(self) -> dict[str, Flavor]:
        """Flavors by name."""
        ...

    def servers(self, facility: str) -> list[Server]:
        """Servers whose metadata name the facility."""
        ...


def clouds_file(site: str) -> Path | None:
    """The site's own clouds.yaml; None leaves it to the usual places."""
    path = paths.site_runtime(site) / "clouds.yaml"
    return path if path.is_file() else None


class OpenStack:
    """An OpenStack cloud by its name in clouds.yaml."""

    def __init__(self, cloud: str, config_file: Path | None) -> None:
        self.where = f"cloud {cloud!r} of {config_file or 'clouds.yaml'}"
        loader: Any = importlib.import_module("openstack.config.loader")
        connection: Any = importlib.import_module("openstack.connection")
        with self._reporting():
            files = [str(config_file)] if config_file else None
            config = loader.OpenStackConfig(config_files=files).get_one(cloud)
            self.where += f" at {config.auth.get('auth_url')}"
            self._connection: Any = connection.Connection(config=config)

    @contextmanager
    def _reporting(self) -> Generator[None]:
        sdk: Any = importlib.import_module("openstack.exceptions")
        auth: Any = importlib.import_module("keystoneauth1.exceptions")
        try:
            yield
        except (sdk.SDKException, auth.ClientException, OSError) as error:
            raise BenchError(
                self.where,
                f"it cannot be asked: {str(error).strip() or type(error).__name__}",
                "See that the cloud answers (openstack token issue) and that clouds.yaml is right.",
                Exit.CANNOT_TELL,
            ) from error

    def flavors(self) -> dict[str, Flavor]:
        with self._reporting():
            found = self._connection.compute.flavors()
            return {flavor.name: Flavor(int(flavor.vcpus), int(flavor.ram)) for flavor in found}

    def servers(self, facility: str) -> list[Server]:
        with self._reporting():
            return [
                Server(
                    name=server.name,
                    status=server.status,
                    cores=int(server.flavor.vcpus),
                    flavor=str(server.flavor.original_name or server.flavor.name or server.flavor.id),
                    memory_mib=int(server.flavor.ram),
                )
                for server in self._connection.compute.servers(details=True)
                if server.metadata and server.metadata.get("facility") == facility
            ]
