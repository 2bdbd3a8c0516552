"""Verifies permits by docs/permit.md and a key set alone, with what `examples/permit.py` verifies them with.

Reads a JSON array from standard input: objects with `permit`, `jwks` (the document of /.well-known/jwks.json), `issuer`,
`audience`, `now`, and maybe `parameters`. Prints a line of JSON for each: `{"claims": {...}}` or `{"refused": "..."}`.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples"))

from permit import Invalid, digest, verify  # noqa: E402

for case in json.load(sys.stdin):
    expected = {"iss": case["issuer"], "aud": case["audience"]}
    if "parameters" in case:
        expected["parameters_digest"] = digest(case["parameters"])
    try:
        answer = {"claims": verify(case["permit"], case["jwks"], case["now"], **expected)}
    except Invalid as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer))
