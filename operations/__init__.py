"""What authors of operations import, and the operations that are built in."""

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.context import OperationContext
from sliceworks.operations.errors import FatalSliceError, SoftTimeoutError
from sliceworks.operations.operation_api import Observer, OperationAPI
from sliceworks.operations.options import OperationOptions, StrictOptions
from sliceworks.operations.processors import BatchProcessor, EachProcessor, FilterProcessor, MapProcessor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Recovery, SliceEnd, SliceInfo, Slicer
from sliceworks.operations.record import DataEntity, Record, RecordBatch, Records
from sliceworks.protocol.errors import Fault

__all__ = [
    "BatchProcessor",
    "DataEntity",
    "EachProcessor",
    "FatalSliceError",
    "Fault",
    "Fetcher",
    "FilterProcessor",
    "MapProcessor",
    "Observer",
    "OperationAPI",
    "OperationContext",
    "OperationOptions",
    "OperationSetup",
    "ParallelSlicer",
    "Record",
    "RecordBatch",
    "Records",
    "Recovery",
    "SliceEnd",
    "SliceInfo",
    "Slicer",
    "SoftTimeoutError",
    "StrictOptions",
]
