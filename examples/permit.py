"""Verifies permits by docs/permit.md and a key set, with joserfc (https://jose.authlib.org/): no network and no clock.

It is what the services beside it verify with, and what our tests hold `crates/permit` against.
"""

import hashlib
import json
import re

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TYPE = "countersign-permit+jwt"
MAXIMUM_LENGTH = 16 * 1024
# How far the clock of the service may be ahead of this one.
CLOCK_SECONDS = 30
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Invalid(Exception):
    """A text that is no permit for what is about to be done."""


def digest(parameters):
    # Whole numbers, booleans, texts: sorted members without spaces are RFC 8785, if member names are ASCII.
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(permit, jwks, now, **expected):
    """The claims of a permit. `expected` is what they must be: `iss`, `aud` and `parameters_digest`, and for who did not
    make the request `operation_type` and `instance_id`, by which policy has decided how many approvals it takes."""
    if len(permit) > MAXIMUM_LENGTH:
        raise Invalid("it is too long")
    # A key for documents of another kind verifies no permit; joserfc does not know the member.
    keys = [key for key in jwks["keys"] if key["purpose"] == "permit"]
    if not keys:
        raise Invalid("no key is for permits")
    try:
        token = jwt.decode(permit, KeySet.import_key_set({"keys": keys}), algorithms=["ES256"])
    except (JoseError, ValueError) as error:
        raise Invalid(f"its signature: {error}") from error
    header, claims = token.header, token.claims
    if set(header) != {"alg", "typ", "kid"} or header["typ"] != TYPE:
        raise Invalid("its header is not that of a permit")
    for name in ("sub", "jti"):
        if not UUID.fullmatch(str(claims.get(name))):
            raise Invalid(f"its {name} is no id")
    if type(claims.get("iat")) is not int or type(claims.get("exp")) is not int:
        raise Invalid("it has no times")
    if claims["iat"] > now + CLOCK_SECONDS:
        raise Invalid("it is of a later time")
    if claims["exp"] <= now:
        raise Invalid("it has expired")
    for name, value in expected.items():
        if claims.get(name) != value:
            raise Invalid(f"its {name} is another")
    return claims
