#!/usr/bin/env python3
"""A custom deployment protection rule of GitHub: a deployment goes on once Countersign has approved exactly it.

The webhook and its answer: https://docs.github.com/webhooks/webhook-events-and-payloads#deployment_protection_rule and
https://docs.github.com/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run
"""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from approvals import Approvals, Refused, http, log, secret  # noqa: E402
from permit import digest  # noqa: E402
from webhook import later, serve, signed  # noqa: E402

OPERATION = "github_deployment"
# GitHub sends at most 25 MB; an event of this kind has some 20 KB.
BODY_BYTES = 1024 * 1024
API = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+")
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def deployment(event):
    """What is bound: the parameters of the request, all of them from an event that GitHub has signed."""
    repository, callback = event["repository"]["full_name"], event["deployment_callback_url"]
    path = re.compile(rf"{re.escape(API)}/repos/{re.escape(repository)}/actions/runs/([0-9]+)/deployment_protection_rule")
    # The token is sent there, so it is a place of the configured API and of this repository.
    match = path.fullmatch(callback)
    if not match or not REPOSITORY.fullmatch(repository):
        raise ValueError("the callback is not one of the configured API")
    if not SHA.fullmatch(event["deployment"]["sha"]):
        raise ValueError("the commit is none")
    return {
        "repository": repository,
        "environment": event["environment"],
        "ref": event["deployment"]["ref"],
        "sha": event["deployment"]["sha"],
        "run_id": int(match[1]),
        # A job that is run again has another one, and needs another approval.
        "deployment_id": event["deployment"]["id"],
    }


def decide(approvals, parameters):
    """Asks, waits, and answers GitHub. What fails in between answers nothing, so the deployment waits on."""
    name = "request"
    try:
        request = approvals.create(
            {
                "operation_type": OPERATION,
                "instance_id": parameters["repository"],
                "parameters": parameters,
                # Policy says which instances are not.
                "environment": "production",
                "justification": f"GitHub deploys {parameters['ref'][:200]} to {parameters['environment'][:200]}",
            },
            # An event that is delivered again finds the same request.
            f"github/{digest(parameters)}",
        )
        name = f"request {request['request_id']}"
        claims = approvals.spend(approvals.decided(request), parameters)
    except Refused as refused:
        # Another delivery of the event carries it out, and answers. Any other refusal is final.
        if refused.code != "permit_spent":
            review(parameters, "rejected", f"Countersign {name}: {refused.code}")
        log(f"{name}: {refused}")
        return
    status = review(parameters, "approved", f"Countersign {name}: approved")
    log(f"{name}: approved, GitHub answers {status}")
    # After any other answer it may have happened or not: the lease is left to end, and an admin looks.
    if status < 500:
        approvals.finish(claims, "succeeded" if status == 204 else "failed", {"github_status": status})


def review(parameters, state, comment):
    url = f"{API}/repos/{parameters['repository']}/actions/runs/{parameters['run_id']}/deployment_protection_rule"
    body = {"environment_name": parameters["environment"], "state": state, "comment": comment}
    # The token of an installation lasts an hour: what renews it writes the file anew.
    accept = {"Accept": "application/vnd.github+json", "X_GitHub_Api_Version": "2022-11-28"}
    return http("POST", url, body, secret("GITHUB_TOKEN"), **accept)[0]


def main():
    approvals = Approvals()
    secret("GITHUB_WEBHOOK_SECRET"), secret("GITHUB_TOKEN")

    def receive(headers, body):
        # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
        kind, _, signature = headers.get("X-Hub-Signature-256", "").partition("=")
        if kind != "sha256" or not signed(secret("GITHUB_WEBHOOK_SECRET"), "sha256", body, signature):
            return 401, None
        event = json.loads(body)
        if headers.get("X-GitHub-Event") != "deployment_protection_rule" or event.get("action") != "requested":
            return 204, None
        later(decide, approvals, deployment(event))
        return 202, None

    serve(receive, BODY_BYTES)


if __name__ == "__main__":
    main()
