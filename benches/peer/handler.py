"""The operations of approval as a Python function on DynamoDB: what Countersign's functions are measured against.

Takes the direct payloads of `dispatch` and works on the same three tables. README.md says what it leaves out.
"""

import base64
import fnmatch
import hashlib
import json
import logging
import os
import random
import re
import time
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError

APPROVALS = os.environ["APPROVALS_TABLE"]
AUDIT = os.environ["AUDIT_LOG_TABLE"]
OUTBOX = os.environ["OUTBOX_TABLE"]

# Once for each environment. Region, credentials, AWS_ENDPOINT_URL and AWS_CA_BUNDLE are read by boto3 itself. The
# limits of time are those of crates/aws/src/lib.rs.
dynamodb = boto3.client(
    "dynamodb",
    config=Config(
        connect_timeout=0.5,
        read_timeout=0.7,
        retries={"total_max_attempts": 2, "mode": "standard"},
    ),
)
serialize = TypeSerializer().serialize
deserialize = TypeDeserializer().deserialize

log = logging.getLogger()
log.setLevel(logging.INFO)

OUTBOX_SHARDS = 4
MAX_RETRIES = 7
PENDING_LIMIT = 50
APPROVED_LIMIT = 1000
PENDING_FOR = timedelta(hours=72)
EXECUTE_WITHIN = timedelta(hours=24)
MAX_PARAMETERS_BYTES = 64 * 1024
MAX_RESULT_BYTES = 16 * 1024
MAX_TEXT = 2000
DEFAULT_PAGE, MAX_PAGE = 50, 100

EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,511}", re.ASCII)
RISKS = ("low", "medium", "high")
ENVIRONMENTS = ("production", "non-production")
REQUIRED_APPROVALS = {"low": 0, "medium": 1, "high": 2}

# Of policy/operations.toml: risk in production, and elsewhere. What is not listed is high.
OPERATIONS = {
    "modify_instance_class": ("high", "medium"),
    "modify_storage": ("high", "medium"),
    "enable_enhanced_monitoring": ("low", "low"),
    "reboot": ("high", "medium"),
    "create_snapshot": ("medium", "low"),
    "restore_from_snapshot": ("high", "medium"),
    "delete_instance": ("high", "high"),
    "failover": ("high", "medium"),
    "modify_parameter_group": ("high", "medium"),
}
NON_PRODUCTION = ("dev-*", "development-*", "test-*", "staging-*", "stage-*", "qa-*", "uat-*", "sandbox-*")

# The `type` of the CloudEvent about an event.
TYPES = {
    "APPROVAL_REQUEST_CREATED": "countersign.approval.created.v1",
    "APPROVAL_GRANTED": "countersign.approval.granted.v1",
    "APPROVAL_REJECTED": "countersign.approval.rejected.v1",
    "APPROVAL_CANCELLED": "countersign.approval.cancelled.v1",
    "EXECUTION_STARTED": "countersign.execution.started.v1",
    "EXECUTION_SUCCEEDED": "countersign.execution.succeeded.v1",
    "EXECUTION_FAILED": "countersign.execution.failed.v1",
    "COMMENT_ADDED": "countersign.comment.added.v1",
}

OPEN = ("pending", "approved", "executing")
LISTED = (
    "request_id",
    "operation_type",
    "instance_id",
    "requested_by",
    "requested_at",
    "risk_level",
    "environment",
    "estimated_cost",
    "status",
    "approvals_required",
    "approved_by",
    "expires_at",
    "execute_by",
    "execution_started_at",
    "executed_at",
)


class Refused(Exception):
    """The operation may not go ahead."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Conflict(Exception):
    """The request, or its trail, was not as it was read."""


# --- Texts, times and digests ----------------------------------------------------------------------


def canonical(document):
    """JSON whose bytes depend on nothing but what it says."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def now():
    return datetime.now(timezone.utc)


def stamp(moment):
    """RFC 3339 in UTC with milliseconds: of a fixed width, so that it sorts."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def uuid7(moment):
    milliseconds = int(moment.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value &= ~(0xF << 76) & ~(0x3 << 62)
    return str(uuid.UUID(int=value | (0x7 << 76) | (0x2 << 62)))


def derived_id(person, key):
    """The id that a request of this person with this key always has, so that the database refuses the second of two."""
    value = int.from_bytes(hashlib.sha256(f"{person}\0{key}".encode()).digest()[:16], "big")
    value &= ~(0xF << 76) & ~(0x3 << 62)
    return str(uuid.UUID(int=value | (0x8 << 76) | (0x2 << 62)))


def to_item(values):
    return {name: serialize(value) for name, value in values.items() if value is not None}


def from_item(item):
    return {name: whole(deserialize(value)) for name, value in item.items()}


def whole(value):
    """A whole number as an int: counts are among what is digested."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def plain(value):
    """Numbers of DynamoDB as numbers of JSON."""
    value = whole(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value


# --- Validation ------------------------------------------------------------------------------------


class Fields:
    """The members of a payload. All broken rules are said at once, and so is every unknown member."""

    def __init__(self, payload):
        if not isinstance(payload, dict):
            raise Refused("malformed_json", "a payload is an object")
        self.members = dict(payload)
        self.errors = []
        self.operation = self.members.pop("operation", "create_request")
        if not isinstance(self.operation, str) or self.operation not in HANDLERS:
            raise Refused("validation_failed", f"/operation must be one of {', '.join(HANDLERS)}")
        self.key = self.take("idempotency_key", free_text, required=False)
        # It tells a retry from another call with the same key.
        self.sent = sha256(canonical(self.members)) if self.key else None

    def take(self, name, check, required=True):
        value = self.members.pop(name, None)
        if value is None:
            if required:
                self.errors.append(f"/{name} is required")
            return None
        try:
            return check(value)
        except ValueError as error:
            self.errors.append(f"/{name} {error}")
            return None

    def finish(self):
        self.errors.extend(f"/{name} is not known" for name in sorted(self.members))
        if self.errors:
            raise Refused("validation_failed", "; ".join(self.errors))


def string(value):
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def matching(pattern, what):
    def check(value):
        if not pattern.fullmatch(string(value)):
            raise ValueError(f"must be {what}")
        return value

    return check


def email(value):
    address = string(value).strip().lower()
    if len(address) > 254 or not EMAIL.fullmatch(address):
        raise ValueError("must be an e-mail address")
    return address


def one_of(names):
    def check(value):
        if string(value) not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return value

    return check


def free_text(value):
    if not 1 <= len(string(value)) <= MAX_TEXT or not value.strip():
        raise ValueError(f"must be 1 to {MAX_TEXT} characters")
    return value


def request_id(value):
    try:
        return str(uuid.UUID(string(value)))
    except ValueError:
        raise ValueError("must be a UUID") from None


def document(at_most, kind=object):
    def check(value):
        if not isinstance(value, kind):
            raise ValueError("must be an object")
        text = canonical(value)
        if len(text.encode()) > at_most:
            raise ValueError(f"must be at most {at_most} bytes")
        return text

    return check


def amount(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e12:
        raise ValueError("must be an amount")
    return Decimal(str(value))


def whole_number(value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number from 1")
    return value


def page_size(value):
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PAGE:
        raise ValueError(f"must be a whole number from 1 to {MAX_PAGE}")
    return value


def cursor(value):
    try:
        return json.loads(base64.urlsafe_b64decode(string(value)))
    except ValueError:
        raise ValueError("is not a cursor of this list") from None


identifier = matching(IDENTIFIER, "an identifier")
instance = matching(INSTANCE, "an instance")

# --- Reading and writing ---------------------------------------------------------------------------


def load(identity):
    found = dynamodb.get_item(TableName=APPROVALS, Key={"request_id": {"S": identity}}, ConsistentRead=True)
    if "Item" not in found:
        raise Refused("not_found", f"there is no request {identity}")
    return from_item(found["Item"])


def status_now(request, moment):
    """Past its deadline a request has expired, whether or not that has been written down."""
    deadline = {"pending": "expires_at", "approved": "execute_by"}.get(request["status"])
    if deadline and request.get(deadline, "~") <= stamp(moment):
        return "expired"
    return request["status"]


def with_keys(request, closed_at):
    """The attributes that the indexes are keyed by, which follow from the others."""
    status, identity = request["status"], request["request_id"]
    if status in OPEN:
        at = {"pending": "expires_at", "approved": "execute_by", "executing": "execution_started_at"}[status]
        request["status_key"] = status
        request["status_at"] = f"{request[at]}#{identity}"
        request["open_key"] = f"{request['requested_by']}#{status}"
    else:
        request["status_key"] = f"{status}#{closed_at[:7]}"
        request["status_at"] = f"{closed_at}#{identity}"
        request.pop("open_key", None)
    return request


def record(request, event_id, event_type, user, moment, details):
    """The event that left the request like this, chained to the one before; moves the head of the chain."""
    event = {
        "format": "countersign.audit.v1",
        "stream": f"request/{request['request_id']}",
        "sequence": request["version"],
        "event_id": event_id,
        "timestamp": stamp(moment),
        "event_type": event_type,
        "user": user,
        "kind": "human",
        "channel": "direct",
        **{
            name: request[name]
            for name in (
                "request_id",
                "operation_type",
                "instance_id",
                "environment",
                "risk_level",
                "requested_by",
                "status",
            )
        },
        "details": {name: value for name, value in details.items() if value is not None},
        "prev_hash": request["audit_head"],
    }
    event["hash"] = sha256(canonical(event))
    request["audit_head"] = event["hash"]
    return event


def audit_item(event):
    month = event["timestamp"][:7]
    return {
        "stream": event["stream"],
        "sequence": event["sequence"],
        "format": event["format"],
        "event_id": event["event_id"],
        "user": event["user"],
        "event_type": event["event_type"],
        "event_type_month": f"{event['event_type']}#{month}",
        "month": month,
        "at": f"{event['timestamp']}#{event['event_id']}",
        "instance_id": event["instance_id"],
        "event": canonical(event),
    }


def outbox_item(event, request, remark):
    data = {
        name: event[name]
        for name in (
            "event_id",
            "event_type",
            "timestamp",
            "user",
            "request_id",
            "sequence",
            "hash",
            "status",
            "operation_type",
            "instance_id",
            "environment",
            "risk_level",
            "requested_by",
        )
    }
    for name in (
        "approvals_required",
        "approvals_received",
        "approved_by",
        "justification",
        "estimated_cost",
        "estimated_duration",
        "expires_at",
        "execute_by",
    ):
        if name in request:
            data[name] = plain(request[name])
    if remark:
        data["remark"] = remark
    message = {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": "urn:countersign:peer",
        "type": TYPES[event["event_type"]],
        "subject": event["request_id"],
        "time": event["timestamp"],
        "datacontenttype": "application/json",
        "sequence": f"{event['sequence']:010d}",
        "data": data,
    }
    return {
        "shard": str(uuid.UUID(event["event_id"]).bytes[-1] % OUTBOX_SHARDS),
        "event_id": event["event_id"],
        "format": "countersign.outbox.v1",
        "attempts": 0,
        "message": canonical(message),
    }


def put(table, item, absent=None):
    action = {"TableName": table, "Item": to_item(item)}
    if absent:
        action["ConditionExpression"] = "attribute_not_exists(#key)"
        action["ExpressionAttributeNames"] = {"#key": absent}
    return {"Put": action}


def update(before, after, deciding):
    """Writes what differs, if the request is as it was read; a decision, if its person may still decide."""
    names, values, sets, removes = {"#version": "version"}, {":seen": serialize(before["version"])}, [], []
    for name, value in after.items():
        if before.get(name) != value:
            names[f"#{name}"], values[f":{name}"] = name, serialize(value)
            sets.append(f"#{name} = :{name}")
    for name in before.keys() - after.keys():
        names[f"#{name}"] = name
        removes.append(f"#{name}")
    condition = "#version = :seen"
    if deciding:
        names.update({"#requested_by": "requested_by", "#approved_by": "approved_by"})
        values[":person"] = serialize(deciding)
        condition += " AND #requested_by <> :person AND NOT contains(#approved_by, :person)"
    return {
        "Update": {
            "TableName": APPROVALS,
            "Key": {"request_id": {"S": before["request_id"]}},
            "UpdateExpression": " ".join(
                f"{word} {', '.join(actions)}" for word, actions in (("SET", sets), ("REMOVE", removes)) if actions
            ),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def commit(write, event, request, remark=None):
    """State, event and message in one transaction: all of them, or none."""
    try:
        dynamodb.transact_write_items(
            TransactItems=[
                write,
                put(AUDIT, audit_item(event), absent="sequence"),
                put(OUTBOX, outbox_item(event, request, remark)),
            ]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        raise Conflict from error
    log.info(
        canonical(
            {
                "message": "changed",
                "event_type": event["event_type"],
                "event_id": event["event_id"],
                "request_id": event["request_id"],
                "status": event["status"],
            }
        )
    )


def again_on_conflict(attempt):
    for tried in range(MAX_RETRIES + 1):
        try:
            return attempt()
        except Conflict:
            time.sleep(random.uniform(0, min(0.4, 0.02 * 2**tried)))
    raise Refused("store_unavailable", "others keep changing the request; try again")


def of_retry(command, person, fields):
    return f"{command} {sha256(fields.key)} {fields.sent} {person}"


def is_retry(request, command, person, fields):
    """Whether the request remembers this call; another one with the same key is refused."""
    for known in request["idempotency"] if fields.key else ():
        name, key, sent, whom = known.split(" ", 3)
        if (name, key, whom) == (command, sha256(fields.key), person):
            if sent != fields.sent:
                raise Refused("idempotency_conflict", "the key was used for another call")
            return True
    return False


def change(fields, identity, person, decide, deciding=False):
    """Loads, decides and commits; when another call was faster, once more. `decide` changes what it is given."""
    command = fields.operation

    def attempt():
        moment = now()
        before = load(identity)
        if is_retry(before, command, person, fields):
            return shown(before, moment)
        after = json_copy(before)
        event_id = uuid7(moment)
        event_type, details, remark = decide(after, moment, event_id)
        after["version"] += 1
        if fields.key:
            after["idempotency"].append(of_retry(command, person, fields))
        after["updated_at"] = stamp(moment)
        after["last_event_id"] = event_id
        with_keys(after, stamp(moment))
        event = record(after, event_id, event_type, person, moment, details)
        commit(update(before, after, person if deciding else None), event, after, remark)
        return shown(after, moment)

    return again_on_conflict(attempt)


def json_copy(value):
    """A copy of maps and lists; what stands in them does not change."""
    if isinstance(value, dict):
        return {name: json_copy(member) for name, member in value.items()}
    if isinstance(value, list):
        return [json_copy(member) for member in value]
    return value


def shown(request, moment):
    answer = {
        name: plain(value)
        for name, value in request.items()
        if name not in ("format", "idempotency", "status_key", "status_at", "open_key", "made_at", "audit_head")
    }
    answer["status"] = status_now(request, moment)
    for name in ("parameters", "execution_result"):
        if name in answer:
            answer[name] = json.loads(answer[name])
    return answer


def expect(request, moment, *statuses):
    status = status_now(request, moment)
    if status not in statuses:
        code = "not_pending" if statuses == ("pending",) else f"not_{statuses[0]}"
        raise Refused(code, f"the request is {status}")


# --- The operations --------------------------------------------------------------------------------


def create_request(fields):
    person = fields.take("requested_by", email)
    operation = fields.take("operation_type", identifier)
    target = fields.take("instance_id", instance)
    parameters = fields.take("parameters", document(MAX_PARAMETERS_BYTES, dict))
    environment = fields.take("environment", one_of(ENVIRONMENTS))
    declared_risk = fields.take("risk_level", one_of(RISKS), required=False)
    justification = fields.take("justification", free_text)
    cost = fields.take("estimated_cost", amount, required=False)
    duration = fields.take("estimated_duration", free_text, required=False)
    ticket = fields.take("ticket", free_text, required=False)
    plan = fields.take("rollback_plan", free_text, required=False)
    fields.finish()

    # What is declared raises what policy says, and never lowers it.
    if not any(fnmatch.fnmatchcase(target, pattern) for pattern in NON_PRODUCTION):
        environment = "production"
    of_policy = OPERATIONS.get(operation, ("high", "high"))[ENVIRONMENTS.index(environment)]
    risk = max(of_policy, declared_risk or "low", key=RISKS.index)
    required = REQUIRED_APPROVALS[risk]
    status = "pending" if required else "approved"
    identity = derived_id(person, fields.key) if fields.key else str(uuid.uuid4())

    def attempt():
        moment = now()
        # One query: how many this person has open, not further than the limit.
        limit = PENDING_LIMIT if status == "pending" else APPROVED_LIMIT
        count = dynamodb.query(
            TableName=APPROVALS,
            IndexName="open-index",
            Select="COUNT",
            KeyConditionExpression="open_key = :key AND status_at > :now",
            ExpressionAttributeValues={":key": {"S": f"{person}#{status}"}, ":now": {"S": f"{stamp(moment)}~"}},
            Limit=limit,
        )["Count"]
        if count >= limit:
            raise Refused(f"too_many_{status}", f"{person} has {count} {status} requests")
        requested_at = stamp(moment)
        event_id = uuid7(moment)
        content = {
            "request_id": identity,
            "operation_type": operation,
            "instance_id": target,
            "parameters": parameters,
            "parameters_digest": sha256(parameters),
            "requested_by": person,
            "requested_at": requested_at,
            "risk_level": risk,
            "environment": environment,
            "justification": justification,
            "estimated_cost": cost,
            "estimated_duration": duration,
            "ticket": ticket,
            "rollback_plan": plan,
            "approvals_required": required,
            "expires_at": stamp(moment + PENDING_FOR),
        }
        content = {name: value for name, value in content.items() if value is not None}
        content["content_digest"] = sha256(canonical(plain(content)))
        request = with_keys(
            {
                "format": "countersign.request.v1",
                **content,
                "status": status,
                "approvals_received": 0,
                "approved_by": [],
                "comments": [],
                "listing": {"digest_required": False, "decisions": []},
                "idempotency": [of_retry(fields.operation, person, fields)] if fields.key else [],
                "version": 1,
                "updated_at": requested_at,
                "last_event_id": event_id,
                "audit_head": "0" * 64,
                "made_at": f"{requested_at}#{content['request_id']}",
                **({} if required else {"execute_by": stamp(moment + EXECUTE_WITHIN)}),
            },
            requested_at,
        )
        details = {
            "content_digest": request["content_digest"],
            "parameters_digest": request["parameters_digest"],
            "justification_digest": sha256(justification),
            "approvals_required": required,
            "expires_at": request["expires_at"],
            "execute_by": request.get("execute_by"),
            "ticket": ticket,
            "filed_by": "service:direct",
        }
        event = record(request, event_id, "APPROVAL_REQUEST_CREATED", person, moment, details)
        try:
            commit(put(APPROVALS, request, absent="request_id"), event, request)
        except Conflict:
            # A retry meets what the first call made.
            if fields.key and (first := made_before(identity, person, fields, moment)):
                return first
            raise
        return shown(request, moment)

    return again_on_conflict(attempt)


def made_before(identity, person, fields, moment):
    try:
        request = load(identity)
    except Refused:
        return None
    is_retry(request, fields.operation, person, fields)
    return shown(request, moment)


def has_digest(seen):
    return bool(seen["content_digest"] or seen["parameters_digest"])


def decision(person, verdict, moment, event_id, seen):
    return {
        "person": person,
        "decision": verdict,
        "at": stamp(moment),
        "groups": ["approver"],
        "digest_presented": has_digest(seen),
        "channel": "direct",
        "event_id": event_id,
    }


def may_decide(request, person, moment):
    if person == request["requested_by"]:
        raise Refused("self_approval", "nobody decides their own request")
    expect(request, moment, "pending")
    if person in request["approved_by"]:
        raise Refused("already_decided", f"{person} has approved it")


def what_was_shown(fields):
    """What the caller names of what they were shown."""
    return {
        "content_digest": fields.take("content_digest", string, required=False),
        "parameters_digest": fields.take("parameters_digest", string, required=False),
        "version": fields.take("expected_version", whole_number, required=False),
    }


def check_what_was_shown(request, seen):
    for name, value in seen.items():
        if value is not None and value != request[name]:
            code = "version_mismatch" if name == "version" else "digest_mismatch"
            raise Refused(code, f"the `{name}` of the request is not what was shown")


def approve_request(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("approved_by", email)
    comment = fields.take("comments", free_text, required=False)
    seen = what_was_shown(fields)
    fields.finish()

    def decide(request, moment, event_id):
        may_decide(request, person, moment)
        check_what_was_shown(request, seen)
        request["listing"]["decisions"].append(decision(person, "approved", moment, event_id, seen))
        request["approved_by"].append(person)
        request["approvals_received"] = len(request["approved_by"])
        if comment:
            request["decision_comments"] = [
                *request.get("decision_comments", []),
                {"event_id": event_id, "text": comment},
            ]
        if request["approvals_received"] >= request["approvals_required"]:
            request["status"] = "approved"
            request["approved_at"] = stamp(moment)
            request["execute_by"] = stamp(moment + EXECUTE_WITHIN)
        details = {
            "groups": ["approver"],
            "digest_presented": has_digest(seen),
            "content_digest": request["content_digest"],
            "parameters_digest": request["parameters_digest"],
            "approvals_received": request["approvals_received"],
            "approvals_required": request["approvals_required"],
            "comment_digest": sha256(comment) if comment else None,
            "execute_by": request.get("execute_by"),
        }
        return "APPROVAL_GRANTED", details, comment

    return change(fields, identity, person, decide, deciding=True)


def reject_request(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("rejected_by", email)
    reason = fields.take("reason", free_text)
    seen = what_was_shown(fields)
    fields.finish()

    def decide(request, moment, event_id):
        may_decide(request, person, moment)
        check_what_was_shown(request, seen)
        request["listing"]["decisions"].append(decision(person, "rejected", moment, event_id, seen))
        request.update(status="rejected", rejected_by=person, rejected_at=stamp(moment), rejection_reason=reason)
        details = {"content_digest": request["content_digest"], "reason_digest": sha256(reason)}
        return "APPROVAL_REJECTED", details, reason

    return change(fields, identity, person, decide, deciding=True)


def cancel_request(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("cancelled_by", email)
    reason = fields.take("reason", free_text, required=False)
    fields.finish()

    def decide(request, moment, _):
        expect(request, moment, "pending", "approved")
        if person != request["requested_by"]:
            raise Refused("not_permitted", "the requester cancels")
        request.update(status="cancelled", cancelled_by=person, cancelled_at=stamp(moment))
        if reason:
            request["cancellation_reason"] = reason
        return "APPROVAL_CANCELLED", {"reason_digest": sha256(reason) if reason else None}, reason

    return change(fields, identity, person, decide)


def add_comment(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("comment_by", email)
    text = fields.take("text", free_text)
    fields.finish()

    def decide(request, moment, event_id):
        comment = {"event_id": event_id, "person": person, "at": stamp(moment), "text": text}
        request["comments"].append(comment)
        return "COMMENT_ADDED", {"text_digest": sha256(text)}, text

    return change(fields, identity, person, decide)


def start_execution(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("executed_by", email)
    seen = what_was_shown(fields)
    fields.finish()

    def decide(request, moment, _):
        expect(request, moment, "approved")
        check_what_was_shown(request, seen)
        if person != request["requested_by"]:
            raise Refused("not_permitted", "the requester starts")
        execution = str(uuid.uuid4())
        request.update(
            status="executing",
            execution_id=execution,
            execution_started_at=stamp(moment),
            execution_started_by=person,
        )
        details = {"content_digest": request["content_digest"], "execution_id": execution}
        return "EXECUTION_STARTED", details, None

    return change(fields, identity, person, decide)


def finish_execution(fields):
    identity = fields.take("request_id", request_id)
    person = fields.take("executed_by", email)
    execution = fields.take("execution_id", request_id)
    outcome = fields.take("outcome", one_of(("succeeded", "failed")))
    result = fields.take("result", document(MAX_RESULT_BYTES), required=False)
    cost = fields.take("actual_cost", amount, required=False)
    note = fields.take("note", free_text, required=False)
    fields.finish()

    def decide(request, moment, _):
        expect(request, moment, "executing")
        if execution != request["execution_id"] or person != request["execution_started_by"]:
            raise Refused("not_permitted", "whoever started finishes, by the id of the execution")
        request.update(status="executed" if outcome == "succeeded" else "failed", executed_at=stamp(moment))
        if result:
            request["execution_result"] = result
        if cost is not None:
            request["actual_cost"] = cost
        if note:
            request["execution_note"] = note
        event_type = "EXECUTION_SUCCEEDED" if outcome == "succeeded" else "EXECUTION_FAILED"
        details = {
            "execution_id": execution,
            "result_digest": sha256(result) if result else None,
            "note_digest": sha256(note) if note else None,
        }
        return event_type, details, note

    return change(fields, identity, person, decide)


def get_request(fields):
    identity = fields.take("request_id", request_id)
    fields.finish()
    return shown(load(identity), now())


def get_request_events(fields):
    identity = fields.take("request_id", request_id)
    fields.finish()
    load(identity)
    pages = dynamodb.get_paginator("query").paginate(
        TableName=AUDIT,
        ConsistentRead=True,
        KeyConditionExpression="#stream = :stream",
        ExpressionAttributeNames={"#stream": "stream"},
        ExpressionAttributeValues={":stream": {"S": f"request/{identity}"}},
    )
    return {"items": [json.loads(item["event"]["S"]) for page in pages for item in page["Items"]]}


def listed(query, fields_of_page, moment):
    """A page of an index, which ends when it is full or nothing is left."""
    limit, start = fields_of_page
    items = []
    while len(items) < limit:
        page = dynamodb.query(
            TableName=APPROVALS,
            Limit=limit - len(items),
            **query,
            **({"ExclusiveStartKey": start} if start else {}),
        )
        items.extend(from_item(item) for item in page["Items"])
        start = page.get("LastEvaluatedKey")
        if not start:
            break
    answer = {"items": [summary(item, moment) for item in items]}
    if start:
        answer["next_cursor"] = base64.urlsafe_b64encode(canonical(start).encode()).decode()
    return answer


def summary(item, moment):
    answer = {name: plain(item[name]) for name in LISTED if name in item}
    answer["status"] = status_now(item, moment)
    return answer


def page(fields):
    limit = fields.take("limit", page_size, required=False) or DEFAULT_PAGE
    return limit, fields.take("cursor", cursor, required=False)


def get_pending_approvals(fields):
    person = fields.take("user_email", email, required=False)
    of_page = page(fields)
    fields.finish()
    moment = now()
    values = {":status": {"S": "pending"}, ":now": {"S": f"{stamp(moment)}~"}}
    query = {
        "IndexName": "status-index",
        "KeyConditionExpression": "status_key = :status AND status_at > :now",
        "ExpressionAttributeValues": values,
    }
    if person:
        values[":person"] = {"S": person}
        query["FilterExpression"] = "requested_by <> :person AND NOT contains(approved_by, :person)"
    return listed(query, of_page, moment)


def history(index, attribute, value, of_page):
    query = {
        "IndexName": index,
        "KeyConditionExpression": f"{attribute} = :value",
        "ExpressionAttributeValues": {":value": {"S": value}},
        "ScanIndexForward": False,
    }
    return listed(query, of_page, now())


def get_user_requests(fields):
    person = fields.take("user_email", email)
    of_page = page(fields)
    fields.finish()
    return history("requester-index", "requested_by", person, of_page)


def get_instance_requests(fields):
    target = fields.take("instance_id", instance)
    of_page = page(fields)
    fields.finish()
    return history("instance-index", "instance_id", target, of_page)


HANDLERS = {
    operation.__name__: operation
    for operation in (
        create_request,
        approve_request,
        reject_request,
        cancel_request,
        add_comment,
        start_execution,
        finish_execution,
        get_request,
        get_request_events,
        get_pending_approvals,
        get_user_requests,
        get_instance_requests,
    )
}


def handler(event, context):
    fields = Fields(event)
    try:
        return HANDLERS[fields.operation](fields)
    except ClientError as error:
        log.exception("the store fails")
        raise Refused("store_unavailable", error.response["Error"]["Code"]) from error
