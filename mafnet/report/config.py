"""Config section `report`: which variants are compared."""

from typing import Annotated

from pydantic import Field

from mafnet.common.config import EachOnce, Name, Settings

Study = Annotated[
    list[Name], Field(min_length=1, json_schema_extra={"uniqueItems": True}), EachOnce
]


class ReportSection(Settings):
    """The tables and figures that compare variants."""

    studies: dict[Name, Study] = Field(
        {},
        description="Named lists of variants. Each becomes a table, "
        "results/{dataset}/studies/{study}.csv, and a figure.",
    )
