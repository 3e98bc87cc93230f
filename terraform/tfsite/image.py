"""The file of an image that a site has uploaded: fetched once, and let through only with the right checksum."""

from __future__ import annotations

import hashlib
import http.client
import re
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import Problem
from .site import Site

CHUNK = 1 << 20
TIMEOUT_S, REPORT_S = 60, 5


def file(site: Site, upload: Mapping[str, Any]) -> Path:
    """Where the file lies, after it was fetched if it was not there."""
    url, expected = str(upload.get("url", "")), str(upload.get("sha256", ""))
    if not re.fullmatch("https?://.+", url) or not re.fullmatch("[0-9a-f]{64}", expected):
        raise Problem(
            f"image_upload in {site.shown(site.tfvars)} needs an address (url, https:// or http://) and 64 hexadecimal "
            f"digits (sha256), and has {url!r} and {expected!r}.",
            "Correct it there.",
        )
    target = site.runtime / "images" / expected
    if target.is_file():
        return target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        found = fetch(url, part)
        if found != expected:
            raise Problem(
                f"image_upload: {url} has the sha256 {found}, but {site.shown(site.tfvars)} says {expected}.",
                "Nothing was uploaded. Is it the version that you mean? Then correct the sum there, from a source that "
                "you trust.",
            )
        part.replace(target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Problem(
            f"image_upload: {url} cannot be fetched: {error}.",
            f"Correct image_upload.url in {site.shown(site.tfvars)}, or put the file to {site.shown(target)}.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return target


def fetch(url: str, target: Path) -> str:
    """Write what is at `url` to `target`; its sha256. Tells how far it is every few seconds."""
    digest, done, told = hashlib.sha256(), 0, time.monotonic()
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response, target.open("wb") as out:
        total = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(CHUNK):
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if time.monotonic() - told > REPORT_S:
                told = time.monotonic()
                share = f" of {total >> 20}" if total else ""
                print(f"Fetching {url}: {done >> 20}{share} MiB", file=sys.stderr, flush=True)
    if total and done != total:
        raise OSError(f"it ended after {done} of {total} bytes")
    return digest.hexdigest()
