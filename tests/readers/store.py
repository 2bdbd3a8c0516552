"""Checks a dump of a store by docs/data-model.md alone, with nothing of ours but that page.

Reads one JSON object from standard input: `key` (64 hexadecimal digits: the deployment's key), and the
items of the tables `approvals`, `audit` and `outbox` as plain JSON. Prints what is not as it was written, a
line each, and how much was checked. Exit code 1 if anything is not.
"""

import decimal
import hashlib
import hmac
import json
import sys


def canonical(value):
    # Whole numbers, booleans, texts: sorted members without spaces are RFC 8785, if member names are ASCII.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def keyed(key, context, text):
    return hmac.new(key, context.encode() + b"\0" + text.encode(), hashlib.sha256).hexdigest()


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def amount(number):
    """The shortest decimal that reads back, without exponent."""
    return None if number is None else format(decimal.Decimal(repr(number)), "f").removesuffix(".0")


def all_addresses(others, person):
    return sorted(others + [person], key=str.encode)


def content(item):
    owner = item.get("owner")
    slots = [{"groups": slot["groups"], "approvals": slot["people"]} for slot in item.get("slots", [])]
    plain = (
        "request_id operation_type instance_id parameters_digest requested_by filed_by owner requested_at "
        "risk_level environment justification estimated_duration ticket rollback_plan approvals_required "
        "policy_version expires_at execute_within_seconds"
    )
    return present(
        {name: item.get(name) for name in plain.split()}
        | {
            "format": "countersign.content.v1",
            "requester_addresses": all_addresses(item.get("requester_addresses", []), item["requested_by"]),
            "requester_groups": item["listing"].get("requester_groups", []),
            "owner_addresses": all_addresses(item.get("owner_addresses", []), owner) if owner else None,
            "estimated_cost": amount(item.get("estimated_cost")),
            "slots": slots,
            "digest_required": item["listing"]["digest_required"],
            "rules": item.get("rules", []),
        }
    )


def state(item):
    said = {comment["event_id"]: comment["text"] for comment in item.get("decision_comments", [])}

    def text_digest(text):
        return None if text is None else digest(text)

    def decision(decision):
        return present(
            decision
            | {
                "addresses": all_addresses(decision.get("addresses", []), decision["person"]),
                "groups": decision.get("groups", []),
                "comment_digest": text_digest(said.get(decision["event_id"])),
            }
        )

    def comment(comment):
        return {
            "person": comment["person"],
            "at": comment["at"],
            "text_digest": digest(comment["text"]),
            "event_id": comment["event_id"],
        }

    def idempotency(record):
        command, key_digest, body_digest, person = record.split(" ", 3)
        return {"person": person, "command": command, "key_digest": key_digest, "body_digest": body_digest}

    cancellation = execution = None
    if "cancelled_at" in item:
        reason_digest = text_digest(item.get("cancellation_reason"))
        cancellation = present(
            {"at": item["cancelled_at"], "by": item["cancelled_by"], "reason_digest": reason_digest}
        )
    if "execution_id" in item:
        finish = None
        if "executed_at" in item:
            finish = present(
                {
                    "at": item["executed_at"],
                    "outcome": {"executed": "succeeded", "failed": "failed"}[item["status"]],
                    "result_digest": text_digest(item.get("execution_result")),
                    "actual_cost": amount(item.get("actual_cost")),
                }
            )
        execution = present(
            {
                "execution_id": item["execution_id"],
                "started_by": item["execution_started_by"],
                "started_at": item["execution_started_at"],
                "policy_version": item["execution_policy_version"],
                "finish": finish,
            }
        )
    plain = "content_digest version updated_at last_event_id status approved_at execute_by expired_at"
    return present(
        {name: item.get(name) for name in plain.split()}
        | {
            "format": "countersign.state.v1",
            "decisions": [decision(element) for element in item["listing"]["decisions"]],
            "withdrawals": item.get("withdrawals", []),
            "cancellation": cancellation,
            "execution": execution,
            "comments": [comment(element) for element in item["comments"]],
            "idempotency": [idempotency(element) for element in item["idempotency"]],
        }
    )


def streams(items):
    """The events of each stream, in their order."""
    found = {}
    for item in sorted(items, key=lambda item: item["sequence"]):
        found.setdefault(item["stream"], []).append(item)
    return found


def check_stream(items):
    head = "0" * 64
    for expected, item in enumerate(items, 1):
        event = json.loads(item["event"])
        if canonical(event) != item["event"]:
            yield f"event {expected} is not canonical"
        if (item["sequence"], event["sequence"], event["event_id"]) != (expected, expected, item["event_id"]):
            yield f"event {expected} is out of place"
        named = event.pop("hash")
        if event["prev_hash"] != head or digest(canonical(event)) != named:
            yield f"event {expected} breaks the chain"
        head = named


def check_request(item, events, key):
    if digest(item["parameters"]) != item["parameters_digest"]:
        yield "parameters_digest"
    if digest(canonical(content(item))) != item["content_digest"]:
        yield "content_digest"
    state_digest = digest(canonical(state(item)))
    if state_digest != item["state_digest"]:
        yield "state_digest"
    context = f"countersign.seal.v1:{item['request_id']}:{item['version']}"
    if keyed(key, context, f"{state_digest}:{item['audit_head']}") != item["seal"]:
        yield "seal"
    if not events:
        yield "no trail"
        return
    first, last = json.loads(events[0]["event"]), json.loads(events[-1]["event"])
    if first["details"]["content_digest"] != item["content_digest"]:
        yield "another content was made"
    if (last["hash"], last["sequence"], last["event_id"], last["status"]) != (
        item["audit_head"], item["version"], item["last_event_id"], item["status"]
    ):
        yield "the trail ends elsewhere"
    if last["state_digest"] != state_digest:
        yield "another state was left"


def check_message(item, key):
    if keyed(key, f"countersign.message.v1:{item['event_id']}", item["message"]) != item["seal"]:
        yield "seal"


def main():
    store = json.load(sys.stdin)
    key = bytes.fromhex(store["key"])
    trails = streams(store["audit"])
    findings = []
    for stream, items in trails.items():
        findings += [f"{stream}: {finding}" for finding in check_stream(items)]
    for item in store["approvals"]:
        name = f"request/{item['request_id']}"
        findings += [f"{name}: {finding}" for finding in check_request(item, trails.get(name), key)]
    for item in store["outbox"]:
        findings += [f"message {item['event_id']}: {finding}" for finding in check_message(item, key)]
    for finding in findings:
        print(finding)
    counts = {name: len(store[name]) for name in ("approvals", "audit", "outbox")}
    print(json.dumps(counts))
    sys.exit(1 if findings else 0)


main()
