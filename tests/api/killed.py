"""A service that is killed again and again while it delivers: no event is lost, and what comes twice is the same message.

Usage: killed.py COUNTERSIGN DIRECTORY.
"""

import collections
import json
import random
import signal
import sys
import time

import httpx
from receiver import PATIENCE, Receiver, Service

program, directory = sys.argv[1], sys.argv[2]
EVENTS, KILLS = 40, 8
# A delivery that a killed process has claimed is due again after this time.
CLAIMED = 30

receiver = Receiver(directory)
service = Service(program, directory, receiver)
chance = random.Random(7)
try:
    admin, requester = service.caller("root", "admin"), service.caller("ann", "developer")
    for number in range(3):
        made = admin.post("/v1/webhooks", json={"url": f"https://127.0.0.1:{receiver.port}/{number}"})
        assert made.status_code == 201, made.text
    draft = {
        "operation_type": "modify_storage",
        "instance_id": "dev-db-01",
        "parameters": {"allocated_storage": 200},
        "environment": "non-production",
        "justification": "The disk is nearly full",
    }
    created = set()
    kills = sorted(chance.sample(range(5, EVENTS), KILLS))
    for number in range(EVENTS):
        key = {"idempotency-key": f"request-{number}"}
        while True:
            try:
                answer = service.client(requester).post("/v1/approvals", json=draft, headers=key)
                break
            except httpx.TransportError:
                # The same key: what was committed before the kill is not made twice.
                service.start()
        assert answer.status_code == 201, answer.text
        created.add(answer.json()["request_id"])
        if number in kills:
            time.sleep(chance.random() / 10)
            service.process.send_signal(signal.SIGKILL)
            service.process.wait()
    if service.process.poll() is not None:
        service.start()
    assert len(created) == EVENTS
    expected = 3 * EVENTS
    until = time.monotonic() + CLAIMED + PATIENCE
    # By webhook and event.
    bodies = collections.defaultdict(list)
    while time.monotonic() < until and (len(bodies) < expected or not receiver.arrived.empty()):
        path, headers, body = receiver.arrived.get(timeout=CLAIMED + PATIENCE)
        bodies[path, headers["webhook-id"]].append(body)
    subjects = collections.Counter(json.loads(of_event[0])["subject"] for of_event in bodies.values())
    assert set(subjects) == created, created - set(subjects)
    assert set(subjects.values()) == {3}, "each event at each webhook"
    assert all(len(set(of_event)) == 1 for of_event in bodies.values()), "a repetition is the same message"
    # Again only where a kill fell between sending and marking: of what was under way then, four of each webhook at most.
    repeated = sum(len(of_event) - 1 for of_event in bodies.values())
    assert repeated <= 4 * 3 * KILLS, repeated
finally:
    service.stop()
print(f"killed {KILLS} times: {expected} messages of {EVENTS} events, none lost, {repeated} sent twice")
