"""A user of the hub without a browser: logs in as its pages do, starts his server, runs code in a kernel."""

from __future__ import annotations

import json
import re
import ssl
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import websocket

START_S = 240
REDIRECTS = (301, 302, 303, 307)


class User:
    """One user and his cookies.

    Parameters
    ----------
    url : of the hub, without a closing slash
    authority : certificate that the hub's own is checked against
    """

    def __init__(self, url: str, authority: Path, name: str) -> None:
        self.url, self.name = url, name
        self.verify = ssl.create_default_context(cafile=str(authority))
        self.http = httpx.Client(verify=self.verify, trust_env=False, timeout=60, follow_redirects=True)

    def close(self) -> None:
        self.http.close()

    def token(self, path: str) -> str:
        """The value that a page below `path` has to send back with what it posts."""
        found = [cookie.value for cookie in self.http.cookies.jar if cookie.name == "_xsrf" and cookie.path == path]
        return found[0] or "" if found else ""

    # --- logging in ----------------------------------------------------------------------------------------------
    def log_in_at_provider(self, then: str = "") -> httpx.Response:
        """Through the login service, which is told the name; the hub's answer to what that says.

        Parameters
        ----------
        then : page of the hub to come to; by itself the hub starts the user's server
        """
        form = self.http.get(f"{self.url}/hub/oauth_login", params={"next": then} if then else None)
        assert form.status_code == 200, f"{form.status_code} from {form.url}"
        return self.http.post(str(form.url), data={"sub": self.name})

    def log_in_with(self, password: str) -> httpx.Response:
        """With a password at the hub itself; its answer, which leads on where the password was right."""
        self.http.get(f"{self.url}/hub/login")
        token = self.token("/hub/")
        data = {"username": self.name, "password": password, "_xsrf": token}
        return self.http.post(f"{self.url}/hub/login", params={"_xsrf": token}, data=data, follow_redirects=False)

    def logged_in(self) -> bool:
        return self.api("GET", "/user").status_code == 200

    # --- the server ----------------------------------------------------------------------------------------------
    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-XSRFToken": self.token("/hub/"), "Referer": f"{self.url}/hub/"}
        return self.http.request(method, f"{self.url}/hub/api{path}", headers=headers, **more)

    def ready(self) -> bool:
        """Whether the hub answers and says that the server runs."""
        answer = self.api("GET", f"/users/{self.name}")
        return answer.status_code == 200 and bool(answer.json()["servers"].get("", {}).get("ready"))

    def start(self) -> float:
        """Start the server; returns the seconds until JupyterLab answers."""
        began = time.monotonic()
        asked = self.api("POST", f"/users/{self.name}/server")
        assert asked.status_code in (201, 202, 400), asked.text
        while not self.ready():
            assert time.monotonic() - began < START_S, self.progress()
            time.sleep(0.25)
        page = self.http.get(f"{self.url}/user/{self.name}/lab")
        assert page.status_code == 200, page.text[-2000:]
        assert "JupyterLab" in page.text
        return time.monotonic() - began

    def progress(self) -> str:
        """What the hub says of a server that does not start."""
        said = self.api("GET", f"/users/{self.name}/server/progress", timeout=5)
        return "\n".join(re.findall(r'"message": "([^"]*)"', said.text))[-3000:] or said.text[-1000:]

    def stop(self) -> None:
        self.api("DELETE", f"/users/{self.name}/server")
        deadline = time.monotonic() + 60
        while self.api("GET", f"/users/{self.name}").json().get("servers"):
            assert time.monotonic() < deadline, f"the server of {self.name} does not stop"
            time.sleep(0.25)

    # --- code ----------------------------------------------------------------------------------------------------
    def run(self, code: str, timeout_s: int = 240) -> str:
        """What the code prints in a kernel of its own; warnings and the like are not part of it.

        Raises
        ------
        AssertionError
            The code raised; the message is its traceback.
        """
        base = f"/user/{self.name}"
        headers = {"X-XSRFToken": self.token(f"{base}/"), "Referer": self.url}
        asked = self.http.post(f"{self.url}{base}/api/kernels", headers=headers, json={"name": "python3"})
        assert asked.status_code == 201, asked.text
        kernel = asked.json()["id"]
        cookies = "; ".join(
            f"{each.name}={each.value}" for each in self.http.cookies.jar if base.startswith(each.path.rstrip("/"))
        )
        channel = websocket.create_connection(
            f"{self.url.replace('https', 'wss')}{base}/api/kernels/{kernel}/channels",
            cookie=cookies,
            header=headers,
            http_no_proxy=["*"],
            sslopt={"context": self.verify},
            timeout=timeout_s,
        )
        try:
            return execute(channel, code)
        finally:
            channel.close()
            self.http.delete(f"{self.url}{base}/api/kernels/{kernel}", headers=headers)


def execute(channel: websocket.WebSocket, code: str) -> str:
    """One cell over an open channel of a kernel."""
    number = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    header = {
        "msg_id": number,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "version": "5.3",
    }
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    channel.send(json.dumps(message))
    printed: dict[str, list[str]] = {"stdout": [], "stderr": []}
    ended = {"idle": False, "reply": False}
    while not all(ended.values()):
        answer = json.loads(channel.recv())
        if answer["parent_header"].get("msg_id") != number:
            continue
        kind, said = answer["msg_type"], answer["content"]
        if kind == "stream":
            printed[said["name"]].append(said["text"])
        elif kind == "error":
            seen = "".join(printed["stdout"] + printed["stderr"])
            raise AssertionError("\n".join(said["traceback"])[-4000:] + seen[-2000:])
        ended["idle"] |= kind == "status" and said["execution_state"] == "idle"
        ended["reply"] |= kind == "execute_reply"
    return "".join(printed["stdout"])
