"""Two people who apply at once: the second one is told who works, whatever keeps the state."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tfsite import adopt, lock, program, root, site
from tfsite.errors import Problem

REPO = Path(__file__).resolve().parents[2]
# Says that it has begun, and goes on when it is let.
SLOW = """\
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "touch begun; for i in $(seq 600); do test -e go && exit 0; sleep 0.1; done; exit 1"
  }
}
"""
APPLY = ["apply", "-auto-approve", "-no-color", "-input=false"]


class StateDouble(BaseHTTPRequestHandler):
    """A double of a server of Terraform's HTTP backend: one state and one lock, in memory."""

    state: bytes | None = None
    lock: bytes | None = None
    guard = threading.Lock()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        double = type(self)
        self.answer(*((200, double.state) if double.state is not None else (404, b"")))

    def do_POST(self) -> None:
        type(self).state = self.body()
        self.answer(200)

    def do_LOCK(self) -> None:
        double, wanted = type(self), self.body()
        with double.guard:
            holder = double.lock
            if holder is None:
                double.lock = wanted
        self.answer(*((200, b"") if holder is None else (423, holder)))

    def do_UNLOCK(self) -> None:
        self.body()
        type(self).lock = None
        self.answer(200)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: Terraform's own output is looked at."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[StateDouble]]]:
    """Address of a double of its own, and what it holds."""
    double = type("Double", (StateDouble,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), double) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/state", double
        listening.shutdown()
        thread.join()


def begin(folder: Path) -> subprocess.Popen[str]:
    """The first person's apply, which has the lock when this returns."""
    command = [*program.find(), *APPLY]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not (folder / "begun").exists():
        assert process.poll() is None, process.communicate()[0]
    return process


def end(folder: Path, first: subprocess.Popen[str]) -> None:
    (folder / "go").touch()
    text, _ = first.communicate(timeout=60)
    assert first.returncode == 0, text


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program.find(), *arguments], cwd=folder, capture_output=True, text=True)


def test_a_state_on_a_server_is_locked_for_the_second(tmp_path: Path, server: tuple[str, type[StateDouble]]) -> None:
    address, double = server
    people = tmp_path / "one", tmp_path / "other"
    for folder in people:
        folder.mkdir()
        (folder / "main.tf").write_text(SLOW)
        (folder / "backend.tf").write_text(
            f'terraform {{\n  backend "http" {{\n    address        = "{address}"\n'
            f'    lock_address   = "{address}"\n    unlock_address = "{address}"\n  }}\n}}\n'
        )
        done = terraform(folder, "init", "-input=false", "-no-color")
        assert done.returncode == 0, done.stdout + done.stderr
    first = begin(people[0])
    try:
        holder = json.loads(double.lock or b"{}")
        second = terraform(people[1], *APPLY)
    finally:
        end(people[0], first)
    assert second.returncode == 1
    assert "Error acquiring the state lock" in second.stdout + second.stderr
    assert holder["Who"] in second.stdout + second.stderr
    assert not (people[1] / "begun").exists()
    # When the first has ended the lock is gone, and the second sees what was made.
    assert double.lock is None
    again = terraform(people[1], *APPLY)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 added, 0 changed" in again.stdout


@pytest.fixture
def ours(tmp_path: Path) -> site.Site:
    """A site in a checkout of its own, whose state a slow apply can be run on."""
    (tmp_path / "inventory" / "test").mkdir(parents=True)
    (tmp_path / "inventory" / "test" / "terraform.tfvars").touch()
    found = site.find("test", tmp_path)
    root.prepare(found)
    (found.root / "main.tf").write_text(SLOW)
    done = terraform(found.root, "init", "-input=false", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_a_local_state_is_locked_for_the_second(ours: site.Site) -> None:
    lock.check(ours, ["apply"])
    first = begin(ours.root)
    try:
        who = json.loads(lock.info_file(ours).read_text())["Who"]
        with pytest.raises(Problem) as told:
            lock.check(ours, ["apply"])
        # Terraform's own options for this are left to it, and it says the same.
        lock.check(ours, ["plan", "-lock-timeout=1s"])
        second = terraform(ours.root, *APPLY)
        # Whoever works is not taken for one who was killed.
        adopt.mark(ours)
        assert not adopt.marker(ours).exists()
    finally:
        end(ours.root, first)
    assert f"Site test is locked: apply by {who} since 20" in str(told.value)
    assert second.returncode == 1
    assert "Error acquiring the state lock" in second.stdout + second.stderr
    lock.check(ours, ["apply"])


def test_a_lock_file_without_its_owner_is_no_lock(ours: site.Site) -> None:
    ours.state.write_text("{}")
    lock.info_file(ours).write_text('{"Who": "somebody who was killed"}')
    lock.check(ours, ["apply"])
    adopt.mark(ours)
    assert adopt.marker(ours).exists()


@pytest.mark.parametrize("kind", ["s3", "http"])
def test_the_shown_backends_can_be_read(tmp_path: Path, kind: str) -> None:
    text = (REPO / "inventory" / "example" / "backend.tf.example").read_text()
    if kind == "http":
        lines = text.splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith('  # backend "http"'))
        text = "\n".join(["terraform {", *(line.replace("  # ", "  ", 1) for line in lines[begin:])])
    assert f'  backend "{kind}"' in text
    (tmp_path / "backend.tf").write_text(text)
    for command in (["init", "-backend=false", "-input=false"], ["validate"]):
        done = terraform(tmp_path, *command, "-no-color")
        assert done.returncode == 0, done.stdout + done.stderr
