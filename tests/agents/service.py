"""A service with an agent and an approver, for the clients of others: `Service` starts it, and `decide` decides when a request is
there. As a program it writes its address and tokens as JSON, and approves or rejects what is asked for until its stdin ends:
parameters {"verdict": "approve" | "reject" | "none"} say which.

usage: service.py COUNTERSIGN
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request


class Service:
    def __init__(self, program, directory, *options):
        self.program, self.data = program, os.path.join(directory, "data")
        command = [program, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data, "--log", "error", "--mcp", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = self.process.stdout.readline().split()[-1]
        self.agent, self.approver = self.token("bot", "agent,developer"), self.token("bob", "approver")

    def token(self, name, groups):
        command = [self.program, "token", f"{name}@example.com", "--groups", groups, "--data-dir", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def call(self, method, path, body=None):
        headers = {"authorization": f"Bearer {self.approver}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        return json.load(urllib.request.urlopen(request))

    def decide(self, request_id, verdict):
        body = {"reason": "as the test wants it"} if verdict == "reject" else {}
        try:
            self.call("POST", f"/v1/approvals/{request_id}/{verdict}", body)
        except urllib.error.HTTPError:
            pass  # It was decided or cancelled meanwhile.

    def decide_later(self, request_id, verdict, seconds):
        threading.Timer(seconds, self.decide, [request_id, verdict]).start()

    def decide_what_comes(self, stopped):
        while not stopped.wait(0.3):
            for summary in self.call("GET", "/v1/approvals?status=pending")["items"]:
                request = self.call("GET", f"/v1/approvals/{summary['request_id']}")
                verdict = request["parameters"].get("verdict", "approve")
                age = time.time() - time.mktime(time.strptime(request["requested_at"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone
                if verdict != "none" and age > request["parameters"].get("after", 0):
                    self.decide(request["request_id"], verdict)

    def end(self):
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        service = Service(sys.argv[1], directory, "--mcp-hold-seconds", "20")
        stopped = threading.Event()
        decider = threading.Thread(target=service.decide_what_comes, args=[stopped])
        decider.start()
        print(json.dumps({"url": service.base, "token": service.agent}), flush=True)
        sys.stdin.read()
        stopped.set()
        decider.join()
        service.end()
