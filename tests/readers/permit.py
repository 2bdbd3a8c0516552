"""Verifies permits by docs/permit.md and a key set alone, with joserfc (https://jose.authlib.org/).

Reads a JSON array from standard input: objects with `permit`, `jwks` (the document of /.well-known/jwks.json), `issuer`,
`audience`, `now`, and maybe `parameters`. Prints a line of JSON for each: `{"claims": {...}}` or `{"refused": "..."}`.
"""

import hashlib
import json
import sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TYPE = "countersign-permit+jwt"


def digest(parameters):
    # Whole numbers, booleans, texts: sorted members without spaces are RFC 8785, if member names are ASCII.
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(case):
    keys = [key for key in case["jwks"]["keys"] if key["purpose"] == "permit"]
    if not keys:
        raise ValueError("no key is for permits")
    token = jwt.decode(case["permit"], KeySet.import_key_set({"keys": keys}), algorithms=["ES256"])
    if set(token.header) != {"alg", "typ", "kid"} or token.header["typ"] != TYPE:
        raise ValueError("the header is not a permit's")
    jwt.JWTClaimsRegistry(
        now=case["now"],
        leeway=0,
        iss={"essential": True, "value": case["issuer"]},
        aud={"essential": True, "value": case["audience"]},
        exp={"essential": True},
        iat={"essential": True},
    ).validate(token.claims)
    if "parameters" in case and digest(case["parameters"]) != token.claims["parameters_digest"]:
        raise ValueError("other parameters")
    return token.claims


for case in json.load(sys.stdin):
    try:
        answer = {"claims": verify(case)}
    except (JoseError, ValueError) as error:
        answer = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
