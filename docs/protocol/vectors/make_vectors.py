#!/usr/bin/env python3
"""Writes the test vectors of the protocol from its description, with nothing but the standard library: no protobuf, no
code of Telpher. A unit test holds Telpher's own codec to the result.

    make_vectors.py            prints the vectors
    make_vectors.py --check    exits 1 if vectors.txt beside this file is not what it would print
"""

import struct
import sys
from pathlib import Path

from xxh3 import xxh3_64

# --- protobuf, as far as the protocol uses it: a field is a list of (bytes, comment) lines ---


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, name, value):
    return [(varint(field << 3) + varint(value), f"{name} = {value}")]


def fixed32(field, name, value):
    return [(varint(field << 3 | 5) + struct.pack("<I", value), f"{name} = {value}")]


def fixed64(field, name, value):
    return [(varint(field << 3 | 1) + struct.pack("<Q", value), f"{name} = 0x{value:x}")]


def octets(field, name, value):
    shown = f'"{value.decode()}"' if value.isascii() and value.decode().isprintable() else value.hex(" ")
    return [(varint(field << 3 | 2) + varint(len(value)) + value, f"{name} = {shown}")]


def numbers(field, name, values):
    packed = b"".join(map(varint, values))
    return [(varint(field << 3 | 2) + varint(len(packed)) + packed, f"{name} = {values}")]


def message(field, name, lines):
    size = sum(len(part) for part, _ in lines)
    return [(varint(field << 3 | 2) + varint(size), f"{name}, {size} bytes:")] + [(p, f"  {c}") for p, c in lines]


def header(op, name, *fields):
    return ("header", [(bytes([op]), name)] + [line for field in fields for line in field])


# --- batches ---


def text(value):
    return varint(len(value)) + value


def record(payload, key=None, headers=()):
    flags = (1 if key is not None else 0) | (2 if headers else 0)
    out = bytes([flags])
    if key is not None:
        out += text(key)
    if headers:
        out += varint(len(headers)) + b"".join(text(name) + text(value) for name, value in headers)
    return out + payload


def batch(records, producer, first, put_ms, columns=()):
    """`columns` are (bit, name, list of bytes) in rising order of the bit."""
    body = [(struct.pack("<I", len(r)), f"length of record {i}: {len(r)}") for i, r in enumerate(records)]
    table = b""
    if columns:
        presence = sum(1 << bit for bit, _, _ in columns)
        lines = [(struct.pack("<I", presence), f"columns present: 0b{presence:b}")]
        lines += [(b"".join(values), f"column {bit}: {name}") for bit, name, values in columns]
        table = b"".join(part for part, _ in lines)
        body += lines
    body += [(r, f"record {i}") for i, r in enumerate(records)]
    after = b"".join(part for part, _ in body)
    head = [
        (b"TLB1", "magic"),
        (bytes([1]), "version"),
        (bytes([1 if columns else 0]), "attributes"),
        (struct.pack("<H", 56), "header bytes"),
        (struct.pack("<I", len(records)), f"count = {len(records)}"),
        (struct.pack("<I", len(after)), f"body bytes = {len(after)}"),
        (struct.pack("<Q", producer), f"producer = 0x{producer:x}"),
        (struct.pack("<Q", first), f"first sequence = {first}"),
        (struct.pack("<Q", put_ms), f"put_ms = {put_ms}"),
        (struct.pack("<I", len(table)), f"attribute bytes = {len(table)}"),
        (bytes(4), "reserved"),
    ]
    checksum = xxh3_64(b"".join(part for part, _ in head) + after)
    return ("batch", head + [(struct.pack("<Q", checksum), "XXH3-64 of all but these 8 bytes")] + body)


# --- the vectors ---

TOKEN = bytes(range(0xA0, 0xB0))
SESSION = 0x1122334455667788
BOOT = 0x0102030405060708
PRODUCER = 0x300000001
PUT_MS = 1700000000000
PLAIN = record(b"hello")
KEYED = record(b"world!", key=b"k1", headers=((b"type", b"greeting"), (b"n", b"\x00\x01")))
EMPTY = record(b"")
EPOCH = fixed32(1, "epoch", 1)

THREE = (PLAIN, KEYED, EMPTY)
PRIORITIES = [bytes([p]) for p in (9, 0, 5)]
DUE = [struct.pack("<Q", PUT_MS + ms) for ms in (0, 1000, 2000)]
DEDUP = [bytes([n] * 16) for n in (1, 2, 3)]


def table(first, last):
    return ((0, "priority, u8", PRIORITIES[first:last]), (1, "due_ms, u64", DUE[first:last]),
            (4, "dedup hash, 16 bytes", DEDUP[first:last]))


OPTIONS = [*number(1, "maxsize", 50), *number(2, "max_bytes", 0), *number(3, "on_full", 1), *number(4, "durability", 1),
           *number(5, "lease_ms", 0)]
LIMITS = [*number(1, "message_bytes", 1 << 20), *number(2, "batch_bytes", 1 << 20), *number(3, "batch_count", 65536),
          *number(4, "session_put_bytes", 16 << 20), *number(5, "puts_in_flight", 256),
          *number(6, "credit_messages", 65536), *number(7, "credit_bytes", 64 << 20), *number(8, "settle_ranges", 4096),
          *number(9, "handles", 4096)]

VECTORS = (
    ("hello", "the first frame of a new session", [header(
        0x01, "HELLO", number(1, "proto_min", 1), number(2, "proto_max", 1), octets(4, "client_name", b"worker-1"))]),
    ("hello_resume", "going on with a session on a new connection", [header(
        0x01, "HELLO", number(1, "proto_min", 1), number(2, "proto_max", 1), octets(4, "client_name", b"worker-1"),
        fixed64(5, "resume_session", SESSION), octets(6, "resume_token", TOKEN))]),
    ("hello_ok", "a new session on the only shard", [header(
        0x81, "HELLO_OK", number(1, "proto", 1), fixed64(3, "boot_id", BOOT), fixed64(4, "session", SESSION),
        octets(5, "token", TOKEN), fixed32(6, "epoch", 1), number(8, "lease_ms", 30000), number(9, "heartbeat_ms", 5000),
        message(10, "limits", LIMITS), number(12, "shard_count", 1), message(13, "shard_map", []),
        number(14, "resume_grace_ms", 2000), octets(15, "version", b"0.1.0"))]),
    ("ping", "", [header(0x02, "PING", EPOCH, number(2, "stamp", 12345))]),
    ("pong", "", [header(0x82, "PONG", number(1, "stamp", 12345))]),
    ("bye", "the client ends its session", [header(0x03, "BYE", EPOCH)]),
    ("goodbye", "the broker stops: code RESTARTING, come back in a second", [header(
        0x83, "GOODBYE", number(1, "code", 46), octets(2, "detail", b"stopping"), number(3, "retry_after_ms", 1000))]),
    ("error", "the answer to request 7: NOT_FOUND", [header(
        0x8F, "ERROR", number(1, "req", 7), number(2, "code", 20), octets(3, "detail", b"jobs"))]),
    ("ok", "the answer to request 8", [header(0x8E, "OK", number(1, "req", 8))]),
    ("open", "open or create a queue; options that are given count even when they are 0", [header(
        0x04, "OPEN", EPOCH, number(2, "req", 1), octets(3, "name", b"jobs"), number(4, "create", 1),
        message(5, "options", [*number(1, "maxsize", 50), *number(3, "on_full", 1), *number(5, "lease_ms", 0)]))]),
    ("opened", "", [header(
        0x84, "OPENED", number(1, "req", 1), number(2, "handle", 1), number(3, "generation", 1),
        message(4, "options", OPTIONS), number(5, "put_bytes", 8 << 20), number(7, "created", 1))]),
    ("open_producer", "a new producer for handle 1", [header(
        0x06, "OPEN_PRODUCER", EPOCH, number(2, "req", 2), number(3, "handle", 1))]),
    ("producer_opened", "", [header(
        0x86, "PRODUCER_OPENED", number(1, "req", 2), fixed64(2, "producer", PRODUCER))]),
    ("put", "two messages, one with a key and two headers", [
        header(0x10, "PUT", EPOCH, number(2, "handle", 1)), batch((PLAIN, KEYED), PRODUCER, 0, PUT_MS)]),
    ("put_under_lease", "made while holding offset 17, delivery 2; verdicts below 300 are known", [
        header(0x10, "PUT", EPOCH, number(2, "handle", 1), number(3, "known_below", 300), number(4, "under_offset", 17),
               number(5, "under_delivery", 2)),
        batch((EMPTY,), PRODUCER, 302, PUT_MS)]),
    ("confirm_stored", "sequences 0..1 are stored at offsets 1000..1001; both limits rise", [header(
        0x90, "CONFIRM", number(1, "handle", 1), fixed64(2, "producer", PRODUCER), number(3, "decided_below", 2),
        numbers(4, "stored", [0, 2, 1000]), number(6, "put_bytes", (8 << 20) + 100),
        number(7, "session_put_bytes", (16 << 20) + 100))]),
    ("confirm_refused", "2..3 stored at 1002, 4..8 refused (QUEUE_FULL), 9 stored at 1004, 10 cancelled", [header(
        0x90, "CONFIRM", number(1, "handle", 1), fixed64(2, "producer", PRODUCER), number(3, "decided_below", 11),
        numbers(4, "stored", [2, 2, 1002, 5, 1, 1004]), numbers(5, "refused", [4, 5, 1, 1, 1, 3]))]),
    ("limit", "", [header(
        0x91, "LIMIT", number(1, "handle", 1), number(2, "put_bytes", 9 << 20), number(3, "session_put_bytes", 17 << 20))]),
    ("parked", "the PUT that starts at 11 waits in line, its body is kept", [header(
        0x92, "PARKED", number(1, "handle", 1), fixed64(2, "producer", PRODUCER), number(3, "first_sequence", 11),
        number(4, "kept", 1))]),
    ("room", "send the PUT that starts at 13 again", [header(
        0x93, "ROOM", number(1, "handle", 1), fixed64(2, "producer", PRODUCER), number(3, "first_sequence", 13))]),
    ("cancel", "take 11 and 12 out of line", [header(
        0x11, "CANCEL", EPOCH, number(2, "handle", 1), fixed64(3, "producer", PRODUCER), number(4, "first_sequence", 11),
        number(5, "count", 2))]),
    ("attach", "first attachment: 100 messages, 1 MiB", [header(
        0x20, "ATTACH", EPOCH, number(2, "req", 3), number(3, "handle", 1), number(4, "credit_messages", 100),
        number(5, "credit_bytes", 1 << 20), octets(7, "consumer_name", b"resize"))]),
    ("attach_held", "after a reconnect: still holding 1000..1001 (delivery 1) and 1005 (delivery 3)", [header(
        0x20, "ATTACH", EPOCH, number(2, "req", 3), number(3, "handle", 1), number(4, "credit_messages", 100),
        number(5, "credit_bytes", 1 << 20), numbers(6, "held", [1000, 2, 1, 3, 1, 3]))]),
    ("attached", "1005 is somebody else's by now", [header(
        0xA0, "ATTACHED", number(1, "req", 3), number(2, "sub", 1), numbers(3, "lost", [1005, 1]))]),
    ("credit", "up to 250 messages and 2 MiB since ATTACH", [header(
        0x22, "CREDIT", EPOCH, number(2, "sub", 1), number(3, "messages", 250), number(4, "bytes", 2 << 20))]),
    ("deliver", "offsets 1000..1001 for the first time: the messages of the vector put", [
        header(0xA3, "DELIVER", EPOCH, number(2, "sub", 1), number(3, "count", 2), number(4, "first_offset", 1000),
               number(5, "delivery", 1), number(6, "attempt", 1), number(7, "put_ms", PUT_MS),
               number(8, "charged_bytes", len(PLAIN + KEYED))),
        ("lengths", [(struct.pack("<I", len(r)), f"length of record {i}: {len(r)}") for i, r in enumerate((PLAIN, KEYED))]),
        ("records", [(PLAIN, "record 0"), (KEYED, "record 1")])]),
    ("settle_ack", "the first settle of the attachment: 1000..1001 (delivery 1) and 1005 (delivery 3) are done", [header(
        0x23, "SETTLE", EPOCH, number(2, "sub", 1), number(3, "settle", 1), number(4, "verdict", 1),
        numbers(6, "ranges", [1000, 2, 1, 3, 1, 3]))]),
    ("settle_nack", "1002 (delivery 1) failed: again in 5 s", [header(
        0x23, "SETTLE", EPOCH, number(2, "sub", 1), number(3, "settle", 2), number(4, "verdict", 2),
        number(5, "delay_ms", 5000), numbers(6, "ranges", [1002, 1, 1]))]),
    ("settled", "settles 1 and 2 are committed; of settle 1, offset 1005 was refused", [header(
        0xA4, "SETTLED", number(1, "sub", 1), number(2, "settle", 2), numbers(3, "lost", [1, 1005, 1]))]),
    ("extend", "60 s more for 1003 (delivery 1)", [header(
        0x24, "EXTEND", EPOCH, number(2, "req", 4), number(3, "sub", 1), number(4, "lease_ms", 60000),
        numbers(5, "ranges", [1003, 1, 1]))]),
    ("recall", "please release 1003..1004 (delivery 1) if not started", [header(
        0xA5, "RECALL", number(1, "sub", 1), numbers(2, "ranges", [1003, 2, 1]))]),
    ("end", "no more in generation 1", [header(0xA6, "END", number(1, "sub", 1), number(2, "generation", 1))]),
    ("seal", "", [header(0x30, "SEAL", EPOCH, number(2, "req", 5), number(3, "handle", 1))]),
    ("join", "wait until it is sealed and everything is settled", [header(
        0x32, "JOIN", EPOCH, number(2, "req", 6), number(3, "handle", 1), number(4, "generation", 1),
        number(5, "sealed", 1))]),
    ("joined", "", [header(
        0xB2, "JOINED", number(1, "req", 6),
        message(2, "state", [*octets(1, "name", b"jobs"), *number(8, "sealed", 1), *number(10, "generation", 1),
                             *number(14, "put", 9), *number(15, "acked", 9), *number(21, "high_water", 9)]))]),
    ("batch_long", "one record of 300 bytes: the checksum takes its long path", [
        batch((record(bytes(i % 251 for i in range(299))),), PRODUCER, 7, PUT_MS)]),
    ("batch_table", "three messages with priority, due_ms and dedup hash", [
        batch(THREE, PRODUCER, 40, PUT_MS, table(0, 3))]),
    ("batch_table_cut", "messages 1 and 2 of the vector before, as a batch of their own", [
        batch(THREE[1:], PRODUCER, 41, PUT_MS, table(1, 3))]),
)

INTRODUCTION = """\
# Test vectors of the Telpher protocol, version 1. Written by make_vectors.py; do not edit.
# "== name: what it says" starts a vector, "-- kind" each of its frames; then bytes in hex, and what they mean after '#'.
"""
BYTES_PER_LINE = 16


def show(data, comment):
    rows = [data[i:i + BYTES_PER_LINE].hex(" ") for i in range(0, len(data), BYTES_PER_LINE)]
    return "\n".join([f"{rows[0]:<48}# {comment}"] + rows[1:]) + "\n"


def render():
    out = [INTRODUCTION]
    for name, says, frames in VECTORS:
        out.append(f"\n== {name}{': ' if says else ''}{says}\n")
        for kind, lines in frames:
            out.append(f"-- {kind}\n" + "".join(show(data, comment) for data, comment in lines if data))
    return "".join(out)


def main():
    if sys.argv[1:] == ["--check"]:
        path = Path(__file__).parent / "vectors.txt"
        if path.read_text() != render():
            print(f"{path.name} is not what make_vectors.py writes", file=sys.stderr)
            return 1
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 64
    sys.stdout.write(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
