"""Checks a dump of a store by docs/data-model.md and docs/audit-event.md alone, with nothing of ours but them.

Reads one JSON object from standard input: `key` (64 hexadecimal digits: the deployment's key), and the
items of the tables `approvals`, `audit`, `outbox` and `deliveries` as plain JSON. Prints what is not as it was written, a
line each, and how much was checked. Exit code 1 if anything is not.
"""

import base64
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


def text_digest(key, text):
    """The digest of a text; once it was erased, it stands in the place of the text."""
    return text if key == "erased" else hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()


def origin_of(key):
    fingerprint = keyed(key, "countersign.origin.v1", "")[:32]
    return f"urn:countersign:deployment:{fingerprint}"


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def amount(number):
    """The shortest decimal that reads back, without exponent."""
    return None if number is None else format(decimal.Decimal(repr(number)), "f").removesuffix(".0")


def all_addresses(others, person):
    return sorted(others + [person], key=str.encode)


def schedule(item):
    window = {"from": item.get("window_from"), "to": item.get("window_to")}
    return {
        "execution": "automatic" if item.get("mode") == "automatic" else None,
        "execute_at": item.get("execute_at"),
        "window": window if "window_from" in item else None,
    }


def content(item):
    owner = item.get("owner")
    slots = [{"groups": slot["groups"], "approvals": slot["people"]} for slot in item.get("slots", [])]
    plain = (
        "request_id operation_type instance_id parameters_digest requested_by filed_by owner requested_at "
        "risk_level environment justification estimated_duration ticket rollback_plan priority "
        "approvals_required "
        "policy_version expires_at execute_within_seconds executor"
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
            **schedule(item.get("schedule", {})),
        }
    )


def state(item):
    said = {comment["event_id"]: comment for comment in item.get("decision_comments", [])}

    def comment_digest(comment):
        return None if comment is None else text_digest(comment["text_key"], comment["text"])

    def keyed_digest(name):
        return text_digest(item[f"{name}_key"], item[name]) if name in item else None

    def decision(decision):
        return present(
            decision
            | {
                "addresses": all_addresses(decision.get("addresses", []), decision["person"]),
                "groups": decision.get("groups", []),
                "comment_digest": comment_digest(said.get(decision["event_id"])),
            }
        )

    def comment(comment):
        return {
            "person": comment["person"],
            "at": comment["at"],
            "text_digest": comment_digest(comment),
            "event_id": comment["event_id"],
        }

    def idempotency(record):
        command, key_digest, body_digest, person = record.split(" ", 3)
        key_digest, body_digest = (base64.urlsafe_b64decode(text + "=").hex() for text in (key_digest, body_digest))
        return {"person": person, "command": command, "key_digest": key_digest, "body_digest": body_digest}

    cancellation = execution = None
    if "cancelled_at" in item:
        reason_digest = keyed_digest("cancellation_reason")
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
                    "result_digest": keyed_digest("execution_result"),
                    "actual_cost": amount(item.get("actual_cost")),
                    "note_digest": keyed_digest("execution_note"),
                }
            )
        execution = present(
            {
                "execution_id": item["execution_id"],
                "started_by": item["execution_started_by"],
                "started_at": item["execution_started_at"],
                "policy_version": item["execution_policy_version"],
                "permit_expires_at": item["execution_lease"]["permit_expires_at"],
                "lease_seconds": item["execution_lease"]["seconds"],
                "lease_until": item["execution_lease"]["until"],
                "unknown_since": item["execution_lease"].get("unknown_since"),
                "claimed_by": item.get("execution_claimed_by"),
                "claimed_at": item.get("execution_claimed_at"),
                "finish": finish,
            }
        )
    target = item.get("target")
    if target is not None:
        target = {"by": target["by"], "at": target["at"], "target_digest": target.get("digest") or digest(target["document"])}
    plain = "content_digest version updated_at last_event_id status approved_at execute_by expired_at"
    return present(
        {name: item.get(name) for name in plain.split()}
        | {
            "format": "countersign.state.v1",
            "erased_at": item["listing"].get("erased_at"),
            "justification_digest": text_digest(item["text_key"], item["justification"]),
            "decisions": [decision(element) for element in item["listing"]["decisions"]],
            "withdrawals": item.get("withdrawals", []),
            "cancellation": cancellation,
            "target": target,
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


ABOUT_A_REQUEST = {
    "request_id", "operation_type", "instance_id", "environment", "risk_level", "requested_by", "status"
}


def check_event(event, item, origin):
    if not event["format"] == item["format"] == "countersign.audit.v1":
        yield "format"
    if event["origin"] != origin:
        yield "origin"
    kind, _, name = event["stream"].partition("/")
    members = ABOUT_A_REQUEST & event.keys()
    if members != (ABOUT_A_REQUEST if kind == "request" else set()):
        yield "members about a request"
    elif members and event["request_id"] != name:
        yield "another request"


def copies(event):
    """What an item repeats of its event."""
    names = ("stream", "sequence", "format", "event_id", "user", "event_type")
    month = event["timestamp"][:7]
    return {name: event[name] for name in names} | present(
        {
            "instance_id": event.get("instance_id"),
            "event_type_month": f"{event['event_type']}#{month}",
            "month": month,
            "at": f"{event['timestamp']}#{event['event_id']}",
        }
    )


def check_stream(items, origin):
    head, time = "0" * 64, ""
    for expected, item in enumerate(items, 1):
        event = json.loads(item["event"])
        yield from (f"event {expected}: {finding}" for finding in check_event(event, item, origin))
        if event["stream"] != item["stream"] or event["timestamp"] < time:
            yield f"event {expected} is of another stream or time"
        time = event["timestamp"]
        if canonical(event) != item["event"]:
            yield f"event {expected} is not canonical"
        if (item["sequence"], event["sequence"], event["event_id"]) != (expected, expected, item["event_id"]):
            yield f"event {expected} is out of place"
        if copies(event) != {name: value for name, value in item.items() if name != "event"}:
            yield f"event {expected} stands under keys of another"
        named = event.pop("hash")
        if event["prev_hash"] != head or digest(canonical(event)) != named:
            yield f"event {expected} breaks the chain"
        head = named


def is_erased(item):
    return "erased_at" in item["listing"]


def check_erased(item, events):
    """Of what was erased nothing is left but digests, and the last event binds what is left of the content."""
    keys = [item["text_key"], *(item.get(f"{name}_key", "erased") for name in ("cancellation_reason", "execution_note", "execution_result"))]
    keys += [comment["text_key"] for comment in [*item["comments"], *item.get("decision_comments", [])]]
    gone = {"parameters", "estimated_duration", "rollback_plan", "rejection_reason"}
    if set(keys) != {"erased"} or gone & set(item) or "document" in item.get("target", {}):
        yield "a text is left"
    left = {name: value for name, value in content(item).items() if name != "justification"}
    last = events[-1]
    if last["event_type"] != "PARAMETERS_ERASED" or last["timestamp"] != item["listing"]["erased_at"]:
        yield "erased without an event"
    elif last["details"]["remaining_content_digest"] != digest(canonical(left)):
        yield "another content is left"


def texts(item):
    """What people wrote on a request and is still there: event, member of its details, text and key."""
    first = item["first_event_id"]
    for name in ("justification", "estimated_duration", "rollback_plan"):
        if name in item:
            yield first, f"{name}_digest", item[name], item["text_key"]
    verdicts = {decision["event_id"]: decision["decision"] for decision in item["listing"]["decisions"]}
    for comment in item.get("decision_comments", []):
        member = "reason_digest" if verdicts[comment["event_id"]] == "rejected" else "comment_digest"
        yield comment["event_id"], member, comment["text"], comment["text_key"]
    withdrawals = {withdrawal["event_id"] for withdrawal in item.get("withdrawals", [])}
    for comment in item["comments"]:
        member = "reason_digest" if comment["event_id"] in withdrawals else "text_digest"
        yield comment["event_id"], member, comment["text"], comment["text_key"]
    for name, member, event in (
        ("cancellation_reason", "reason_digest", item["cancelled_event_id"]),
        ("execution_result", "result_digest", item["finished_event_id"]),
        ("execution_note", "note_digest", item["finished_event_id"]),
    ):
        if name in item:
            yield event, member, item[name], item[f"{name}_key"]


def check_texts(item, events):
    by_type = {event["event_type"]: event["event_id"] for event in events}
    finished = by_type.get("EXECUTION_SUCCEEDED", by_type.get("EXECUTION_FAILED"))
    item = item | {
        "first_event_id": events[0]["event_id"],
        "cancelled_event_id": by_type.get("APPROVAL_CANCELLED"),
        "finished_event_id": finished,
    }
    details = {event["event_id"]: event["details"] for event in events}
    for event_id, member, text, key in texts(item):
        if details.get(event_id, {}).get(member) != text_digest(key, text):
            yield f"{member} of event {event_id}"


def check_request(item, events, key):
    if item["format"] != "countersign.request.v1":
        yield "format"
    if not is_erased(item):
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
    read = [json.loads(event["event"]) for event in events]
    if is_erased(item):
        yield from check_erased(item, read)
    yield from check_texts(item, read)


def check_message(item, key):
    marks = {name: item[name] for name in ("published", "logged") if name in item}
    if marks not in ({}, {"published": True}, {"logged": True}):
        yield "settled in another way"
    if item["format"] != "countersign.outbox.v1":
        yield "format"
    if keyed(key, f"countersign.message.v1:{item['event_id']}", item["message"]) != item["seal"]:
        yield "seal"
    event = json.loads(item["message"])
    if (event.get("id"), event.get("source")) != (item["event_id"], origin_of(key)):
        yield "the CloudEvent is another's"


def check_timer(item, key):
    """A time and a request, and nothing that could be believed."""
    time, _, request_id = item["event_id"].partition("#")
    if item != {"format": "countersign.timer.v1", "shard": "timer", "event_id": f"{time}#{request_id}"}:
        yield "another attribute"
    if len(time) != len("2026-01-31T09:30:00.000Z") or len(request_id) != 36:
        yield "another key"


def check_recorded(item, key):
    """The name of an event, and nothing that could be believed."""
    names = {"format", "shard", "event_id", "stream", "sequence"}
    if set(item) != names or item["format"] != "countersign.recorded.v1":
        yield "another attribute"


def check_counted(item, key):
    """Refused attempts of one person on one day: the total is that of all codes."""
    if item["format"] != "countersign.counted.v1":
        yield "format"
    by_code = [count for name, count in item.items() if name.startswith("of_")]
    if sum(by_code) != item["total"]:
        yield "another total"


def check_head(item, key):
    """How far the log is: the last of its events are those of the batch."""
    names = {"format", "shard", "event_id", "version", "size", "batch", "scan"}
    if not set(item) <= names or item["format"] != "countersign.log.v1" or item["event_id"] != "head":
        yield "another attribute"
    if len(item["batch"]) > 99 or len(item["batch"]) > item["size"]:
        yield "another batch"


def check_figures(item, key):
    """A cursor, or a document that is JSON: what it counts follows from the log."""
    names = {"format", "shard", "event_id"}
    if item["event_id"] == "cursor":
        if set(item) != names | {"version", "size", "generation"} or item["format"] != "countersign.figures.cursor.v1":
            yield "another attribute"
        return
    if set(item) != names | {"document"} or item["format"] != "countersign.figures.v1":
        yield "another attribute"
    if not isinstance(json.loads(item["document"]), dict):
        yield "another document"


def check_mark(item, key):
    """A time, and nothing else."""
    if set(item) != {"format", "shard", "event_id", "until"} or item["format"] != "countersign.erasure.v1":
        yield "another attribute"


def check_anomalies(item, key):
    """A cursor, or a document that is JSON: what it holds follows from the log."""
    names = {"format", "shard", "event_id"}
    if item["event_id"] == "cursor":
        if set(item) != names | {"version", "size"} or item["format"] != "countersign.anomalies.cursor.v1":
            yield "another attribute"
        return
    if set(item) != names | {"document"} or item["format"] != "countersign.anomalies.item.v1":
        yield "another attribute"
    if json.loads(item["document"])["format"] != "countersign.anomalies.v1":
        yield "another document"


CHECKS = {
    "anomalies": check_anomalies,
    "erasure": check_mark,
    "timer": check_timer,
    "recorded": check_recorded,
    "counted": check_counted,
    "log": check_head,
    "figures": check_figures,
    "figure-requests": check_figures,
}


def check_leaves(leaves, trails, head):
    """Each place in the log is that of one event, and there is none that is not."""
    places = {}
    for item in leaves:
        stream = item["stream"].removeprefix("leaf/")
        if set(item) != {"format", "stream", "sequence", "leaf", "hash"} or item["format"] != "countersign.leaf.v1":
            yield f"{stream}: another attribute"
        places[item["leaf"]] = f"{stream}#{item['sequence']}"
        events = [json.loads(event["event"]) for event in trails.get(stream, [])]
        if not any((event["sequence"], event["hash"]) == (item["sequence"], item["hash"]) for event in events):
            yield f"{stream}: a leaf of another event"
    size = head["size"] if head else 0
    if sorted(places) != list(range(size)) or len(leaves) != size:
        yield "the leaves are not those of the log"
    batch = head["batch"] if head else []
    if [places.get(size - len(batch) + place) for place in range(len(batch))] != batch:
        yield "the batch is not the end of the log"


def check_hold(item):
    """Who looks at a request. In no digest, chain or seal."""
    attributes = {"request_id", "format", "revision", "status_key", "status_at", "listing"}
    if set(item) != attributes or item["format"] != "countersign.hold.v1" or item["status_key"] != "holds":
        yield "another attribute"
    if set(item["listing"]) != {"by", "since"}:
        yield "another member of listing"
    if item["status_at"].split("#")[1:] != item["request_id"].split("#")[1:]:
        yield "the time at which it ends is that of another"


def check_webhook(item, key):
    attributes = {"destination", "event_id", "format", "revision", "document", "seal"}
    if set(item) != attributes or item["format"] != "countersign.webhook.v1":
        yield "another attribute"
    webhook = json.loads(item["document"])["webhook"]
    if webhook["id"] != item["event_id"]:
        yield "another webhook"
    if keyed(key, f"countersign.webhook-seal.v1:{webhook['id']}", canonical(webhook)) != item["seal"]:
        yield "seal"


def check_delivery(item, key):
    if item["format"] != "countersign.delivery.v1":
        yield "format"
    if keyed(key, f"countersign.message.v1:{item['event_id']}", item["message"]) != item["seal"]:
        yield "seal"


def check_deliveries(items, key):
    for item in items:
        partition = item["destination"]
        if partition == "#webhooks" and item["event_id"] != "#count":
            check = check_webhook
        elif partition.startswith("#"):
            continue
        else:
            check = check_delivery
        yield from (f"{partition} {item['event_id']}: {finding}" for finding in check(item, key))


def main():
    store = json.load(sys.stdin)
    key = bytes.fromhex(store["key"])
    leaves = [item for item in store["audit"] if item["stream"].startswith("leaf/")]
    trails = streams([item for item in store["audit"] if not item["stream"].startswith("leaf/")])
    findings = []
    for stream, items in trails.items():
        findings += [f"{stream}: {finding}" for finding in check_stream(items, origin_of(key))]
    for item in store["approvals"]:
        if item["request_id"].startswith("hold#"):
            findings += [f"{item['request_id']}: {finding}" for finding in check_hold(item)]
            continue
        name = f"request/{item['request_id']}"
        findings += [f"{name}: {finding}" for finding in check_request(item, trails.get(name), key)]
    for item in store["outbox"]:
        check = CHECKS.get(item["shard"], check_message)
        findings += [f"message {item['event_id']}: {finding}" for finding in check(item, key)]
    head = next((item for item in store["outbox"] if item["shard"] == "log"), None)
    findings += check_leaves(leaves, trails, head)
    findings += check_deliveries(store["deliveries"], key)
    for finding in findings:
        print(finding)
    counts = {name: len(store[name]) for name in ("approvals", "audit", "outbox", "deliveries")}
    print(json.dumps(counts))
    sys.exit(1 if findings else 0)


main()
