#!/usr/bin/env python3
"""An executor in Python: numbers in a JSON file, for `countersign executor --operations set_limit -- limits.py FILE`.

Each run answers one message: a JSON document on stdin, one on stdout. The messages are in docs/executors.md.
"""

import datetime
import json
import os
import sys

# For how long after the claim a call may still be under way that shows no effect.
GRACE_SECONDS = 60


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def store(path, limits):
    """The file is the old one or the new one, whenever this program is killed."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(limits, file)
    os.replace(path + ".new", path)


def wanted(message):
    return message["parameters"]["limit"]


def validate(message, path):
    parameters = message["parameters"]
    faults = [
        {"pointer": f"/parameters/{name}", "message": "is not a parameter of this operation"}
        for name in parameters
        if name != "limit"
    ]
    limit = parameters.get("limit")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= 1000:
        faults.append({"pointer": "/parameters/limit", "message": "must be a whole number from 0 to 1000"})
    return {"faults": faults}


def plan(message, path):
    call = {"action": "limits:Set", "parameters": {"name": message["instance_id"], "limit": wanted(message)}}
    return {"plan": {"calls": [call]}}


def observe(message, path):
    limits = load(path)
    name = message["instance_id"]
    return {"target": {"limit": limits[name]}} if name in limits else {"missing": name}


def apply(message, path):
    (call,) = message["plan"]["calls"]
    limits = load(path)
    limits[call["parameters"]["name"]] = call["parameters"]["limit"]
    store(path, limits)
    return {"applied": "accepted"}


def settle(message, path):
    limit = load(path).get(message["instance_id"])
    if limit == wanted(message):
        return {"settled": "succeeded", "result": {"limit": limit}}
    now, claimed_at = (datetime.datetime.fromisoformat(message[name]) for name in ("now", "claimed_at"))
    if (now - claimed_at).total_seconds() < GRACE_SECONDS:
        return {"settled": "running"}
    return {"settled": "failed", "code": "not_applied", "detail": "the limit is not the new one"}


FUNCTIONS = {"validate": validate, "plan": plan, "observe": observe, "apply": apply, "settle": settle}


def main():
    message = json.load(sys.stdin)
    if message["format"] != "countersign.executor.v1":
        sys.exit("this program speaks countersign.executor.v1")
    answer = FUNCTIONS[message["function"]](message, sys.argv[1])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
