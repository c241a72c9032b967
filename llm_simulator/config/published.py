"""The configuration file as JSON Schema: what editors complete by. All of it, with what a run reads only where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from llm_simulator.config.field_texts import TEXTS
from llm_simulator.config.limits_fields import BreakerSection, KeysSection, LimitSection
from llm_simulator.config.provider_fields import Errors, ProviderKey, ProviderSection
from llm_simulator.config.scenarios import ScenarioName, ScenarioSection
from llm_simulator.config.schema import File
from llm_simulator.simulator import faults_broken, faults_connect
from llm_simulator.simulator.faults import common
from llm_simulator.types import JSON

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ANY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$"


class _Later(BaseModel):
    """The sections that the file's own schema leaves to whoever reads them."""

    model_config = ConfigDict(extra="forbid")
    providers: dict[ProviderKey, ProviderSection] = Field(default_factory=dict)
    errors: Errors = Field(default_factory=dict)
    limits: dict[str, LimitSection] = Field(default_factory=dict)
    breaker: BreakerSection | bool | None = None
    keys: KeysSection | None = None
    scenarios: dict[ScenarioName, ScenarioSection] = Field(default_factory=dict)


def schema() -> dict[str, JSON]:
    """Of a whole configuration file."""
    _, made = TypeAdapter.json_schemas(
        [("file", "validation", TypeAdapter(File)), ("later", "validation", TypeAdapter(_Later))]
    )
    definitions: dict[str, Any] = made["$defs"]
    file, later = definitions.pop("File"), definitions.pop("_Later")
    for name, section in later["properties"].items():
        whole: dict[str, JSON] = file["properties"][name]
        file["properties"][name] = {**section, **{key: whole[key] for key in ("title", "description") if key in whole}}
    for section in (file["properties"]["errors"], definitions["ProviderSection"]["properties"]["errors"]):
        section["propertyNames"] = {"anyOf": [{"enum": _names()}, {"pattern": _ANY_NAME}]}
    _told({**definitions, "File": file})
    _closed([file, *definitions.values()])
    return {"$schema": DIALECT, **file, "title": "llm-simulator configuration", "$defs": definitions}


def _names() -> list[str]:
    """The errors that an editor offers; the catalogue has many more."""
    return sorted({*common(), *faults_broken.WAYS, *faults_connect.KINDS})


def scenario() -> dict[str, JSON]:
    """Of a file with one scenario in it (`--scenario drill.yaml`)."""
    made = TypeAdapter(ScenarioSection).json_schema()
    _told({**made["$defs"], "ScenarioSection": made})
    _closed([made, *made["$defs"].values()])
    return {"$schema": DIALECT, **made, "title": "llm-simulator scenario"}


def _closed(sections: Iterable[Any]) -> None:
    """Names that must look in a certain way: others are not just other names."""
    for section in sections:
        for form in (section, *section.get("anyOf", ())):
            for told in form.get("properties", {}).values():
                if "patternProperties" in told:
                    told.setdefault("additionalProperties", False)


def _told(sections: Mapping[str, Any]) -> None:
    """Adds the texts of those fields that are declared without one."""
    for name, texts in TEXTS.items():
        for form in (sections.get(name, {}), *sections.get(name, {}).get("anyOf", ())):
            for field, text in texts.items():
                if field in form.get("properties", {}):
                    form["properties"][field].setdefault("description", text)


KINDS = {"config": schema, "scenario": scenario}
"""What `llm-simulator schema --of` prints."""
