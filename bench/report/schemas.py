"""JSON Schemas of the results, for readers without Python. `python -m bench.report.schemas` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from .acceptance import AcceptResult
from .model import RunResult
from .modes import ModesResult
from .simulation import SimulateResult
from .sweep import SweepResult
from .validation import ValidateResult

FOLDER = Path(__file__).parent / "schema"
RECORDS: dict[str, type[BaseModel]] = {
    "accept": AcceptResult,
    "modes": ModesResult,
    "run": RunResult,
    "simulate": SimulateResult,
    "sweep": SweepResult,
    "validate": ValidateResult,
}


def schema_path(name: str) -> Path:
    """Where a schema is kept."""
    return FOLDER / f"{name}.schema.json"


def schema_text(name: str) -> str:
    """The schema of a result as it is written."""
    schema = RECORDS[name].model_json_schema(mode="serialization")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1) + "\n"


def main() -> None:
    """Write all schemas."""
    for name in RECORDS:
        schema_path(name).write_text(schema_text(name))


if __name__ == "__main__":
    main()
