"""Calls of Countersign that the services beside this file make: ask, wait, start, verify, claim, report.

A service that asks for itself is the requester, so its permits are for the audience `client`. It reads where the service
is, who it is and whose permits it believes from its environment: COUNTERSIGN_URL, COUNTERSIGN_TOKEN_FILE and
COUNTERSIGN_ISSUER. COUNTERSIGN_KEYS names a file with the keys, if the service is not to be asked for them.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

import permit

AUDIENCE = "client"
ANSWER_BYTES = 4 * 1024 * 1024
# Of a call that has no answer, or one of a service that is unavailable: with 1, 2, 4 and 8 seconds in between.
TRIES = 5


class Refused(Exception):
    """Countersign has said no, or the permit is none for this."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to a host that no operator has named."""

    def redirect_request(self, *arguments):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def http(method, url, body=None, token=None, limit=ANSWER_BYTES, timeout=30, **headers):
    """Status, headers and body of an answer, whatever the status. OSError if there is none."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(body).encode()
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        answer = OPENER.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"the answer of {url} is too long")
    return answer.status, answer.headers, content


def secret(name):
    """A secret by the file that NAME_FILE names. It is read each time, so that it can be renewed."""
    with open(os.environ[f"{name}_FILE"], encoding="utf-8") as file:
        text = file.read().strip()
    if not text:
        raise SystemExit(f"{name}_FILE holds nothing")
    return text


def log(message):
    print(message, file=sys.stderr, flush=True)


class Approvals:
    def __init__(self):
        self.url = os.environ["COUNTERSIGN_URL"].rstrip("/")
        self.issuer = os.environ["COUNTERSIGN_ISSUER"]
        self.keys, self.keys_at = None, 0.0
        secret("COUNTERSIGN_TOKEN")

    def call(self, method, path, body=None, key=None):
        """The JSON of an answer. A call that changes something has a key, so it may be sent again."""
        headers = {"Idempotency_Key": key} if key else {}
        for left in reversed(range(TRIES)):
            try:
                status, _, content = http(
                    method, f"{self.url}{path}", body, secret("COUNTERSIGN_TOKEN"), **headers
                )
            except OSError:
                if not left:
                    raise
            else:
                if status < 300:
                    return json.loads(content)
                if status < 500:
                    problem = json.loads(content)
                    raise Refused(problem["code"], problem["detail"])
                if not left:
                    raise OSError(f"Countersign answers {status}")
            time.sleep(2 ** (TRIES - 1 - left))

    def create(self, request, key):
        """The request, which is the one that was made with this key before if there is one."""
        request = self.call("POST", "/v1/approvals", request, key)
        log(f"request {request['request_id']}: {request['status']}")
        return request

    def decided(self, request, waiting=lambda: None):
        """The request, once it is not pending any more. `waiting` is called now and then."""
        while request["status"] == "pending":
            waiting()
            began = time.monotonic()
            known = request["version"]
            request = self.call("GET", f"/v1/approvals/{request['request_id']}?wait=20&since_version={known}")
            # A service that cannot wait answers at once.
            if request["version"] == known and time.monotonic() - began < 1:
                time.sleep(1)
        return request

    def spend(self, request, parameters):
        """Claims the permit of an approved request for exactly these parameters, and gives the permit's claims.
        Refused if it is not approved, or for other parameters, or `permit_spent`: then another run has it."""
        path = f"/v1/approvals/{request['request_id']}/execution"
        if request["status"] == "approved":
            request = self.call("POST", path, {"parameters_digest": permit.digest(parameters)}, str(uuid.uuid4()))
        elif request["status"] == "executing" and request["execution_state"] == "started":
            request = self.call("GET", path)
        elif request["status"] in ("executing", "executed", "failed"):
            raise Refused("permit_spent", "the approval was used before")
        else:
            raise Refused(request["status"], "it is not approved")
        if "permit" not in request:
            raise Refused("permit_expired", "the service gives out no permit any more")
        try:
            claims = self.verify(
                request["permit"],
                sub=request["request_id"],
                aud=AUDIENCE,
                operation_type=request["operation_type"],
                instance_id=request["instance_id"],
                parameters_digest=permit.digest(parameters),
            )
        except Refused as refused:
            # It is known what comes of the execution: nothing.
            unclaimed = {"sub": request["request_id"], "jti": request["execution_id"]}
            self.finish(unclaimed, "failed", {"error": refused.code})
            raise
        self.claim(request["permit"], claims)
        return claims

    def verify(self, text, **expected):
        """The claims of a permit for this; asks nothing but the keys, now and then."""
        try:
            return permit.verify(text, self.key_set(text), time.time(), iss=self.issuer, **expected)
        except permit.Invalid as error:
            raise Refused("permit_invalid", str(error)) from error

    def claim(self, text, claims):
        """The first claim of a permit is answered, every other is refused. Its key is new each time: a retry within
        `call` is the same claim, another run of this program is not."""
        body = {"permit": text, "parameters_digest": claims["parameters_digest"]}
        self.call("POST", f"/v1/approvals/{claims['sub']}/execution/claim", body, str(uuid.uuid4()))

    def finish(self, claims, outcome, result):
        body = {"execution_id": claims["jti"], "outcome": outcome, "result": result}
        self.call("PUT", f"/v1/approvals/{claims['sub']}/execution", body, str(uuid.uuid4()))

    def key_set(self, text):
        """The keys, at most five minutes old. A `kid` that is not among them is a reason to read them again, each ten
        seconds at most, as any caller can make one up."""
        age = time.monotonic() - self.keys_at
        known = self.keys is not None and key_id(text) in [key["kid"] for key in self.keys["keys"]]
        if self.keys is None or age > 300 or (not known and age > 10):
            file = os.environ.get("COUNTERSIGN_KEYS")
            if file:
                with open(file, encoding="utf-8") as keys:
                    self.keys = json.load(keys)
            else:
                self.keys = self.call("GET", "/.well-known/jwks.json")
            self.keys_at = time.monotonic()
        return self.keys


def key_id(text):
    """The `kid` that a text names, which nothing has verified yet."""
    try:
        header = text.split(".", 1)[0]
        return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    except (ValueError, KeyError, TypeError):
        return None
