"""Read results back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from ..errors import BenchError, Exit

Result = TypeVar("Result", bound=BaseModel)


def read_result(path: Path, kind: type[Result]) -> Result:
    """A result that was written before.

    Raises
    ------
    BenchError
        There is none, or it is no JSON, or of another version; status 2, with the place.
    """
    wanted = str(kind.model_fields["kind"].default)
    try:
        text = path.read_text()
        found = cast("object", json.loads(text))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BenchError(str(path), f"it cannot be read: {error}", "Run it again.", Exit.CANNOT_TELL) from error
    written = str(cast("dict[str, object]", found).get("kind", "no kind")) if isinstance(found, dict) else "no result"
    if written != wanted:
        raise BenchError(
            str(path), f"it is {written}, and this version of bench reads {wanted}", "Run it again.", Exit.CANNOT_TELL
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        raise BenchError(
            f"{path}: {place}", f"another version of bench wrote it: {first['msg']}", "Run it again.", Exit.CANNOT_TELL
        ) from error
