"""Messages to webhooks, verified by `standardwebhooks` and read by `cloudevents` of PyPI: a service sends them to an endpoint of this program, over TLS.

Usage: webhooks.py COUNTERSIGN DIRECTORY. What has arrived is written to DIRECTORY/messages.json, for verifiers in other languages.
"""

import datetime
import json
import pathlib
import sys
import time

from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from receiver import PATIENCE, Receiver, Service
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

directory = pathlib.Path(sys.argv[2])
receiver = Receiver(directory)
arrived, port = receiver.arrived, receiver.port
service = Service(sys.argv[1], directory, receiver)
try:
    caller = service.caller

    def answer(response, status):
        assert response.status_code == status, response.text
        return response.json()

    def verifies(secret, headers, body):
        try:
            Webhook(secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, UnicodeDecodeError, ValueError):
            return False
        return True

    messages = []

    def next_message(secret):
        path, headers, body = arrived.get(timeout=PATIENCE)
        assert Webhook(secret).verify(body, headers) == json.loads(body)
        if headers["content-type"] == "application/cloudevents+json":
            event = from_structured(HTTPMessage(headers=headers, body=body), JSONFormat())
            assert (event.get_id(), event.get_specversion()) == (headers["webhook-id"], "1.0"), body
            assert event.get_type().startswith("countersign.") and event.get_source() and event.get_time(), body
        shown = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        shown = {name: headers[name] for name in shown}
        messages.append({"secret": secret, "headers": shown, "body": body.decode()})
        return path, headers, body

    admin, ann, bob = caller("root", "admin"), caller("ann", "developer"), caller("bob", "approver")
    settings = {"url": f"https://127.0.0.1:{port}/in", "headers": {"X-Gateway": "token"}}
    made = answer(admin.post("/v1/webhooks", json=settings), 201)
    webhook, first = f"/v1/webhooks/{made['webhook_id']}", made["secret"]
    tried = answer(admin.post(f"{webhook}/test"), 200)
    assert tried["status"] == 204 and "failure" not in tried, tried
    path, headers, body = next_message(first)
    assert path == "/in" and headers["x-gateway"] == "token" and headers["webhook-id"] == tried["event_id"]
    assert headers["content-type"] == "application/cloudevents+json", headers
    assert headers["user-agent"].startswith("countersign/"), headers

    # Each byte, and each header that is signed.
    for place in range(len(body)):
        forged = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert not verifies(first, headers, forged), place
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"]:
        assert not verifies(first, {**headers, name: headers[name][:-2] + "00"}, body), name
    now = int(headers["webhook-timestamp"])
    for seconds in [-301, 301]:
        moved = datetime.datetime.fromtimestamp(now + seconds, datetime.timezone.utc)
        signature = Webhook(first).sign(headers["webhook-id"], moved, body.decode())
        late = {**headers, "webhook-timestamp": str(now + seconds), "webhook-signature": signature}
        assert not verifies(first, late, body), seconds

    # An event of a request, from the commit to the endpoint.
    draft = {
        "operation_type": "modify_instance_class",
        "instance_id": "production-db-01",
        "parameters": {"target_instance_class": "db.r6g.xlarge"},
        "environment": "production",
        "justification": "CPU has been at 95 % since Monday: größer, bitte",
    }
    request = answer(ann.post("/v1/approvals", json=draft), 201)
    _, headers, body = next_message(first)
    event = json.loads(body)
    assert event["specversion"] == "1.0" and event["type"] == "countersign.approval.created.v1", event
    assert event["id"] == headers["webhook-id"] and event["subject"] == request["request_id"], event
    assert "parameters" not in event["data"] and "db.r6g.xlarge" not in body.decode(), event

    # Both secrets, then the second alone.
    second = answer(admin.post(f"{webhook}/rotate"), 200)["secret"]
    answer(admin.post(f"{webhook}/test"), 200)
    _, headers, body = next_message(second)
    assert verifies(first, headers, body)
    third = answer(admin.post(f"{webhook}/rotate", json={"overlap_seconds": 0}), 200)["secret"]
    version = answer(admin.get(webhook), 200)["version"]
    change = {"version": version, "format": "document", "content": "thin", "headers": None}
    answer(admin.patch(webhook, json=change), 200)
    answer(bob.post(f"/v1/approvals/{request['request_id']}/comments", json={"text": "who is on call?"}), 200)
    _, headers, body = next_message(third)
    assert not verifies(first, headers, body) and not verifies(second, headers, body)
    assert headers["content-type"] == "application/json" and "x-gateway" not in headers, headers
    thin = {"event_id", "event_type", "timestamp", "request_id", "sequence", "status"}
    assert set(json.loads(body)) - {"link"} == thin, body

    # A message is here before it is marked as delivered.
    deadline = time.monotonic() + PATIENCE
    statuses = []
    while statuses != ["delivered"] * 2:
        assert time.monotonic() < deadline, statuses
        log = answer(admin.get(f"{webhook}/deliveries"), 200)["deliveries"]
        statuses = [delivery["status"] for delivery in log]
    assert arrived.empty()
    (directory / "messages.json").write_text(json.dumps(messages))
    print(f"standardwebhooks of PyPI believes {len(messages)} messages, and none that was changed")
finally:
    service.stop()
