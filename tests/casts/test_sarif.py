"""SARIF 2.1.0, held against the published schema's requirements for the parts that are written."""

import json
from pathlib import Path

import jsonschema
import pytest
import tensorflow as tf

from nqperf.casts.audit import audit
from nqperf.casts.findings import RULES, Audit, Finding
from nqperf.casts.trace.records import SourceLocation
from nqperf.report.casts_text import github_annotations, verdict
from nqperf.report.sarif import to_sarif

# The required properties, types, enumerations and bounds that the published schema gives these objects.
MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
REGION = {
    "type": "object",
    "required": ["startLine"],
    "additionalProperties": False,
    "properties": {
        name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endLine", "endColumn")
    },
}
REGION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["startLine"],
    "properties": {
        name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endLine", "endColumn")
    },
}
FIX = {
    "type": "object",
    "additionalProperties": False,
    "required": ["artifactChanges"],
    "properties": {
        "description": {"type": "object", "required": ["text"]},
        "artifactChanges": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["artifactLocation", "replacements"],
                "properties": {
                    "artifactLocation": {"type": "object", "required": ["uri"]},
                    "replacements": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["deletedRegion"],
                            "properties": {
                                "deletedRegion": REGION,
                                "insertedContent": {"type": "object", "required": ["text"]},
                            },
                        },
                    },
                },
            },
        },
    },
}
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": -1},
        "message": MESSAGE,
        "physicalLocation": {
            "type": "object",
            "additionalProperties": False,
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": r"^[^\\ ]+$"}},
                },
                "region": REGION,
            },
        },
        "logicalLocations": {
            "type": "array",
            "minItems": 0,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"fullyQualifiedName": {"type": "string"}, "kind": {"type": "string"}},
            },
        },
    },
}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": MESSAGE,
                                                "defaultConfiguration": {
                                                    "type": "object",
                                                    "properties": {"level": LEVEL},
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "automationDetails": {"type": "object", "properties": {"id": {"type": "string"}}},
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "additionalProperties": False,
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["message"],
                                        "properties": {"message": MESSAGE, "level": LEVEL},
                                    },
                                },
                            },
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "locations": {"type": "array", "items": LOCATION},
                                "relatedLocations": {"type": "array", "uniqueItems": True, "items": LOCATION},
                                "fixes": {"type": "array", "uniqueItems": True, "items": FIX},
                            },
                        },
                    },
                },
            },
        },
    },
}

MODULE = "import tensorflow as tf\n\n\ndef forward(x, y):\n    return tf.nn.relu(x + y)\n"


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("planted_module.py").write_text(MODULE)
    monkeypatch.delitem(__import__("sys").modules, "planted_module", raising=False)
    module = __import__("planted_module")
    return audit(module.forward, inputs=(tf.TensorSpec((2, 8), tf.float16), tf.TensorSpec((2, 8), tf.float32)))


def test_a_log_is_valid_and_points_at_the_expression(found):
    log = json.loads(to_sarif([found]))
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(log, SCHEMA)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted(RULES)
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "CAST001"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "planted_module.py"
    assert location["region"]["startLine"] == 5


def test_an_incomplete_audit_is_no_successful_execution():
    stopped = Audit(model="m", precision="mixed_float16", complete=False, findings=(), stopped="ValueError: no")
    log = json.loads(to_sarif([stopped]))
    jsonschema.validate(log, SCHEMA)
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "ValueError: no" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert "INCOMPLETE" in verdict(stopped)


def test_fingerprints_have_no_line_numbers(tmp_path):
    prints = set()
    for padding in ("", "\n\n\n"):
        path = tmp_path / f"module{len(padding)}" / "same.py"
        path.parent.mkdir()
        path.write_text(padding + MODULE)
        line = 5 + len(padding)
        finding = Finding(
            rule="CAST001", location=SourceLocation(path=str(path), line=line), layer="block_7/dense", message="m"
        )
        other = Finding(
            rule="CAST001", location=SourceLocation(path=str(path), line=line), layer="block_8/dense", message="m"
        )
        assert finding.fingerprint == other.fingerprint
        prints.add(finding.to_dict()["fingerprint"] == finding.fingerprint)
    assert prints == {True}


def test_github_annotations_name_file_line_and_edit(found):
    (line,) = github_annotations(found).splitlines()
    assert line.startswith("::error file=planted_module.py,line=5,")
    assert "edit: return tf.nn.relu(x + tf.cast(y, x.dtype))" in line


def test_json_holds_what_scripts_need(found):
    document = json.loads(found.to_json())
    assert document["schema_version"] == 1
    assert document["complete"] is True
    (finding,) = document["findings"]
    assert {"rule", "path", "line", "layer", "message", "edit", "origin"} <= set(finding)
    assert (finding["rule"], finding["path"], finding["line"]) == ("CAST001", "planted_module.py", 5)
