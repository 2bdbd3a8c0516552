"""Measures what `countersign gate` adds to a call that needs no approval, and how soon a call goes on after its approval.

usage: gate_figures.py COUNTERSIGN
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

COUNTERSIGN = sys.argv[1]
SERVER = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "counting_server.py")]
CONFIGURATION = """
server = "counting"
[tools.look]
operation = "read_file"
[tools.count]
operation = "create_snapshot"
"""


class Agent:
    """A client on the stdin and stdout of a command."""

    def __init__(self, command, environment=None):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.next = 0
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})

    def begin(self, method, params):
        self.next += 1
        message = {"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        while True:
            message = json.loads(self.process.stdout.readline())
            if message.get("id") == self.next and "method" not in message:
                assert not message.get("result", {}).get("isError"), message
                return message

    def ask(self, method, params):
        self.begin(method, params)
        return self.answer()

    def times(self, many):
        found = []
        for number in range(many):
            began = time.perf_counter()
            self.ask("tools/call", {"name": "look", "arguments": {"text": str(number)}})
            found.append((time.perf_counter() - began) * 1000)
        return found[10:]


def shown(name, times):
    times = sorted(times)
    middle, late = statistics.median(times), times[int(len(times) * 0.99)]
    print(f"{name}: p50 {middle:.1f} ms, p99 {late:.1f} ms ({len(times)})")
    return middle


def main():
    with tempfile.TemporaryDirectory() as directory:
        data, counted = os.path.join(directory, "data"), os.path.join(directory, "server")
        os.mkdir(counted)
        arguments = [COUNTERSIGN, "serve", "--listen", "127.0.0.1:0", "--data-dir", data]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        service = subprocess.Popen(arguments, text=True, **pipes)
        base = service.stdout.readline().split()[-1]

        def token(name, groups):
            command = [COUNTERSIGN, "token", f"{name}@example.com", "--groups", groups, "--data-dir", data]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        approver = token("bob", "approver")

        def call(method, path, body=None):
            data = None if body is None else json.dumps(body).encode()
            headers = {"authorization": f"Bearer {approver}", "content-type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method)) as answer:
                return json.load(answer)

        path = os.path.join(directory, "gate.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        variables = {"COUNTERSIGN_URL": base, "COUNTERSIGN_TOKEN": token("bot", "agent,developer")}
        variables |= {"PATH": os.environ["PATH"], "HOME": directory}
        gate = [COUNTERSIGN, "gate", "--config", path, "--", *SERVER, counted]
        direct, gated = Agent([*SERVER, counted]), Agent(gate, variables)
        without, behind = shown("without a gate", direct.times(210)), shown("behind the gate", gated.times(210))
        print(f"the gate adds {behind - without:.1f} ms at p50")
        later = []
        for number in range(20):
            gated.begin("tools/call", {"name": "count", "arguments": {"text": str(number)}})
            pending = []
            while not pending:
                pending = call("GET", "/v1/approvals?status=pending")["items"]
            # Some time into the wait, as a person answers.
            time.sleep(0.05 * number)
            request = call("GET", f"/v1/approvals/{pending[0]['request_id']}")
            decided = []

            def decide(request=request, decided=decided):
                body = {"content_digest": request["content_digest"]}
                call("POST", f"/v1/approvals/{request['request_id']}/approve", body)
                decided.append(time.perf_counter())

            deciding = threading.Thread(target=decide)
            deciding.start()
            gated.answer()
            ended = time.perf_counter()
            deciding.join()
            later.append((ended - decided[0]) * 1000)
        shown("from the decision to the answer", later)
        for process in [direct.process, gated.process, service]:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
