"""Run a script of `scripts/` in a pod. It is sent as text, so that it is the same whatever the image holds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import BenchError
from .kube import Kube

SCRIPTS = Path(__file__).parent / "scripts"


class Found(BaseModel):
    """What a script prints, as JSON."""

    model_config = ConfigDict(frozen=True)


Kind = TypeVar("Kind", bound=Found)


def command(script: str, *arguments: object) -> list[str]:
    """The command that runs a script."""
    return ["python3", "-c", (SCRIPTS / f"{script}.py").read_text(), *map(str, arguments)]


def run_script(kube: Kube, pod: str, kind: type[Kind], script: str, *arguments: object) -> Kind:
    """Run a script in a pod, and read what it found.

    Raises
    ------
    BenchError
        It could not be run, or ended without finding anything.
    """
    status, out, err = kube.execute(pod, command(script, *arguments))
    try:
        return kind.model_validate_json(out)
    except ValidationError:
        last = (err.strip() or out.strip() or "no output").splitlines()[-1][-300:]
        killed = " (killed: no memory was left)" if status == 137 else ""
        raise BenchError(
            f"{script}.py in pod {pod}", f"it ended with status {status}{killed}: {last}", "Run this again."
        ) from None
