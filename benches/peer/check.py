"""Tries the peer: a life of a request, through the Lambda Runtime API, on moto.

    pip install -r requirements.txt 'moto[dynamodb,server]'
    python3 check.py
"""

import json
import os
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

HERE = Path(__file__).parent
TABLES = {
    "APPROVALS_TABLE": "rds-approvals-test",
    "AUDIT_LOG_TABLE": "audit-log-test",
    "OUTBOX_TABLE": "approvals-outbox-test",
}
# As crates/dynamodb/src/table.rs defines them; an index holds everything here.
KEYS = {
    "APPROVALS_TABLE": (
        ["request_id"],
        {
            "status-index": ["status_key", "status_at"],
            "open-index": ["open_key", "status_at"],
            "requester-index": ["requested_by", "made_at"],
            "instance-index": ["instance_id", "made_at"],
        },
    ),
    "AUDIT_LOG_TABLE": (
        ["stream", "sequence"],
        {
            "user-index": ["user", "at"],
            "event-type-index": ["event_type_month", "at"],
            "instance-events-index": ["instance_id", "at"],
            "month-index": ["month", "at"],
        },
    ),
    "OUTBOX_TABLE": (["shard", "event_id"], {}),
}


def schema(names):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))]


def create_tables(client):
    for variable, (keys, indexes) in KEYS.items():
        names = sorted({*keys, *(name for index in indexes.values() for name in index)})
        of_indexes = [
            {"IndexName": index, "KeySchema": schema(names), "Projection": {"ProjectionType": "ALL"}}
            for index, names in indexes.items()
        ]
        client.create_table(
            TableName=TABLES[variable],
            BillingMode="PAY_PER_REQUEST",
            KeySchema=schema(keys),
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "N" if name == "sequence" else "S"} for name in names
            ],
            **({"GlobalSecondaryIndexes": of_indexes} if of_indexes else {}),
        )


class Runtime:
    """The Lambda Runtime API, as far as a function needs it."""

    def __init__(self):
        payloads, self.answers = queue.Queue(), queue.Queue()
        answers = self.answers
        self.payloads = payloads

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                body = json.dumps(payloads.get()).encode()
                self.answer(
                    200,
                    body,
                    [
                        ("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000001"),
                        ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
                        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:x"),
                        # Without it awslambdaric 4.2.2 crashes.
                        ("Content-Type", "application/json"),
                    ],
                )

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.put((self.path.rsplit("/", 1)[1], json.loads(body)))
                self.answer(202, b'{"status":"OK"}')

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # The function is ended while it waits for its next call.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def call(self, payload):
        self.payloads.put(payload)
        return self.answers.get(timeout=30)

    def invoke(self, operation, **payload):
        kind, body = self.call({"operation": operation, **payload})
        assert kind == "response", body
        return body

    def refused(self, code, operation, **payload):
        kind, body = self.call({"operation": operation, **payload})
        assert kind == "error" and body["errorMessage"].startswith(f"{code}:"), body


def life(runtime, client):
    asked = {
        "operation_type": "reboot",
        "instance_id": "production-db-01",
        "parameters": {"force": False, "ä": [1, 2.5]},
        "environment": "production",
        "justification": "A stuck replica",
        "requested_by": "ann@example.com",
        "idempotency_key": "once",
        "estimated_cost": 12.5,
    }
    made = runtime.invoke("create_request", **asked)
    assert (made["status"], made["risk_level"], made["approvals_required"]) == ("pending", "high", 2), made
    assert runtime.invoke("create_request", **asked)["request_id"] == made["request_id"]
    runtime.refused("idempotency_conflict", "create_request", **{**asked, "instance_id": "production-db-02"})
    runtime.refused("validation_failed", "create_request", parameters=[], surplus=1)
    one = {"request_id": made["request_id"]}
    runtime.refused("self_approval", "approve_request", approved_by="ann@example.com", **one)
    runtime.refused("not_approved", "start_execution", executed_by="ann@example.com", **one)
    shown = {"content_digest": made["content_digest"]}
    half = runtime.invoke("approve_request", approved_by="bob@example.com", comments="Right", **shown, **one)
    assert half["status"] == "pending" and half["approvals_received"] == 1, half
    runtime.refused("already_decided", "approve_request", approved_by="bob@example.com", **one)
    runtime.refused("digest_mismatch", "approve_request", approved_by="eve@example.com", content_digest="0", **one)

    def waiting(person):
        return [item["request_id"] for item in runtime.invoke("get_pending_approvals", user_email=person)["items"]]

    assert waiting("bob@example.com") == waiting("ann@example.com") == []
    assert waiting("eve@example.com") == [made["request_id"]]
    runtime.invoke("add_comment", comment_by="ann@example.com", text="Soon", **one)
    assert runtime.invoke("approve_request", approved_by="eve@example.com", **one)["status"] == "approved"
    runtime.refused("not_pending", "reject_request", rejected_by="bob@example.com", reason="No", **one)
    started = runtime.invoke("start_execution", executed_by="ann@example.com", **one)
    finish = {"executed_by": "ann@example.com", "execution_id": started["execution_id"], "outcome": "succeeded", **one}
    done = runtime.invoke("finish_execution", result={"took": 3}, **finish)
    assert done["status"] == "executed" and done["execution_result"] == {"took": 3}, done
    assert runtime.invoke("get_request", **one) == done
    assert len(runtime.invoke("get_user_requests", user_email="ann@example.com")["items"]) == 1

    events = runtime.invoke("get_request_events", **one)["items"]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5, 6], events
    sys.path.insert(0, str(HERE))
    import handler

    before = "0" * 64
    for event in events:
        digest = event.pop("hash")
        assert event["prev_hash"] == before and handler.sha256(handler.canonical(event)) == digest, event
        before = digest
    assert client.scan(TableName=TABLES["OUTBOX_TABLE"])["Count"] == 6

    asked.pop("idempotency_key")
    for number in range(5):
        runtime.invoke("create_request", **{**asked, "instance_id": f"production-db-{number}"})
    first = runtime.invoke("get_pending_approvals", limit=3)
    rest = runtime.invoke("get_pending_approvals", limit=3, cursor=first["next_cursor"])
    assert (len(first["items"]), len(rest["items"])) == (3, 2), (first, rest)


def main():
    moto = ThreadedMotoServer("127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    os.environ.update(
        TABLES,
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_REGION="eu-central-1",
        AWS_DEFAULT_REGION="eu-central-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    client = boto3.client("dynamodb")
    create_tables(client)
    runtime = Runtime()
    function = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", "handler.handler"],
        cwd=HERE,
        env={**os.environ, "AWS_LAMBDA_RUNTIME_API": runtime.address},
    )
    try:
        life(runtime, client)
    finally:
        function.kill()
        moto.stop()
    print("the peer does what it should")


if __name__ == "__main__":
    main()
