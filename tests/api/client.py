"""Creates a request and approves it, with the client that was generated from docs/openapi.json."""

import hashlib
import json
import os

from countersign_client import AuthenticatedClient
from countersign_client.api.approvals import approve, create, events, explain, finish, get, list_, simulate
from countersign_client.api.approvals import start, withdraw
from countersign_client.models import Approve, Create, CreateParameters, Environment, Explanation, Finish
from countersign_client.models import FinishOutcome, Problem, Request, Simulation, Start, Status, Withdraw


def client(name):
    return AuthenticatedClient(base_url=os.environ["URL"], token=os.environ[name])


def request(answer):
    assert isinstance(answer, Request), answer
    return answer


ann, bob, carol = client("ANN"), client("BOB"), client("CAROL")
parameters = CreateParameters.from_dict({"target_instance_class": "db.r6g.xlarge"})
draft = Create(
    operation_type="modify_instance_class",
    instance_id="production-db-01",
    parameters=parameters,
    environment=Environment.PRODUCTION,
    justification="CPU has been at 95 % since Monday",
    estimated_cost=250.5,
    ticket="OPS-1234",
    rollback_plan="Change it back",
)
tried = simulate.sync(client=ann, body=draft)
assert isinstance(tried, Simulation) and tried.permitted and tried.satisfiable, tried
assert list_.sync(client=ann).items == []
made = create.sync_detailed(client=ann, body=draft, idempotency_key="client.py")
assert made.status_code == 201, made
created = request(made.parsed)
assert created.status == Status.PENDING and created.approvals_required == tried.approvals_required == 2
assert created.ticket == draft.ticket and created.rollback_plan == draft.rollback_plan
assert made.headers["location"] == f"/v1/approvals/{created.request_id}"
again = create.sync_detailed(client=ann, body=draft, idempotency_key="client.py")
assert again.status_code == 200 and request(again.parsed).request_id == created.request_id
assert "idempotent-replayed" not in made.headers and again.headers["idempotent-replayed"] == "true"

own = approve.sync(created.request_id, client=ann, body=Approve())
assert isinstance(own, Problem) and own.code == "self_approval" and own.reasons == [own.detail], own

pending = list_.sync(client=bob, status=[Status.PENDING, Status.APPROVED])
assert [item.request_id for item in pending.items] == [created.request_id]
shown = request(get.sync(created.request_id, client=bob))
assert shown.parameters.to_dict() == parameters.to_dict()

# As docs/api.md says: of what was shown, not of what was said to be its digest.
text = json.dumps(shown.content.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
content_digest = hashlib.sha256(text.encode()).hexdigest()
assert content_digest == shown.content_digest
agreed = Approve(content_digest=content_digest, comments="fine")
half = request(approve.sync(created.request_id, client=bob, body=agreed))
assert half.status == Status.PENDING and half.approvals_received == 1
explained = explain.sync(created.request_id, client=bob)
assert isinstance(explained, Explanation) and explained.missing.from_anybody == 1, explained
refused = {action.action: action.code for action in explained.actions if not action.permitted}
assert refused["approve"] == "already_decided" and "comment" not in refused, refused
whole = request(approve.sync(created.request_id, client=carol, body=agreed))
assert whole.status == Status.APPROVED and whole.approved_by == ["bob@example.com", "carol@example.com"]
fewer = request(withdraw.sync(created.request_id, client=carol, body=Withdraw(reason="one moment")))
assert fewer.status == Status.PENDING and fewer.approved_by == ["bob@example.com"], fewer
whole = request(approve.sync(created.request_id, client=carol, body=agreed))
assert whole.status == Status.APPROVED and [decision.counts for decision in whole.decisions] == [True, True]

started = request(start.sync(created.request_id, client=ann, body=Start(content_digest=content_digest)))
done = Finish(execution_id=started.execution_id, outcome=FinishOutcome.SUCCEEDED, actual_cost=248.1)
assert request(finish.sync(created.request_id, client=ann, body=done)).status == Status.EXECUTED
trail = events.sync(created.request_id, client=ann)
assert trail.verified, trail
expected = ["pending", "pending", "approved", "pending", "approved", "executing", "executed"]
assert [event.status for event in trail.items] == expected
print("the generated client has created, approved and executed a request")
