"""Recounts the population of an audit by docs/population.md alone, with nothing but Python's standard library.

    python3 population.py EVENTS.jsonl FILE.csv JWKS

EVENTS.jsonl is all of the audit log, one event a line, as `countersign audit export --format jsonl` writes it; the manifest is
FILE.csv.manifest.json. Prints the first thing that is not as the log gives it, and ends with code 1 if there is one.
"""

import csv
import hashlib
import io
import sys

from evidence import (
    PAYLOAD_TYPE,
    canonical,
    decode,
    digest,
    is_signed,
    node,
    read_checkpoint,
    read_json,
    read_keys,
)

COLUMNS = (
    "request_id created_at requested_by operation_type instance_id environment risk_level status approvals_required "
    "approved_by rejected_by decided_at started_by ended_at outcome content_digest policy_version first_entry events"
).split()
MEMBERS = {"format", "origin", "from", "to", "rows", "sha256", "tree_size", "checkpoint"}
ACTIVE = tuple("=+-@\t\r\n'")


def demand(is_so, said):
    if not is_so:
        raise ValueError(said)


# --- The log ----------------------------------------------------------------------------------------------------------


def root_of(hashes):
    """RFC 6962 section 2.1."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:left]), root_of(hashes[left:]))


def read_events(lines, origin, size, root):
    """The first events of the log, if they are those of its checkpoint."""
    lines = lines[:size]
    demand(len(lines) == size, f"there are {len(lines)} events, and the manifest is of {size}")
    leaves = [hashlib.sha256(b"\0" + line.encode()).digest() for line in lines]
    demand(root_of(leaves) == root, "the events do not lead to the root of the checkpoint")
    events = [read_json(line) for line in lines]
    demand(all(event["origin"] == origin for event in events), "an event is of another deployment")
    return events


# --- The rows ---------------------------------------------------------------------------------------------------------


class Row:
    """A request, as its events have made it."""

    def __init__(self, index, event):
        details = event["details"]
        self.event = event
        self.created_at = event["timestamp"]
        self.approvals_required = details.get("approvals_required", "")
        self.content_digest = details.get("content_digest", "")
        self.policy_version = details.get("policy_version", "")
        self.decided_at = event["timestamp"] if event["status"] == "approved" else ""
        self.approvals = {}
        self.rejected_by = self.started_by = self.ended_at = self.outcome = ""
        self.status, self.first_entry, self.events = event["status"], index, 1

    def follow(self, event):
        details, name = event["details"], event["event_type"]
        self.events += 1
        self.status = event["status"]
        for forgotten in {
            "APPROVAL_GRANTED": details.get("replaces", []),
            "APPROVAL_REJECTED": details.get("replaces", []),
            "APPROVAL_WITHDRAWN": details.get("withdraws", []),
        }.get(name, []):
            self.approvals.pop(forgotten, None)
        if name == "APPROVAL_GRANTED":
            self.approvals[event["event_id"]] = event["user"]
            if "execute_by" in details:
                self.decided_at = event["timestamp"]
        if name in ("APPROVAL_GRANTED", "APPROVAL_WITHDRAWN") and self.status != "approved":
            self.decided_at = ""
        if name == "APPROVAL_REJECTED":
            self.rejected_by, self.decided_at = event["user"], event["timestamp"]
        if name == "EXECUTION_STARTED":
            self.started_by = event["user"]
        if name in ("EXECUTION_RENEWED", "EXECUTION_UNKNOWN"):
            self.outcome = "unknown" if name == "EXECUTION_UNKNOWN" else ""
        if name in ("EXECUTION_SUCCEEDED", "EXECUTION_FAILED"):
            self.outcome, self.ended_at = name.removeprefix("EXECUTION_").lower(), event["timestamp"]

    def cell(self, column):
        if column == "approved_by":
            return " ".join(self.approvals.values())
        return str(getattr(self, column) if hasattr(self, column) else self.event[column])


def rows_of(events, start, end):
    rows = {}
    for index, event in enumerate(events):
        if not event["stream"].startswith("request/"):
            continue
        if event["sequence"] == 1 and start <= event["timestamp"] < end:
            rows[event["request_id"]] = Row(index, event)
        elif event["request_id"] in rows:
            rows[event["request_id"]].follow(event)
    return dict(sorted(rows.items(), key=lambda item: (item[1].created_at, item[0])))


def harmless(cell):
    return f"'{cell}" if cell.startswith(ACTIVE) else cell


def table_of(rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows.values():
        writer.writerow([harmless(row.cell(column)) for column in COLUMNS])
    return text.getvalue().encode()


# --- The manifest -----------------------------------------------------------------------------------------------------


def sample_of(rows, seed, size):
    def rank(request_id):
        return hashlib.sha256(f"countersign.sample.v1\0{seed}\0{request_id}".encode()).digest()

    return sorted(rows, key=rank)[:size]


def check_signature(manifest, keys):
    unsigned = canonical({name: value for name, value in manifest.items() if name != "dsse"})
    predicate = {name: manifest[name] for name in ("origin", "from", "to", "rows", "tree_size")}
    payload = canonical(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "population.csv", "digest": {"sha256": manifest["sha256"]}}],
            "predicateType": "urn:countersign:population:v1",
            "predicate": {**predicate, "manifest_digest": digest(unsigned)},
        }
    ).encode()
    envelope = manifest["dsse"]
    demand(decode(envelope["payload"]) == payload, "what is signed is not about this manifest")
    demand(envelope["payloadType"] == PAYLOAD_TYPE and len(envelope["signatures"]) == 1, "another envelope")
    signature = envelope["signatures"][0]
    demand(signature["keyid"] in keys, "the key is not among the keys for evidence")
    signed = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload
    demand(is_signed(keys[signature["keyid"]], signed, decode(signature["sig"])), "the key has not signed it")


def first_difference(found, expected):
    found, expected = (list(csv.reader(io.StringIO(table.decode(), newline=""))) for table in (found, expected))
    for number, (row, other) in enumerate(zip(found, expected)):
        for column, cell, right in zip(COLUMNS, row, other):
            if cell != right:
                return f"row {number}: {column} is {cell!r}, and the log gives {right!r}"
    return f"there are {len(found) - 1} rows, and the log gives {len(expected) - 1}"


def recount(lines, table, text, jwks):
    manifest = read_json(text)
    demand(manifest.get("format") == "countersign.population.v1", "another format")
    demand(set(manifest) - {"sample", "dsse"} == MEMBERS, "a member of the manifest is missing or unknown")
    demand(canonical(manifest) == text, "the manifest is not canonical")
    origin, size, root = read_checkpoint(manifest["checkpoint"], read_keys(jwks, "log"))
    demand((origin, size) == (manifest["origin"], manifest["tree_size"]), "the manifest is not about its checkpoint")
    rows = rows_of(read_events(lines, origin, size, root), manifest["from"], manifest["to"])
    expected = table_of(rows)
    if table != expected:
        raise ValueError(first_difference(table, expected))
    demand(manifest["sha256"] == hashlib.sha256(expected).hexdigest(), "the manifest's sha256 is of another table")
    demand(manifest["rows"] == len(rows), f"the manifest has {manifest['rows']} rows, and the log gives {len(rows)}")
    if "sample" in manifest:
        sample = manifest["sample"]
        chosen = sample_of(rows, sample["seed"], sample["size"])
        demand(sample["request_ids"] == chosen, "the sample is not what the seed chooses")
    if "dsse" in manifest:
        check_signature(manifest, read_keys(jwks, "evidence"))
    return f"good; {len(rows)} rows, {'signed' if 'dsse' in manifest else 'not signed'}"


def main(events, file, jwks):
    with open(events, encoding="utf-8", newline="\n") as opened:
        lines = opened.read().split("\n")[:-1]
    with open(file, "rb") as opened:
        table = opened.read()
    with open(f"{file}.manifest.json", encoding="utf-8") as opened:
        text = opened.read()
    with open(jwks, encoding="utf-8") as opened:
        keys = opened.read()
    try:
        print(recount(lines, table, text, keys))
    except (ValueError, KeyError, TypeError) as error:
        print(error)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
