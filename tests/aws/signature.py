"""Signs the calls that stand on stdin again, as botocore does, and prints the `Authorization` of each.

A line is a call as JSON: method, url, headers and body. Its credentials are in the environment, the region is the
argument. The time is that of the call.
"""
import json
import os
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

credentials = Credentials(
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN")
)
for line in sys.stdin:
    call = json.loads(line)
    headers = {name.lower(): value for name, value in call["headers"].items()}
    named = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = {name: headers[name] for name in named if name not in ("host", "x-amz-date", "x-amz-security-token")}
    request = AWSRequest(call["method"], call["url"], headers=signed, data=call["body"])
    signer = SigV4Auth(credentials, "execute-api", sys.argv[1])
    request.context["timestamp"] = headers["x-amz-date"]
    signer._modify_request_before_signing(request)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(to_sign, request))
    print(request.headers["Authorization"].replace(", ", ",").replace(",", ", "))
