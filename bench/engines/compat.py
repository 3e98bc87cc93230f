"""Make dask-kubernetes, and kr8s on which it stands, work in the clusters that the facility has.

Kubernetes before 1.27 leaves `singularName` empty in what its API says of its built-in kinds; kr8s (0.20, which
supports 1.28 and later) makes the names of its classes of it, no longer finds its own class for pods, and refuses what
it gets: "Unexpected type <class 'list'> returned from API". It also warns of versions that it does not list, each time;
what the facility's tests have shown to work needs no warning in front of every user.

dask-kubernetes looks for the scheduler's name for 10 s, then takes itself to be outside of the cluster and asks for a
port to be forwarded, which a Job has no right to. On a busy node a new name may take longer.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Awaitable, Callable
from typing import Any


def with_singular_names(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kinds of an API, each with the singular name that later versions give: its kind in small letters."""
    return [{**each, "singularName": each.get("singularName") or each["kind"].lower()} for each in resources]


def accept_old_clusters() -> None:
    """Have kr8s fill in the missing names, and not warn, in this process; doing it again changes nothing."""
    api: Any = importlib.import_module("kr8s._api").Api
    original: Callable[..., Awaitable[list[dict[str, Any]]]] = api.async_api_resources_uncached
    if getattr(original, "__wrapped__", None) is not None:
        return

    @functools.wraps(original)
    async def filled(self: Any) -> list[dict[str, Any]]:
        return with_singular_names(await original(self))

    api.async_api_resources_uncached = filled
    warnings.filterwarnings("ignore", message=r"Kubernetes version \S+ is not supported", category=UserWarning)


def wait_for_names(retries: int = 120) -> None:
    """Have dask-kubernetes look for names for a minute (in steps of half a second), in this process."""
    networking: Any = importlib.import_module("dask_kubernetes.operator.networking")
    original: Callable[..., Awaitable[Any]] = networking._is_service_available
    if getattr(original, "__wrapped__", None) is not None:
        return

    @functools.wraps(original)
    async def patient(host: str, port: int, **_retries: int) -> Any:
        return await original(host, port, retries=retries)

    networking._is_service_available = patient
