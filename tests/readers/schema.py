"""Checks documents against a JSON Schema (2020-12), which it checks as well.

Reads one JSON object from standard input: `schema`, and `documents`, a list. Prints a list of booleans: whether each
document is valid. What is wrong with one is on standard error.
"""

import json
import sys

from jsonschema import Draft202012Validator


def main():
    given = json.load(sys.stdin)
    Draft202012Validator.check_schema(given["schema"])
    validator = Draft202012Validator(given["schema"])
    verdicts = []
    for document in given["documents"]:
        errors = list(validator.iter_errors(document))
        for error in errors:
            print(f"{error.json_path}: {error.message}", file=sys.stderr)
        verdicts.append(not errors)
    print(json.dumps(verdicts))


main()
