"""JSON schema of scenario files, for editors that complete and check them."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agents.settings import parse_duration
from sim.configuration import Scenario

DURATION = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[smhd]\s*$", "examples": ["60s", "2h"]}


class ScenarioSchema(GenerateJsonSchema):
    """Durations appear as files write them, not as the seconds they become."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """Schema of a value that is rewritten before its type is checked."""
        if schema["function"]["function"] is parse_duration:
            return dict(DURATION)
        return super().function_before_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Schema of a field with a default."""
        found = super().default_schema(schema)
        if found.get("pattern") == DURATION["pattern"] and isinstance(found.get("default"), int):
            found["default"] = f"{found['default']}s"
        if "$ref" in found:
            found.pop("default", None)
        return found


def scenario_schema() -> dict[str, Any]:
    """Schema of a scenario file; units and sources stand beside each number."""
    schema = Scenario.model_json_schema(schema_generator=ScenarioSchema)
    text = "a scenario file beside this one, or the name of a bundled scenario, to build on"
    schema["properties"] = {"extends": {"type": "string", "description": text}, **schema["properties"]}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema.pop("required", None)
    for section in ("ProtocolSettings", "WorldSettings"):
        schema["$defs"][section].pop("required", None)
    return schema
