"""Verifies evidence by docs/evidence.md and a key set alone, with nothing but Python's standard library.

    python3 evidence.py FILE JWKS [--require-inclusion]

Prints what is not as it must be, a line each, and ends with code 1 if anything is not.
"""

import base64
import hashlib
import hmac
import json
import re
import sys

ZERO = "0" * 64
PENDING = "pending_inclusion"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)

# --- Ed25519 (RFC 8032 section 5.1) -----------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def add(a, b):
    """Extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return (i * j % P, k * m % P, j * k % P, i * m % P)


def multiply(number, point):
    product = NEUTRAL
    while number:
        if number & 1:
            product = add(product, point)
        point = add(point, point)
        number >>= 1
    return product


def recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def decode_point(encoded):
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def is_small(point):
    """Whether signatures of more than one holder would verify by it."""
    return encode_point(multiply(8, point)) == encode_point(NEUTRAL)


def is_signed(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    public, first, second = decode_point(key), signature[:32], int.from_bytes(signature[32:], "little")
    if public is None or second >= ORDER or is_small(public):
        return False
    nonce = decode_point(first)
    if nonce is None or is_small(nonce):
        return False
    challenge = int.from_bytes(hashlib.sha512(first + key + message).digest(), "little") % ORDER
    minus_public = (P - public[0], public[1], 1, P - public[3])
    return encode_point(add(multiply(second, BASE), multiply(challenge, minus_public))) == first


# --- Forms ------------------------------------------------------------------------------------------------------------


def canonical(value):
    # Whole numbers, booleans, texts: sorted members without spaces are RFC 8785, if member names are ASCII.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def refuse_number(text):
    raise ValueError(f"{text} is not a whole number")


def read_json(text):
    return json.loads(text, object_pairs_hook=unique, parse_float=refuse_number, parse_constant=refuse_number)


def decode(text):
    """Base64 in its one spelling; nothing for another."""
    try:
        data = base64.b64decode(text.encode())
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


def decode_url(text):
    """The same in base64url without padding."""
    try:
        data = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
    return data if encode_url(data) == text else b""


def encode_url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def has_form(value, form):
    """Whether a value has this form: a type, a list of one form, or members, of which those with `?` may be absent."""
    if isinstance(form, dict):
        names = {name.rstrip("?") for name in form}
        return (
            isinstance(value, dict)
            and set(value) <= names
            and all(
                has_form(value[name.rstrip("?")], of_member) if name.rstrip("?") in value else name.endswith("?")
                for name, of_member in form.items()
            )
        )
    if isinstance(form, list):
        return isinstance(value, list) and all(has_form(element, form[0]) for element in value)
    return type(value) is form


FORM = {
    "format": str,
    "origin": str,
    "made_at": str,
    "redacted": bool,
    "request": {"content": dict, "state": dict, "parameters?": str, "target?": str},
    "policies": [{"version": str, "files?": {"access.cedar": str, "operations.toml": str, "people.toml": str}}],
    "permit?": dict,
    "events": [{"event": str, "inclusion": str}],
    "texts": [{"event_id": str, "member": str, "text": str, "key": str}],
    "dsse": {"payload": str, "payloadType": str, "signatures": [{"keyid": str, "sig": str}]},
}


def read_document(data):
    text = data.decode("utf-8")
    document = read_json(text)
    if not isinstance(document, dict) or document.get("format") != "countersign.evidence.v1":
        raise ValueError("another format")
    if not has_form(document, FORM):
        raise ValueError("a member is missing, unknown or of another type")
    if canonical(document) != text:
        raise ValueError("not canonical")
    return document


# --- Keys -------------------------------------------------------------------------------------------------------------


def read_keys(text, purpose):
    """Keys of a purpose, by their thumbprints."""
    keys = {}
    for key in read_json(text)["keys"]:
        if (key.get("kty"), key.get("crv"), key.get("purpose")) != ("OKP", "Ed25519", purpose):
            continue
        required = canonical({"crv": "Ed25519", "kty": "OKP", "x": key["x"]})
        thumbprint = encode_url(hashlib.sha256(required.encode()).digest())
        if "d" in key or key["kid"] != thumbprint or len(decode_url(key["x"])) != 32:
            raise ValueError("not a key set")
        keys[thumbprint] = decode_url(key["x"])
    return keys


# --- The signature ----------------------------------------------------------------------------------------------------


def statement(document):
    content, state = document["request"]["content"], document["request"]["state"]
    unsigned = canonical({name: value for name, value in document.items() if name != "dsse"})
    return canonical(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": f"request/{content.get('request_id')}", "digest": {"sha256": digest(unsigned)}}],
            "predicateType": "urn:countersign:evidence:v1",
            "predicate": {
                "origin": document["origin"],
                "request_id": content.get("request_id"),
                "status": state.get("status"),
                "version": state.get("version"),
                "made_at": document["made_at"],
                "redacted": document["redacted"],
            },
        }
    )


def check_signature(document, keys):
    envelope, payload = document["dsse"], statement(document).encode()
    if decode(envelope["payload"]) != payload:
        yield "what is signed is not about this document"
    if envelope["payloadType"] != PAYLOAD_TYPE or len(envelope["signatures"]) != 1:
        yield "another envelope"
        return
    signature = envelope["signatures"][0]
    if signature["keyid"] not in keys:
        yield "the key is not among the keys for evidence"
        return
    signed = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload
    if not is_signed(keys[signature["keyid"]], signed, decode(signature["sig"])):
        yield "the key has not signed it"


# --- The log ----------------------------------------------------------------------------------------------------------


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaf, index, size, hashes):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        return None
    place, last, root = index, size - 1, leaf
    for sibling in hashes:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node(sibling, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node(root, sibling)
        place, last = place >> 1, last >> 1
    return root if last == 0 else None


def read_number(text):
    if not re.fullmatch(r"0|[1-9][0-9]*", text, re.ASCII) or int(text) >= 2**64:
        raise ValueError("not a number")
    return int(text)


def read_hash(text):
    data = decode(text)
    if len(data) != 32:
        raise ValueError("not a hash")
    return data


def read_checkpoint(note, keys):
    """Origin, size and root of a checkpoint that one of the keys has signed."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    if not signatures.endswith("\n") or any(ord(character) < 32 and character != "\n" for character in note):
        raise ValueError("not a note")
    lines = text.split("\n")
    if len(lines) != 4 or not lines[0]:
        raise ValueError("not a checkpoint")
    origin, size, root = lines[0], read_number(lines[1]), read_hash(lines[2])
    ids = {hashlib.sha256(f"{origin}\n\1".encode() + key).digest()[:4]: key for key in keys.values()}
    is_believed = False
    for line in signatures[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
        data = decode(match[2]) if match else b""
        if len(data) < 5:
            raise ValueError("not a signature")
        if match[1] == origin and data[:4] in ids:
            if not is_signed(ids[data[:4]], text.encode(), data[4:]):
                raise ValueError("a checkpoint that was not signed")
            is_believed = True
    if not is_believed:
        raise ValueError("a checkpoint by no key for the log")
    return origin, size, root


def check_inclusion(document, keys, require_inclusion):
    last = -1
    believed = {}
    for sequence, shown in enumerate(document["events"], 1):
        if shown["inclusion"] == PENDING:
            if require_inclusion:
                yield f"event {sequence} waits for the log"
            continue
        try:
            proof, separator, note = shown["inclusion"].partition("\n\n")
            first, index, *hashes = proof.split("\n")
            if first != "c2sp.org/tlog-proof@v1" or not index.startswith("index ") or not separator:
                raise ValueError("not a proof")
            index, hashes = read_number(index.removeprefix("index ")), [read_hash(line) for line in hashes]
            if note not in believed:
                believed[note] = read_checkpoint(note, keys)
            origin, size, root = believed[note]
            leaf = hashlib.sha256(b"\0" + shown["event"].encode()).digest()
            if origin != document["origin"] or root_of(leaf, index, size, hashes) != root:
                raise ValueError("another log, or not in it")
            if index <= last:
                raise ValueError("before the event that it follows")
            last = index
        except ValueError as error:
            yield f"event {sequence} is not shown to be in the log: {error}"


# --- Events and state -------------------------------------------------------------------------------------------------

OF_EVENT = "request_id operation_type instance_id environment risk_level requested_by".split()
ALWAYS = "format origin stream sequence event_id timestamp event_type user kind channel details state_digest".split()
OF_FIRST = (
    "approvals_required slots owner ticket policy_version expires_at executor execution execute_at filed_by "
    "estimated_cost"
).split()
ERASED = "PARAMETERS_ERASED"
BOUND = {"APPROVAL_REQUEST_CREATED", "APPROVAL_GRANTED", "APPROVAL_REJECTED", "EXECUTION_STARTED", ERASED}
OF_CONTENT = {"justification", "estimated_duration", "rollback_plan"}
TEXTS = {
    f"{name}_digest"
    for name in "comment estimated_duration justification note reason result rollback_plan text".split()
}
UNDECIDED, EXECUTING = {"pending", "approved"}, {"executing"}
# The statuses before and after each type. None is the status before.
STEPS = {
    "APPROVAL_GRANTED": (UNDECIDED, UNDECIDED),
    "APPROVAL_REJECTED": (UNDECIDED, {"rejected"}),
    "APPROVAL_WITHDRAWN": (UNDECIDED, UNDECIDED | {"expired"}),
    "APPROVAL_CANCELLED": (UNDECIDED, {"cancelled"}),
    "APPROVAL_EXPIRED": (UNDECIDED, {"expired"}),
    "TARGET_OBSERVED": (UNDECIDED, None),
    "EXECUTION_STARTED": ({"approved"}, EXECUTING),
    "EXECUTION_CLAIMED": (EXECUTING, EXECUTING),
    "EXECUTION_RENEWED": (EXECUTING, EXECUTING),
    "EXECUTION_UNKNOWN": (EXECUTING, EXECUTING),
    "EXECUTION_SUCCEEDED": (EXECUTING, {"executed"}),
    "EXECUTION_FAILED": (EXECUTING, {"failed"}),
    "COMMENT_ADDED": (UNDECIDED | EXECUTING | {"rejected", "cancelled", "executed", "failed"}, None),
    ERASED: ({"rejected", "expired", "cancelled", "executed", "failed"}, None),
}


def present(**members):
    return {name: value for name, value in members.items() if value is not None}


def read_events(document):
    events = []
    for shown in document["events"]:
        event = read_json(shown["event"])
        is_event = isinstance(event, dict) and event.get("format") == "countersign.audit.v1"
        if not is_event or canonical(event) != shown["event"]:
            raise ValueError("not an event")
        if not all(name in event for name in [*ALWAYS, *OF_EVENT, "status", "prev_hash", "hash"]):
            raise ValueError("not an event of a request")
        if not isinstance(event["details"], dict):
            raise ValueError("details that are none")
        events.append(event)
    if not events:
        raise ValueError("no events")
    return events


def is_erased(document):
    return "erased_at" in document["request"]["state"]


def check_events(document, events):
    content = document["request"]["content"]
    content_digest = digest(canonical(content))
    if is_erased(document):
        content_digest = document["request"]["state"].get("content_digest")
        if OF_CONTENT & set(content):
            yield "the content has texts that were erased"
    head, time = ZERO, ""
    for sequence, event in enumerate(events, 1):
        body = canonical({name: value for name, value in event.items() if name != "hash"})
        checks = {
            "was edited": event["hash"] == digest(body),
            "does not follow the one before": event["prev_hash"] == head,
            "is out of place": event["sequence"] == sequence,
            "is of another stream": event["stream"] == f"request/{content.get('request_id')}",
            "is of another deployment": event["origin"] == document["origin"],
            "has no time": RFC3339.fullmatch(event["timestamp"]) is not None,
            "goes back in time": event["timestamp"] >= time,
            "is about another request": all(event[name] == content.get(name) for name in OF_EVENT),
            "is about other content": event["event_type"] not in BOUND
            or (
                event["details"].get("content_digest") == content_digest
                and event["details"].get("parameters_digest") == content.get("parameters_digest")
            ),
            "left other content": event["event_type"] != ERASED
            or event["details"].get("remaining_content_digest") == digest(canonical(content)),
        }
        yield from (f"event {sequence} {what}" for what, is_right in checks.items() if not is_right)
        head, time = event["hash"], event["timestamp"]
    for name in OF_FIRST:
        if events[0]["details"].get(name) != content.get(name):
            yield f"the content's member {name}"


def fills(seats, approvals):
    """Whether distinct approvals fill the seats: each a set of groups, of which one must be an approval's."""
    taken = {}

    def give(seat, tried):
        for place, groups in enumerate(approvals):
            if place not in tried and seats[seat] & groups:
                tried.add(place)
                if place not in taken or give(taken[place], tried):
                    taken[place] = seat
                    return True
        return False

    return all(give(seat, set()) for seat in range(len(seats)))


class Replay:
    def __init__(self, content, event):
        status = event["status"]
        if event["event_type"] != "APPROVAL_REQUEST_CREATED" or status not in UNDECIDED:
            raise ValueError("does not make a request")
        self.content, self.status = content, status
        self.approved_at = event["timestamp"] if status == "approved" else None
        self.execute_by = event["details"].get("execute_by")
        self.expired_at = self.erased_at = self.cancellation = self.target = self.execution = None
        self.decisions, self.withdrawals, self.comments = [], [], []

    def approvals(self):
        return [decision for decision in self.decisions if decision["decision"] == "approved"]

    def broken_rules(self):
        people = [decision["person"] for decision in self.decisions]
        if len(set(people)) != len(people):
            yield "leaves one person with two decisions"
        if {self.content.get("requested_by"), self.content.get("owner")} & set(people):
            yield "leaves a decision by the requester, or by the requester's owner"
        if self.status in {"approved", "executing", "executed", "failed"}:
            seats = [set(slot["groups"]) for slot in self.content["slots"] for _ in range(slot["approvals"])]
            approvals = [set(decision["groups"]) for decision in self.approvals()]
            if len(approvals) < self.content["approvals_required"] or not fills(seats, approvals):
                yield "leaves an approved request with too few approvals"

    def forget(self, event_ids):
        self.decisions = [decision for decision in self.decisions if decision["event_id"] not in event_ids]

    def check_step(self, event):
        kind, details, execution = event["event_type"], event["details"], self.execution or {}
        if kind not in STEPS:
            raise ValueError("is of a type that is not known")
        before, after = STEPS[kind]
        is_right = self.status in before and event["status"] in (after or {self.status})
        if self.status == "executing" and kind != "COMMENT_ADDED":
            is_right &= details.get("execution_id") == execution["execution_id"]
        if kind == "TARGET_OBSERVED":
            is_right &= self.target is None
        if kind in {"COMMENT_ADDED", ERASED}:
            is_right &= self.erased_at is None
        if kind == "EXECUTION_CLAIMED":
            is_right &= "claimed_at" not in execution
        if kind == "EXECUTION_UNKNOWN":
            is_right &= "unknown_since" not in execution
            is_right &= details.get("lease_until") == execution.get("lease_until")
        if not is_right:
            raise ValueError("cannot follow the one before it")

    def next(self, event):
        self.check_step(event)
        kind, details = event["event_type"], event["details"]
        at, by, event_id = event["timestamp"], event["user"], event["event_id"]
        self.status = event["status"]
        if kind in {"APPROVAL_GRANTED", "APPROVAL_REJECTED"}:
            is_approval = kind == "APPROVAL_GRANTED"
            self.forget(details.get("replaces", []))
            self.decisions.append(
                present(
                    person=by,
                    decision="approved" if is_approval else "rejected",
                    at=at,
                    comment_digest=details.get("comment_digest" if is_approval else "reason_digest"),
                    groups=details.get("groups") if is_approval else [],
                    digest_presented=details.get("digest_presented") if is_approval else False,
                    channel=event["channel"],
                    source_ip=event.get("source_ip"),
                    policy_version=details.get("policy_version"),
                    event_id=event_id,
                )
            )
            if is_approval and "execute_by" in details:
                self.approved_at, self.execute_by = at, details["execute_by"]
        elif kind == "APPROVAL_WITHDRAWN":
            self.forget(details.get("withdraws", []))
            self.withdrawals.append({"person": by, "at": at, "event_id": event_id})
            self.expired_at = at if self.status == "expired" else None
        elif kind == "APPROVAL_CANCELLED":
            self.cancellation = present(at=at, by=by, reason_digest=details.get("reason_digest"))
        elif kind == "APPROVAL_EXPIRED":
            on_record = self.content.get("expires_at") if self.execute_by is None else self.execute_by
            self.expired_at = None if details.get("deadline") == on_record else details.get("deadline")
        elif kind == "TARGET_OBSERVED":
            self.target = present(by=by, at=at, target_digest=details.get("target_digest"))
        elif kind == "EXECUTION_STARTED":
            names = "execution_id policy_version permit_expires_at lease_seconds lease_until".split()
            self.execution = present(started_by=by, started_at=at, **{name: details.get(name) for name in names})
        elif kind == "EXECUTION_CLAIMED":
            self.execution |= {"claimed_by": by, "claimed_at": at, "lease_until": details.get("lease_until")}
        elif kind == "EXECUTION_RENEWED":
            self.execution["lease_until"] = details.get("lease_until")
            self.execution.pop("unknown_since", None)
        elif kind == "EXECUTION_UNKNOWN":
            self.execution["unknown_since"] = at
        elif kind in {"EXECUTION_SUCCEEDED", "EXECUTION_FAILED"}:
            outcome = "succeeded" if kind == "EXECUTION_SUCCEEDED" else "failed"
            names = "result_digest actual_cost note_digest".split()
            finish = present(at=at, outcome=outcome, **{name: details.get(name) for name in names})
            self.execution["finish"] = finish
        elif kind == ERASED:
            self.erased_at = at
        said = {"COMMENT_ADDED": "text_digest", "APPROVAL_WITHDRAWN": "reason_digest"}.get(kind)
        if said in details:
            comment = {"person": by, "at": at, "text_digest": details[said], "event_id": event_id}
            self.comments.append(comment)
        if kind in {"APPROVAL_GRANTED", "APPROVAL_WITHDRAWN"}:
            if self.status != "approved":
                self.approved_at = self.execute_by = None
            counts = (details.get("approvals_received"), details.get("approvals_required"))
            if counts != (len(self.approvals()), self.content.get("approvals_required")):
                raise ValueError("counts other approvals than there are")

    def state(self, events):
        first, last = events[0]["details"], events[-1]
        return present(
            format="countersign.state.v1",
            content_digest=first.get("content_digest"),
            justification_digest=first.get("justification_digest"),
            version=len(events),
            updated_at=last["timestamp"],
            last_event_id=last["event_id"],
            status=self.status,
            approved_at=self.approved_at,
            execute_by=self.execute_by,
            expired_at=self.expired_at,
            erased_at=self.erased_at,
            decisions=self.decisions,
            withdrawals=self.withdrawals,
            cancellation=self.cancellation,
            target=self.target,
            execution=self.execution,
            comments=self.comments,
        )


def check_state(document, events):
    shown = document["request"]["state"]
    if events[-1]["state_digest"] != digest(canonical(shown)):
        yield "another state was left"
    replay = None
    for event in events:
        try:
            if replay is None:
                replay = Replay(document["request"]["content"], event)
            else:
                replay.next(event)
        except ValueError as error:
            yield f"event {event['sequence']} {error}"
            return
        yield from (f"event {event['sequence']} {what}" for what in replay.broken_rules())
    # What is in no event: the idempotency keys, and all addresses of an approver.
    state = dict(shown)
    if not isinstance(state.pop("idempotency", None), list):
        yield "the state's member idempotency"
    decisions = state.get("decisions")
    if isinstance(decisions, list) and all(isinstance(decision, dict) for decision in decisions):
        if not all(decision.get("person") in decision.get("addresses", []) for decision in decisions):
            yield "the addresses of a decision"
        state["decisions"] = [
            {name: value for name, value in decision.items() if name != "addresses"} for decision in decisions
        ]
    expected = replay.state(events)
    for name in sorted(set(state) | set(expected)):
        if state.get(name) != expected.get(name):
            yield f"the state's member {name}"


# --- What else is shown -----------------------------------------------------------------------------------------------


def check_documents(document):
    request, redacted = document["request"], document["redacted"] or is_erased(document)
    target = request["state"].get("target")
    target_digest = target.get("target_digest") if isinstance(target, dict) else None
    for name, known in (("parameters", request["content"].get("parameters_digest")), ("target", target_digest)):
        expected = None if redacted else known
        if (digest(request[name]) if name in request else None) != expected:
            yield f"what is shown as {name}"
    if request["content"].get("format") != "countersign.content.v1" or not RFC3339.fullmatch(document["made_at"]):
        yield "another format of the content, or no time"


def mentions(value, text):
    if isinstance(value, dict):
        return any(mentions(member, text) for member in value.values())
    if isinstance(value, list):
        return any(mentions(element, text) for element in value)
    return value == text


def check_texts(document, events):
    content, state = document["request"]["content"], document["request"]["state"]
    details = {event["event_id"]: event["details"] for event in events}
    shown = set()
    for text in document["texts"]:
        name = (text["event_id"], text["member"])
        is_key = re.fullmatch("[0-9a-f]{32}", text["key"])
        key = bytes.fromhex(text["key"]) if is_key else b""
        expected = details.get(name[0], {}).get(name[1]) if name[1] in TEXTS else None
        if name in shown or hmac.new(key, text["text"].encode(), hashlib.sha256).hexdigest() != expected:
            yield f"the text {name[1]} of event {name[0]}"
        if document["redacted"] and name[1] == "result_digest":
            yield "a result that is to be left out"
        if is_erased(document):
            yield "a text that was erased"
        member = name[1].removesuffix("_digest")
        if member in OF_CONTENT and content.get(member) != text["text"]:
            yield f"{member} is not that of the content"
        shown.add(name)
    for event in events:
        for member, value in event["details"].items():
            is_left_out = document["redacted"] and member == "result_digest"
            is_kept = not is_erased(document) and (event["sequence"] == 1 or mentions(state, value))
            if member in TEXTS and is_kept and not is_left_out and (event["event_id"], member) not in shown:
                yield f"the text {member} of event {event['event_id']} is missing"


def check_policies(document, events):
    named = [event["details"]["policy_version"] for event in events if "policy_version" in event["details"]]
    if [policy["version"] for policy in document["policies"]] != list(dict.fromkeys(named)):
        yield "the policies are not those that the events name"
    for policy in document["policies"]:
        files = policy.get("files")
        if files and digest("".join(f"{digest(files[name])}  {name}\n" for name in sorted(files))) != policy["version"]:
            yield f"the files of policy {policy['version']}"


def seconds(timestamp):
    """Whole seconds since 1970 of a timestamp."""
    year, month, day, hour, minute, second = (int(part) for part in re.split("[-T:.]", timestamp)[:6])
    # Days of the civil calendar, counted in years that begin in March.
    year -= month <= 2
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719468
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def check_permit(document, events):
    claims = document.get("permit")
    starts = [event for event in events if event["event_type"] == "EXECUTION_STARTED"]
    if claims is None:
        return
    if not starts:
        yield "a permit, and no execution"
        return
    start, content, state = starts[0], document["request"]["content"], document["request"]["state"]
    details = start["details"]
    approvals = [decision for decision in state.get("decisions", []) if decision.get("decision") == "approved"]
    expected = {
        "iss": document["origin"],
        "aud": details.get("audience"),
        "sub": content.get("request_id"),
        "jti": details.get("execution_id"),
        "iat": seconds(start["timestamp"]),
        "exp": seconds(details["permit_expires_at"]),
        "target_digest": (state.get("target") or {}).get("target_digest"),
        "started_by": start["user"],
        "audit_head": start["hash"],
        "approved_by": [decision.get("person") for decision in approvals] if "approved_by" in claims else None,
    }
    expected |= {name: content.get(name) for name in OF_EVENT if name != "request_id"}
    expected |= {name: details.get(name) for name in ("content_digest", "parameters_digest", "policy_version")}
    for name in sorted(set(claims) | set(expected)):
        if claims.get(name) != expected.get(name):
            yield f"the permit's claim {name}"


def verify(data, jwks, require_inclusion=False):
    """Yields what is not as it must be."""
    try:
        document = read_document(data)
    except (ValueError, RecursionError) as error:
        yield f"not evidence: {error}"
        return
    yield from check_signature(document, read_keys(jwks, "evidence"))
    try:
        events = read_events(document)
        yield from check_events(document, events)
        yield from check_documents(document)
        yield from check_state(document, events)
        yield from check_texts(document, events)
        yield from check_policies(document, events)
        yield from check_permit(document, events)
        yield from check_inclusion(document, read_keys(jwks, "log"), require_inclusion)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"another form: {error}"


def main(file, jwks, *options):
    with open(file, "rb") as opened:
        data = opened.read()
    with open(jwks, encoding="utf-8") as opened:
        findings = list(verify(data, opened.read(), "--require-inclusion" in options))
    for finding in findings:
        print(finding)
    pending = data.count(f'"{PENDING}"'.encode())
    if not findings:
        print(f"good; {pending} events wait for the log" if pending else "good; the log has every event")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
