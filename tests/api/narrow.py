"""Writes a copy of docs/openapi.json for one caller, whose generated calls get further than to 403 and 404.

What may be sent is narrowed: requests and executions are ones that exist, made here, and fields that may name
the caller do. What is answered stays as described, but for `default`: with it, every status would be.
"""

import json
import sys

import httpx

url, caller, caller_token, requester_token, output = sys.argv[1:]


def body(operation, environment):
    return {
        "operation_type": operation,
        "instance_id": "dev-db-01" if environment == "non-production" else "production-db-01",
        "parameters": {"for": caller},
        "environment": environment,
        "justification": "to be tried on",
    }


def send(token, method, path, fields):
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, url + path, json=fields, headers=headers)


requests, executions = [], []
for token in (caller_token, requester_token):
    for operation, environment in [
        ("modify_instance_class", "production"),
        ("modify_storage", "non-production"),
        ("enable_enhanced_monitoring", "non-production"),
    ]:
        for _ in range(4):
            made = send(token, "POST", "/v1/approvals", body(operation, environment))
            if made.status_code == 403:
                continue  # Somebody who only decides.
            assert made.status_code == 201, made.text
            requests.append(made.json()["request_id"])
    # Policy approves the last one by itself.
    started = send(token, "POST", f"/v1/approvals/{requests[-1]}/execution", {}) if requests else None
    if started is not None and started.status_code == 200:
        executions.append(started.json()["execution_id"])

with open("docs/openapi.json") as file:
    document = json.load(file)
components = document["components"]
components["parameters"]["id"]["schema"] = {"type": "string", "enum": requests}
components["parameters"]["id"]["example"] = requests[0]
for parameter in document["paths"]["/v1/approvals/{id}"]["get"]["parameters"]:
    if parameter.get("name") == "wait":
        parameter["schema"] = {"type": "integer", "enum": [0, 1]}  # Nothing happens meanwhile.
for path in document["paths"].values():
    for operation in path.values():
        del operation["responses"]["default"]

schemas = components["schemas"]
sent = ["Create", "Approve", "Reject", "Withdraw", "Cancel", "Comment", "Start", "Finish"]
sent += [schema["$ref"].rsplit("/", 1)[1] for schema in schemas["Dispatch"]["oneOf"]]
for name in sent:
    properties = schemas[name]["properties"]
    for field in properties:
        if field == "request_id":
            properties[field] = {"type": "string", "enum": requests}
        elif field == "execution_id":
            properties[field] = {"type": "string", "enum": executions}
        elif field.endswith("_by"):
            properties[field] = {"type": "string", "const": caller}
with open(output, "w") as file:
    json.dump(document, file)
