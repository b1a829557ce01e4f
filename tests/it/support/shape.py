"""Receipts against their JSON Schema: `shape.py SCHEMA FILE…` prints what is wrong, or "valid", for each file.

Read by a parser that refuses keys that occur twice, and written again as canonical JSON, which must change nothing.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker


def once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def canonical(value):
    """RFC 8785, for texts and whole numbers under names in ASCII."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def judge(validator, text):
    try:
        value = json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        return str(error)
    again = json.loads(canonical(value), object_pairs_hook=once)
    if again != value or canonical(again) != canonical(value):
        return "not the same after a round trip"
    faults = sorted(validator.iter_errors(value), key=lambda fault: fault.json_path)
    return "; ".join(f"{fault.json_path}: {fault.message[:200]}" for fault in faults) or "valid"


def main():
    schema = json.loads(Path(sys.argv[1]).read_text(), object_pairs_hook=once)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    for name in sys.argv[2:]:
        print(judge(validator, Path(name).read_text()))


main()
