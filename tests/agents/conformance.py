"""Runs the conformance tests of the Model Context Protocol against `countersign serve --mcp`, and compares what they find with what
is expected.

They know no tokens, and expect tools of their own. So a proxy stands in between: it adds the token of an agent, and translates
`slow_compute` and `failing_job` into requests for approval that an approver decides in time, and `greet` into a list. Everything
else passes as it is.

usage: conformance.py COUNTERSIGN NODE PACKAGE [SCENARIO ...]
"""

import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from service import Service

# The scenarios that are about what the server has, and the checks of each that do not hold, with the reason.
NO_SUCH = "the server has no such fixture"
NO_PROMPTS = "the server has no prompts and no resources, and says so"
EXPECTED = {
    "conformance": {
        "server-initialize": {},
        "ping": {},
        "tools-list": {},
        "dns-rebinding-protection": {},
    },
    "conformance-next": {
        "server-initialize": {},
        "ping": {},
        "tools-list": {},
        "dns-rebinding-protection": {},
        "server-stateless": {
            "sep-2575-server-rejects-undeclared-capability": NO_SUCH,
            "sep-2575-missing-capability-http-400": NO_SUCH,
            "sep-2575-http-server-no-independent-requests-on-stream": NO_SUCH,
            "sep-2575-server-no-log-without-loglevel": NO_SUCH,
        },
        "caching": {
            "sep-2549-prompts-list-caching-hints": NO_PROMPTS,
            "sep-2549-resources-list-caching-hints": NO_PROMPTS,
            "sep-2549-resources-templates-list-caching-hints": NO_PROMPTS,
        },
        "http-header-validation": {},
        # A request that is damaged in the store is an error of tasks/get itself, and no task that has failed.
        "tasks-lifecycle": {"sep-2663-tasks-get-status-failed": NO_SUCH},
        "tasks-capability-negotiation": {},
        "tasks-wire-fields": {},
        "tasks-request-state-removal": {},
        "tasks-request-headers": {},
        "tasks-dispatch-and-envelope": {"tasks-result-type-complete-on-non-task-responses": NO_SUCH},
    },
}


FIXTURES = {"slow_compute": "request_approval", "failing_job": "request_approval", "greet": "list_my_requests"}


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service = None

    def log_message(self, *_):
        pass

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fixture, arguments = None, {}
        try:
            message = json.loads(body)
            if message.get("method") == "tools/call" and message["params"].get("name") in FIXTURES:
                fixture, arguments = message["params"]["name"], message["params"].get("arguments") or {}
                message["params"]["name"] = FIXTURES[fixture]
                message["params"]["arguments"] = self.arguments_of(fixture)
                body = json.dumps(message).encode()
        except (ValueError, KeyError, AttributeError):
            pass
        host, port = self.service.base.removeprefix("http://").split(":")
        own = f":{self.server.server_port}"
        headers = {}
        for name, value in self.headers.items():
            if name.lower() in ("content-length", "connection", "transfer-encoding"):
                continue
            if name.lower() in ("host", "origin") and value.endswith(own):
                value = value.removesuffix(own) + f":{port}"
            if name.lower() == "mcp-name" and value.strip() == fixture:
                value = FIXTURES[fixture]
            headers[name] = value
        headers["authorization"] = f"Bearer {self.service.agent}"
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        if fixture:
            content = self.translated(fixture, arguments, content)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except BrokenPipeError:
            pass  # Some checks go away before the answer.

    do_GET = do_POST = do_DELETE = do_OPTIONS = forward

    @staticmethod
    def arguments_of(fixture):
        if fixture == "greet":
            return {"limit": 1}
        return {
            "operation_type": "create_snapshot",
            "instance_id": "production-db-01",
            "environment": "production",
            "parameters": {"call": str(uuid.uuid4())},
            "justification": "a conformance test",
        }

    def translated(self, fixture, arguments, content):
        try:
            answer = json.loads(content)
            result = answer["result"]
        except (ValueError, KeyError):
            return content
        if fixture == "greet":
            result["content"] = [{"type": "text", "text": f"Hello, {arguments.get('name')}!"}]
            return json.dumps(answer).encode()
        request_id = result.get("taskId") or result.get("structuredContent", {}).get("request_id")
        if fixture == "slow_compute":
            self.service.decide_later(request_id, "approve", arguments.get("seconds", 1))
        else:
            self.service.decide_later(request_id, "reject", 1)
        return content


def run(node, package, scenario, url):
    """The checks that a scenario has made, by id, each with how it has ended and why."""
    command = [node, f"node_modules/{package}/dist/index.js", "server", "--url", url, "--scenario", scenario, "--verbose"]
    # It ends before a pipe has taken all that it has written.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryDirectory() as results:
        subprocess.run(command, stdout=output, stderr=output, cwd=os.environ["AGENTS_TOOLS"], timeout=60,
                       env={**os.environ, "TMPDIR": results})
        output.seek(0)
        text = output.read()
    for begin in re.finditer(r"^\[$", text, re.M):
        try:
            checks, _ = json.JSONDecoder().raw_decode(text, begin.start())
        except ValueError:
            continue
        if checks and all("status" in check for check in checks):
            return checks
    sys.exit(f"{package} {scenario}: no checks in {text[-2000:]}")


def main():
    program, node, package, *scenarios = sys.argv[1:]
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        service = Service(program, directory, "--mcp-hold-seconds", "5")
        Proxy.service = service
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        server.handle_error = lambda *_: None  # Some checks go away in the middle.
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://localhost:{server.server_port}/mcp"
        try:
            for scenario in scenarios or EXPECTED[package]:
                began = time.monotonic()
                checks = run(node, package, scenario, url)
                failed = {check["id"]: check.get("errorMessage") for check in checks if check["status"] == "FAILURE"}
                succeeded = sum(check["status"] == "SUCCESS" for check in checks)
                known = EXPECTED[package].get(scenario, {})
                unexpected = {name: why for name, why in failed.items() if name not in known}
                gone = known.keys() - failed.keys()
                print(f"{package} {scenario}: {succeeded} of {len(checks)} checks hold, {len(failed)} known not to, "
                      f"{time.monotonic() - began:.1f} s")
                for name, why in unexpected.items():
                    print(f"  UNEXPECTED {name}: {why}")
                for name in gone:
                    print(f"  HOLDS NOW {name}")
                wrong += bool(unexpected) + bool(gone) + (succeeded == 0)
        finally:
            service.end()
    sys.exit(wrong != 0)


main()
