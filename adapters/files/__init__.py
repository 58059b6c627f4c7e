"""Files from a department's own system (the offline channel): rows in, records in the wire's shape out."""

from adapters.files.findings import FileUnreadable, MappingWrong
from adapters.files.mapping import Mapping, load_mapping
from adapters.files.records import SECRET, MappedProblem, MappedRecord, read_cases, read_feedback

__all__ = [
    "SECRET",
    "FileUnreadable",
    "MappedProblem",
    "MappedRecord",
    "Mapping",
    "MappingWrong",
    "load_mapping",
    "read_cases",
    "read_feedback",
]
