"""What a site may say of thresholds is what `bench` takes them for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from bench.facility.thresholds import Thresholds

SPECS = Path(__file__).resolve().parents[2] / "ansible" / "roles" / "facility" / "meta" / "argument_specs.yml"


def test_defaults_are_those_that_the_role_names() -> None:
    options = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]["facility_thresholds"]["options"]
    assert {name: option["default"] for name, option in options.items()} == Thresholds().model_dump()


@pytest.mark.parametrize("wrong", [{"dns_ms_max": -1}, {"cores_share_min": 1.1}, {"dns_max": 1}])
def test_what_is_no_threshold_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Thresholds.model_validate(wrong)
