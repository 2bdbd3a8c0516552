#!/usr/bin/env python3
"""A validating admission webhook of Kubernetes: what it is asked for goes on with a permit for exactly that, once.

It is asked for what webhook.yaml selects. The permit is in an annotation of the object, of the old one for a deletion.
AdmissionReview: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

import copy
import json
import os
import pathlib
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from approvals import AUDIENCE, Approvals, Refused, log  # noqa: E402
from permit import digest  # noqa: E402
from webhook import serve  # noqa: E402

OPERATION = "kubernetes_change"
ANNOTATION = "countersign/permit"
# An object of etcd has 1.5 MiB at most, and a review has two.
BODY_BYTES = 4 * 1024 * 1024
# Two clusters may hold the same object: a permit for one is none for the other.
CLUSTER = os.environ.get("CLUSTER", "")


def replicas(thing):
    return ((thing or {}).get("spec") or {}).get("replicas")


def needs_permit(request):
    """Everything that is selected, but changes that do not scale to zero."""
    if request["operation"] != "UPDATE":
        return True
    wanted = replicas(request["object"])
    return not (type(wanted) is int and wanted > 0) and replicas(request["oldObject"]) != 0


def settled(thing):
    """The object without what the cluster writes by itself, and without the permit, which cannot bind itself."""
    thing = copy.deepcopy(thing)
    thing.pop("status", None)
    metadata = thing["metadata"]
    for name in ("managedFields", "resourceVersion", "generation"):
        metadata.pop(name, None)
    annotations = metadata.pop("annotations", None) or {}
    for name in (ANNOTATION, "kubectl.kubernetes.io/last-applied-configuration"):
        annotations.pop(name, None)
    return {**thing, "metadata": {**metadata, "annotations": annotations}}


def asked(request):
    """The instance and the parameters that the permit must be for, and the object that holds it."""
    thing = request["oldObject"] if request["operation"] == "DELETE" else request["object"]
    name = request["name"]
    if not name or not thing:
        raise Refused("not_named", "name one object, not a collection")
    resource = ".".join(filter(None, (request["resource"]["resource"], request["resource"]["group"])))
    if request.get("subResource"):
        resource = f"{resource}/{request['subResource']}"
    parameters = {
        "cluster": CLUSTER,
        "user": request["userInfo"]["username"],
        "operation": request["operation"],
        "resource": resource,
        "namespace": request.get("namespace", ""),
        "name": name,
        "uid": thing["metadata"].get("uid", ""),
        "object_sha256": digest(settled(thing)),
    }
    # The namespace of a namespace is itself.
    place = parameters["namespace"] if resource != "namespaces" else ""
    return "/".join(filter(None, (CLUSTER, place, resource, name))), parameters, thing


def admit(approvals, request):
    """Why it may go on. Refused otherwise."""
    if not needs_permit(request):
        return "it does not scale to zero"
    instance, parameters, thing = asked(request)
    text = (thing["metadata"].get("annotations") or {}).get(ANNOTATION)
    command = ["countersign", "create", OPERATION, instance, "-e", "production", "-p", json.dumps(parameters), "-m"]
    how = f"{shlex.join(command)} WHY"
    if not text:
        raise Refused("no_permit", f"the annotation {ANNOTATION} is missing; ask for its permit by: {how}")
    try:
        claims = approvals.verify(
            text,
            aud=AUDIENCE,
            operation_type=OPERATION,
            instance_id=instance,
            parameters_digest=digest(parameters),
        )
    except Refused as refused:
        raise Refused(refused.code, f"{refused.detail}; ask for one by: {how}") from refused
    if request.get("dryRun"):
        return f"request {claims['sub']}; nothing is spent by a dry run"
    approvals.claim(text, claims)
    # What is carried out is the admission: whether the object is stored is for the cluster to say.
    try:
        approvals.finish(claims, "succeeded", {"admitted": request["uid"]})
    except (Refused, OSError) as error:
        log(f"request {claims['sub']}: admitted, and not reported: {type(error).__name__}")
    return f"request {claims['sub']}"


def main():
    if not CLUSTER:
        raise SystemExit("CLUSTER names the cluster")
    approvals = Approvals()

    def receive(headers, body):
        review = json.loads(body)
        if review["apiVersion"] != "admission.k8s.io/v1" or review["kind"] != "AdmissionReview":
            return 400, None
        request = review["request"]
        response = {"uid": request["uid"], "allowed": False}
        try:
            log(f"{request['uid']}: allowed, {admit(approvals, request)}")
            response["allowed"] = True
        except Refused as refused:
            log(f"{request['uid']}: {refused.code}")
            response["status"] = {"code": 403, "message": f"countersign: {refused}"}
        except OSError:
            response["status"] = {"code": 503, "message": "countersign: the service does not answer"}
        return 200, {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}

    serve(receive, BODY_BYTES)


if __name__ == "__main__":
    main()
