"""Objects of a Kubernetes cluster: applied by the server, or read, many in one step over one connection each.

An action and no module: it asks from this machine anyhow, where a module's process takes longer to start than to work.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from ansible.plugins.action import ActionBase

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "apply": {"type": "list", "elements": "dict", "default": []},
    "apply_files": {"type": "list", "elements": "path", "default": []},
    "read": {"type": "list", "elements": "dict", "default": []},
    "field_manager": {"type": "str", "default": "facility"},
    "timeout": {"type": "int", "default": 30},
}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FIRST = {"CustomResourceDefinition": 0, "Namespace": 0}
# Fields that the server sets by itself, or at every write.
OWN_METADATA = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")


class ClusterError(Exception):
    """The API refused, or could not be asked."""


class Unreachable(ClusterError):
    """There is no cluster, or it does not answer."""


class Api:
    """The API of the cluster that a kubeconfig names."""

    def __init__(self, kubeconfig: str, timeout: int) -> None:
        if not Path(kubeconfig).is_file():
            raise Unreachable(f"There is no {kubeconfig}: site.yml writes it once the control plane is made.")
        config = yaml.load(Path(kubeconfig).read_text(), LOADER)
        context = next(each["context"] for each in config["contexts"] if each["name"] == config["current-context"])
        cluster = next(each["cluster"] for each in config["clusters"] if each["name"] == context["cluster"])
        user = next(each["user"] for each in config["users"] if each["name"] == context["user"])
        self.server, self.timeout = cluster["server"].rstrip("/"), timeout
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        verified = ssl.create_default_context(cadata=authority)
        # The ssl module takes a client's certificate from a file alone.
        with tempfile.NamedTemporaryFile("wb", prefix="facility-") as both:
            both.write(base64.b64decode(user["client-certificate-data"]))
            both.write(b"\n" + base64.b64decode(user["client-key-data"]))
            both.flush()
            verified.load_cert_chain(both.name)
        # Straight there: an administrator's proxy does not lead to his nodes.
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=verified), urllib.request.ProxyHandler({})
        )
        self.plurals: dict[str, dict[str, tuple[str, bool]]] = {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """Status and answer; ClusterError where nobody answers."""
        request = urllib.request.Request(self.server + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/apply-patch+yaml")
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            return error.code, json.loads(text) if text.startswith("{") else {"message": text.strip()}
        except (OSError, ValueError) as error:
            raise Unreachable(f"{self.server} cannot be asked: {getattr(error, 'reason', error)}.") from error

    def place(self, version: str, kind: str, namespace: str | None) -> str:
        """Path of a kind of object; waits for one that was defined just now."""
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        deadline = time.monotonic() + self.timeout
        while kind not in self.plurals.get(version, {}):
            _, answer = self.ask("GET", root)
            self.plurals[version] = {
                each["kind"]: (each["name"], each["namespaced"])
                for each in answer.get("resources", [])
                if "/" not in each["name"]
            }
            if kind not in self.plurals[version]:
                if time.monotonic() > deadline:
                    raise ClusterError(f"the cluster does not know {kind} of {version}.")
                time.sleep(0.5)
        plural, namespaced = self.plurals[version][kind]
        inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{inside}/{plural}"


def called(thing: dict) -> str:
    namespace = thing["metadata"].get("namespace")
    return f"{thing['kind']} {namespace + '/' if namespace else ''}{thing['metadata']['name']}"


def without_own(thing: dict) -> dict:
    """An object without what the server alone sets, and without its state."""
    metadata = {key: value for key, value in thing.get("metadata", {}).items() if key not in OWN_METADATA}
    return {key: value for key, value in thing.items() if key not in ("metadata", "status")} | {"metadata": metadata}


def applied(api: Api, thing: dict, manager: str, keep: bool) -> tuple[bool, dict, dict]:
    """Apply one object; whether that changed it, and what it was and is."""
    namespace = thing["metadata"].get("namespace", "default")
    try:
        path = f"{api.place(thing['apiVersion'], thing['kind'], namespace)}/{thing['metadata']['name']}"
    except ClusterError:
        if keep:
            raise
        # Its definition would have come with this run.
        return True, {}, thing
    status, before = api.ask("GET", path)
    if status not in (200, 404):
        raise ClusterError(f"{called(thing)}: {before.get('message', status)}")
    there = status == 200
    query = {"fieldManager": manager, "force": "true"} | ({} if keep else {"dryRun": "All"})
    status, after = api.ask("PATCH", f"{path}?{urllib.parse.urlencode(query)}", thing)
    if status == 404 and not keep:
        # Its namespace would have come with this run.
        return True, {}, thing
    if status not in (200, 201):
        raise ClusterError(f"{called(thing)}: {after.get('message', status)}")
    old = without_own(before) if there else {}
    return not there or old != without_own(after), old, without_own(after)


def listed(api: Api, wanted: dict) -> list[dict]:
    path = api.place(wanted["api_version"], wanted["kind"], wanted.get("namespace"))
    selectors = {"labelSelector": wanted.get("label_selector"), "fieldSelector": wanted.get("field_selector")}
    if wanted.get("name"):
        selectors["fieldSelector"] = f"metadata.name={wanted['name']}"
    query = urllib.parse.urlencode({key: value for key, value in selectors.items() if value})
    status, answer = api.ask("GET", f"{path}?{query}")
    if status != 200:
        raise ClusterError(f"{wanted['kind']} cannot be read: {answer.get('message', status)}")
    return [{"kind": wanted["kind"], "apiVersion": wanted["api_version"], **each} for each in answer["items"]]


def difference(thing: dict, old: dict, new: dict) -> dict:
    """What --diff shows of an object."""
    hidden = {"data": "(not shown)"} if thing["kind"] == "Secret" else {}
    before, after = (yaml.safe_dump(each | hidden) if each else "" for each in (old, new))
    return {"before": before, "after": after, "before_header": called(thing), "after_header": called(thing)}


class ActionModule(ActionBase):
    """Apply and read."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        check = bool(self._task.check_mode)
        changed: list[str] = []
        diff: list[dict] = []
        things: list[dict] = []
        resources: list[dict] = []
        failure = ""
        try:
            # Plain data: what templates make carries marks of where it came from.
            things += json.loads(json.dumps([thing for thing in arguments["apply"] if thing]))
            for name in arguments["apply_files"]:
                things += [thing for thing in yaml.load_all(Path(name).read_text(), LOADER) if thing]
            api = Api(arguments["kubeconfig"], arguments["timeout"])
            with ThreadPoolExecutor(8) as pool:
                for rank in (0, 1):
                    some = [thing for thing in things if FIRST.get(thing["kind"], 1) == rank]
                    done = pool.map(lambda thing: applied(api, thing, arguments["field_manager"], not check), some)
                    for thing, (other, old, new) in zip(some, done, strict=True):
                        if other:
                            changed.append(called(thing))
                            diff.append(difference(thing, old, new))
                for found in pool.map(lambda wanted: listed(api, wanted), arguments["read"]):
                    resources += found
        except Unreachable as error:
            if check:
                # There is no cluster yet, and a check makes none.
                self._display.warning(f"{error} Whatever is applied there would be new.")
                return result | {
                    "changed": True,
                    "changed_objects": [called(thing) for thing in things],
                    "resources": [],
                }
            failure = str(error)
        except ClusterError as error:
            failure = str(error)
        except (OSError, KeyError, StopIteration, ValueError) as error:
            failure = f"{arguments['kubeconfig']} cannot be used: {type(error).__name__}: {error}"
        if failure:
            return result | {"failed": True, "msg": failure, "changed_objects": changed}
        return result | {"changed": bool(changed), "changed_objects": changed, "diff": diff, "resources": resources}
