"""Golden bytes: what each message is on the wire, byte for byte.

Within one VERSION they only ever grow at their end, by fields with a default.  Each entry is a message, the
msgpack array that it is, and its bytes; the `msgpack` package makes and reads the same ones.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import msgpack
import msgspec
import pytest

from sliceworks.protocol import messages as m
from sliceworks.protocol.codec import Decoder, encode

REPORT = m.ControllerReport(
    phase="running",
    reason="",
    failure="",
    statistics=m.Statistics(workers_available=1, processed=2, started="2026-11-21T21:13:26.659Z"),
    counts=m.SliceCounts(pending=1, completed=2),
    operations=[m.OperationTotals(op=0, slices=2, time_us=900, records_in=0, records_out=20, memory_bytes=1)],
)
REPORT_ARRAY: Final[list[object]] = [
    21,
    "running",
    "",
    "",
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, "2026-11-21T21:13:26.659Z", ""],
    [1, 0, 2, 0],
    [[0, 2, 900, 0, 20, 1]],
    [[[], 0, 0], [[], 0, 0]],
]

GOLDEN: Final[dict[str, tuple[msgspec.Struct, list[object], str]]] = {
    "Ping": (
        m.Ping(),
        [0],
        "91 00",
    ),
    "NodeHello": (
        m.NodeHello(
            version=1,
            node_id="node",
            incarnation="inc",
            hostname="host",
            pid=42,
            slots=8,
            python_version="3.11.9",
            sliceworks_version="0.1.0",
        ),
        [10, 1, "node", "inc", "host", 42, 8, "3.11.9", "0.1.0"],
        ("99 0a 01 a4 6e 6f 64 65 a3 69 6e 63 a4 68 6f 73 74 2a 08 a6 33 2e 31 31 2e 39 a5 30 2e 31 2e 30"),
    ),
    "NodeState": (
        m.NodeState(
            workers=[m.WorkerInfo(worker_id=1, pid=43, ex_id="ex", state="busy")],
            links=[m.LinkInfo(ex_id="ex", connected=True, start_failures=1, start_error="why")],
            revision=7,
            draining=True,
        ),
        [11, [[1, 43, "ex", "busy"]], [["ex", True, 1, "why"]], 7, True],
        "95 0b 91 94 01 2b a2 65 78 a4 62 75 73 79 91 94 a2 65 78 c3 01 a3 77 68 79 07 c3",
    ),
    "NodeWelcome": (
        m.NodeWelcome(version=1, cluster="teracluster", heartbeat_ms=5000),
        [12, 1, "teracluster", 5000],
        "94 0c 01 ab 74 65 72 61 63 6c 75 73 74 65 72 cd 13 88",
    ),
    "Assignments": (
        m.Assignments(
            revision=7,
            items=[
                m.Assignment(
                    ex_id="ex",
                    job_id="job",
                    generation=2,
                    host="127.0.0.1",
                    port=45679,
                    secret=b"secret",
                    workers=4,
                    grace_ms=60000,
                    execution=b"{}",
                    log_level="warn",
                )
            ],
        ),
        [13, 7, [["ex", "job", 2, "127.0.0.1", 45679, b"secret", 4, 60000, b"{}", "warn"]]],
        (
            "93 0d 07 91 9a a2 65 78 a3 6a 6f 62 02 a9 31 32 37 2e 30 2e 30 2e 31 cd b2 6f c4 06 73 "
            "65 63 72 65 74 04 cd ea 60 c4 02 7b 7d a4 77 61 72 6e"
        ),
    ),
    "Refused": (
        m.Refused(reason="another major version"),
        [14, "another major version"],
        "92 0e b5 61 6e 6f 74 68 65 72 20 6d 61 6a 6f 72 20 76 65 72 73 69 6f 6e",
    ),
    "ControllerHello": (
        m.ControllerHello(
            version=1, schema=1, ex_id="ex", generation=2, nonce=b"nonce", proof=b"proof", pid=44, port=45679
        ),
        [20, 1, 1, "ex", 2, b"nonce", b"proof", 44, 45679],
        "99 14 01 01 a2 65 78 02 c4 05 6e 6f 6e 63 65 c4 05 70 72 6f 6f 66 2c cd b2 6f",
    ),
    "ControllerReport": (
        REPORT,
        REPORT_ARRAY,
        (
            "98 15 a7 72 75 6e 6e 69 6e 67 a0 a0 9f 01 00 00 00 00 00 00 00 00 00 02 00 00 b8 32 30 "
            "32 36 2d 31 31 2d 32 31 54 32 31 3a 31 33 3a 32 36 2e 36 35 39 5a a0 94 01 00 02 00 91 "
            "96 00 02 cd 03 84 00 14 01 92 93 90 00 00 93 90 00 00"
        ),
    ),
    "ControllerOutcome": (
        m.ControllerOutcome(status="completed", failure="", report=REPORT),
        [22, "completed", "", REPORT_ARRAY],
        (
            "94 16 a9 63 6f 6d 70 6c 65 74 65 64 a0 98 15 a7 72 75 6e 6e 69 6e 67 a0 a0 9f 01 00 00 "
            "00 00 00 00 00 00 00 02 00 00 b8 32 30 32 36 2d 31 31 2d 32 31 54 32 31 3a 31 33 3a 32 "
            "36 2e 36 35 39 5a a0 94 01 00 02 00 91 96 00 02 cd 03 84 00 14 01 92 93 90 00 00 93 90 00 00"
        ),
    ),
    "Wishes": (
        m.Wishes(workers=4, paused=False, stopping=True, grace_ms=60000, log_level="debug"),
        [23, 4, False, True, 60000, "debug"],
        "96 17 04 c2 c3 cd ea 60 a5 64 65 62 75 67",
    ),
    "OutcomeApplied": (
        m.OutcomeApplied(),
        [24],
        "91 18",
    ),
    "SaveAndEnd": (
        m.SaveAndEnd(),
        [25],
        "91 19",
    ),
    "LinkHello": (
        m.LinkHello(
            version=1,
            ex_id="ex",
            generation=2,
            nonce=b"nonce",
            proof=b"proof",
            node_id="node",
            incarnation="inc",
            hostname="host",
            held_seqs=[1, 300],
            held_epochs=[1, 2],
            number=3,
        ),
        [30, 1, "ex", 2, b"nonce", b"proof", "node", "inc", "host", [1, 300], [1, 2], 3],
        (
            "9c 1e 01 a2 65 78 02 c4 05 6e 6f 6e 63 65 c4 05 70 72 6f 6f 66 a4 6e 6f 64 65 a3 69 6e "
            "63 a4 68 6f 73 74 92 01 cd 01 2c 92 01 02 03"
        ),
    ),
    "LinkWelcome": (
        m.LinkWelcome(version=1, generation=2, proof=b"proof"),
        [31, 1, 2, b"proof"],
        "94 1f 01 02 c4 05 70 72 6f 6f 66",
    ),
    "LinkState": (
        m.LinkState(
            available=4, active=3, joined=5, disconnected=1, window=80, start_failures=1, start_error="why"
        ),
        [32, 4, 3, 5, 1, 80, 1, "why"],
        "98 20 04 03 05 01 50 01 a3 77 68 79",
    ),
    "RunSlices": (
        m.RunSlices(
            seqs=[1, 300], epochs=[1, 2], requests=[b"{}", b"[1]"], slice_ids={300: "uuid"}, retries={300: 1}
        ),
        [33, [1, 300], [1, 2], [b"{}", b"[1]"], {300: "uuid"}, {300: 1}],
        (
            "96 21 92 01 cd 01 2c 92 01 02 92 c4 02 7b 7d c4 03 5b 31 5d 81 cd 01 2c a4 75 75 69 64 "
            "81 cd 01 2c 01"
        ),
    ),
    "RecallSlices": (
        m.RecallSlices(count=10),
        [34, 10],
        "92 22 0a",
    ),
    "SliceResults": (
        m.SliceResults(
            batch=9,
            seqs=[1, 300],
            epochs=[1, 2],
            kinds=b"\x00\x03",
            workers=[1, 2],
            started_ms=[1795295606659, 0],
            run_us=[1500, 0],
            details={1: m.ResultDetail(error="killed", op="noop", exit_code=None, signal=9, log_tail="")},
            operations=[
                m.OperationTotals(op=0, slices=1, time_us=900, records_in=0, records_out=20, memory_bytes=1)
            ],
            window=80,
        ),
        [
            35,
            9,
            [1, 300],
            [1, 2],
            b"\x00\x03",
            [1, 2],
            [1795295606659, 0],
            [1500, 0],
            {1: ["killed", "noop", None, 9, ""]},
            [[0, 1, 900, 0, 20, 1]],
            80,
        ],
        (
            "9b 23 09 92 01 cd 01 2c 92 01 02 c4 02 00 03 92 01 02 92 cf 00 00 01 a1 ff f4 f7 83 00 "
            "92 cd 05 dc 00 81 01 95 a6 6b 69 6c 6c 65 64 a4 6e 6f 6f 70 c0 09 a0 91 96 00 01 cd 03 "
            "84 00 14 01 50"
        ),
    ),
    "AckResults": (
        m.AckResults(batch=9),
        [36, 9],
        "92 24 09",
    ),
    "HostReady": (
        m.HostReady(),
        [40],
        "91 28",
    ),
    "HostFailed": (
        m.HostFailed(error="ImportError"),
        [41, "ImportError"],
        "92 29 ab 49 6d 70 6f 72 74 45 72 72 6f 72",
    ),
    "HostResults": (
        m.HostResults(
            seqs=[1],
            epochs=[1],
            kinds=b"\x01",
            started_ms=[1795295606659],
            run_us=[1500],
            details={0: m.ResultDetail(error="bad", op="noop", exit_code=1)},
            operations=[],
        ),
        [42, [1], [1], b"\x01", [1795295606659], [1500], {0: ["bad", "noop", 1, None, ""]}, []],
        (
            "98 2a 91 01 91 01 c4 01 01 91 cf 00 00 01 a1 ff f4 f7 83 91 cd 05 dc 81 00 95 a3 62 61 "
            "64 a4 6e 6f 6f 70 01 c0 a0 90"
        ),
    ),
    "HostFinish": (
        m.HostFinish(),
        [43],
        "91 2b",
    ),
    "SlicerReady": (
        m.SlicerReady(slicers=2, recoverable=True, relocatable=False, max_queue_length=10000),
        [50, 2, True, False, 10000, []],
        "96 32 02 c3 c2 cd 27 10 90",
    ),
    "WantSlices": (
        m.WantSlices(slicer_id=0, count=500),
        [51, 0, 500],
        "93 33 00 cd 01 f4",
    ),
    "SlicesMade": (
        m.SlicesMade(slicer_id=0, requests=[b"{}", b"[1]"], checkpoint=b"at 2"),
        [52, 0, [b"{}", b"[1]"], b"at 2"],
        "94 34 00 92 c4 02 7b 7d c4 03 5b 31 5d c4 04 61 74 20 32",
    ),
    "SlicingFinished": (
        m.SlicingFinished(slicer_id=0),
        [53, 0],
        "92 35 00",
    ),
    "SlicerFailed": (
        m.SlicerFailed(error="ValueError"),
        [54, "ValueError"],
        "92 36 aa 56 61 6c 75 65 45 72 72 6f 72",
    ),
    "StopSlicing": (
        m.StopSlicing(),
        [55],
        "91 37",
    ),
    "SliceNews": (
        m.SliceNews("complete", 2, slice_ids=["a"], slicer_ids=[0], orders=[7], requests=[b"{}"]),
        [56, "complete", 2, ["a"], [0], [7], [b"{}"]],
        "97 38 a8 63 6f 6d 70 6c 65 74 65 02 91 a1 61 91 00 91 07 91 c4 02 7b 7d",
    ),
    "StatisticsNews": (
        m.StatisticsNews(m.Statistics(processed=3)),
        [57, [0] * 10 + [3, 0, 0, "", ""]],
        "92 39 9f 00 00 00 00 00 00 00 00 00 00 03 00 00 a0 a0",
    ),
    "LogFrom": (
        m.LogFrom(level="debug"),
        [60, "debug"],
        "92 3c a5 64 65 62 75 67",
    ),
}

DIRECTIONS: Final[tuple[Any, ...]] = (
    m.NodeToMaster,
    m.MasterToNode,
    m.ControllerToMaster,
    m.MasterToController,
    m.DaemonToController,
    m.ControllerToDaemon,
    m.DaemonToHost,
    m.HostToDaemon,
    m.ControllerToSlicer,
    m.SlicerToController,
)

entries = pytest.mark.parametrize(("message", "array", "golden"), GOLDEN.values(), ids=GOLDEN)


@entries
def test_a_message_is_these_bytes(message: msgspec.Struct, array: list[object], golden: str) -> None:
    assert encode(message).hex() == golden.replace(" ", "")


@entries
def test_the_msgpack_package_makes_and_reads_the_same(
    message: msgspec.Struct, array: list[object], golden: str
) -> None:
    data = bytes.fromhex(golden)
    assert msgpack.packb(array) == data
    assert msgpack.unpackb(data, strict_map_key=False) == array


@entries
def test_these_bytes_are_read_in_every_direction_that_has_the_message(
    message: msgspec.Struct, array: list[object], golden: str
) -> None:
    unions = [union for union in DIRECTIONS if type(message) in get_args(union)]
    assert unions
    for union in unions:
        decoder: Decoder[Any] = Decoder(union)
        assert decoder.decode(bytes.fromhex(golden)) == message


def test_every_message_has_its_golden_bytes_and_a_tag_of_its_own() -> None:
    tagged = [
        kind
        for kind in vars(m).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__struct_config__.tag is not None
    ]
    assert {type(message) for message, _, _ in GOLDEN.values()} == set(tagged)
    assert len({kind.__struct_config__.tag for kind in tagged}) == len(tagged)
    assert all(kind.__struct_config__.array_like and kind.__struct_config__.frozen for kind in tagged)


@entries
def test_what_an_older_peer_leaves_out_takes_its_default(
    message: msgspec.Struct, array: list[object], golden: str
) -> None:
    kind = type(message)
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    shortest = kind(*(getattr(message, name) for name in required))
    decoder: Decoder[Any] = Decoder(kind)
    assert decoder.decode(msgpack.packb(array[: 1 + len(required)])) == shortest


def test_no_fields_are_added_without_a_default_at_the_end() -> None:
    """The shortest form that each message may have never grows within a VERSION."""
    assert m.VERSION == 1
    required = {
        kind.__name__: sum(field.required for field in msgspec.structs.fields(kind))
        for kind in {type(message) for message, _, _ in GOLDEN.values()}
    }
    assert required == {
        "Ping": 0,
        "NodeHello": 8,
        "NodeState": 2,
        "NodeWelcome": 3,
        "Assignments": 2,
        "Refused": 1,
        "ControllerHello": 8,
        "ControllerReport": 6,
        "ControllerOutcome": 3,
        "Wishes": 4,
        "OutcomeApplied": 0,
        "SaveAndEnd": 0,
        "LinkHello": 10,
        "LinkWelcome": 3,
        "LinkState": 5,
        "RunSlices": 3,
        "RecallSlices": 1,
        "SliceResults": 10,
        "AckResults": 1,
        "HostReady": 0,
        "HostFailed": 1,
        "HostResults": 7,
        "HostFinish": 0,
        "SlicerReady": 4,
        "WantSlices": 2,
        "SlicesMade": 2,
        "SlicingFinished": 1,
        "SlicerFailed": 1,
        "StopSlicing": 0,
        "SliceNews": 6,
        "StatisticsNews": 1,
        "LogFrom": 1,
    }
