"""Validate a folder with every-eval-ever's schema and its own checks; run in the environment `trackers`.

python every_eval_ever_checks.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
from every_eval_ever.schema import schema_json
from every_eval_ever.validator.validation_core import validate_file

root = Path(sys.argv[1])
found = {}
for file in sorted(root.rglob("*.json")):
    jsonschema.validate(json.loads(file.read_text()), schema_json("eval.schema.json"))
    report = validate_file(file, repo_path=file.relative_to(root).as_posix(), run_semantic_checks=True)
    found[file.name] = {"valid": report.valid, "errors": report.errors, "warnings": report.warnings}
sys.stdout.write(json.dumps(found))
