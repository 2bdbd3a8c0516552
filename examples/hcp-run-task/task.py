#!/usr/bin/env python3
"""A run task of HCP Terraform: a run is applied once Countersign has approved exactly its plan.

The request, its signature and the callback: https://developer.hashicorp.com/terraform/cloud-docs/api-docs/run-tasks/run-tasks-integration
and https://developer.hashicorp.com/terraform/cloud-docs/integrations/run-tasks#securing-your-run-task
"""

import hashlib
import json
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from approvals import Approvals, Refused, http, log, secret  # noqa: E402
from permit import digest  # noqa: E402
from webhook import later, serve, signed  # noqa: E402

OPERATION = "terraform_apply"
BODY_BYTES = 256 * 1024
PLAN_BYTES = 64 * 1024 * 1024
# A task that is silent for ten minutes has failed.
PROGRESS_SECONDS = 120
HCP = os.environ.get("HCP_URL", "https://app.terraform.io").rstrip("/")
# Where plans are kept: the redirect of `plan_json_api_url` goes there.
ARCHIVE = os.environ.get("HCP_ARCHIVE_URL", "https://archivist.terraform.io").rstrip("/")
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def of(base, url):
    """The URL, if it is one of this host: a token is sent there."""
    if not url.startswith(f"{base}/"):
        raise ValueError("the URL is not one of the configured host")
    return url


def plan_digest(task):
    """SHA-256 of the plan's JSON. https://developer.hashicorp.com/terraform/cloud-docs/api-docs/plans: the answer is a
    redirect to a URL that needs no token, and gets none."""
    url, token = of(HCP, task["plan_json_api_url"]), task["access_token"]
    status, headers, content = http("GET", url, token=token, limit=PLAN_BYTES)
    if status == 307:
        place = headers.get("Location", "")
        place = place if place.startswith(f"{HCP}/") else of(ARCHIVE, place)
        status, _, content = http("GET", place, limit=PLAN_BYTES)
    if status != 200:
        raise Refused("no_plan", f"the plan is answered with {status}")
    return hashlib.sha256(content).hexdigest()


def run(task):
    """What is bound: the parameters of the request, with the plan as it is now."""
    return {
        "organization": task["organization_name"],
        "workspace": task["workspace_name"],
        "workspace_id": task["workspace_id"],
        "run_id": task["run_id"],
        "task_result_id": task["task_result_id"],
        "plan_sha256": plan_digest(task),
    }


def answer(task, status, message):
    data = {"type": "task-results", "attributes": {"status": status, "message": message}}
    jsonapi = {"Content_Type": "application/vnd.api+json"}
    url = of(HCP, task["task_result_callback_url"])
    return http("PATCH", url, {"data": data}, task["access_token"], **jsonapi)[0]


def decide(approvals, task):
    """Asks, waits, and answers HCP Terraform. What fails in between answers nothing; ten minutes later it has failed."""
    if task["is_speculative"] is True:
        answer(task, "passed", "a speculative plan is never applied")
        return
    for name in (task["organization_name"], task["workspace_name"]):
        if not NAME.fullmatch(name):
            raise ValueError("the name of a workspace is none")
    name = "request"
    try:
        parameters = run(task)
        request = approvals.create(
            {
                "operation_type": OPERATION,
                "instance_id": f"{parameters['organization']}/{parameters['workspace']}",
                "parameters": parameters,
                # Policy says which instances are not.
                "environment": "production",
                "justification": f"Terraform applies {parameters['run_id']}",
            },
            # A task that is sent again finds the same request.
            f"hcp/{digest(parameters)}",
        )
        name = f"request {request['request_id']}"
        said_at = 0.0

        def waiting():
            nonlocal said_at
            if time.monotonic() - said_at > PROGRESS_SECONDS:
                said_at = time.monotonic()
                answer(task, "running", f"Countersign {name} waits for approval")

        request = approvals.decided(request, waiting)
        # The plan is read again: the permit is for the one that is about to be applied, or for none.
        claims = approvals.spend(request, run(task))
    except Refused as refused:
        # Another delivery of the task carries it out, and answers. Any other refusal is final.
        if refused.code != "permit_spent":
            answer(task, "failed", f"Countersign {name}: {refused.code}")
        log(f"{name}: {refused}")
        return
    status = answer(task, "passed", f"Countersign {name}: approved")
    log(f"{name}: approved, HCP Terraform answers {status}")
    # After any other answer it may have happened or not: the lease is left to end, and an admin looks.
    if status < 500:
        approvals.finish(claims, "succeeded" if status == 200 else "failed", {"hcp_status": status})


def main():
    approvals = Approvals()
    secret("HCP_HMAC_KEY")

    def receive(headers, body):
        if not signed(secret("HCP_HMAC_KEY"), "sha512", body, headers.get("X-TFC-Task-Signature", "")):
            return 401, None
        task = json.loads(body)
        # The one that is sent when a task is made has another stage, and is answered with 200.
        if task.get("stage") == "post_plan":
            of(HCP, task["task_result_callback_url"]), of(HCP, task["plan_json_api_url"])
            later(decide, approvals, task)
        return 200, None

    serve(receive, BODY_BYTES)


if __name__ == "__main__":
    main()
