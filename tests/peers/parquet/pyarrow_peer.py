# SPDX-License-Identifier: Apache-2.0
"""pyarrow as the other side: writes files of every encoding, codec and page version, and compares
what `tracekit parquet cat` says of any file with what pyarrow says, value by value.

    pyarrow_peer.py write DIR            files for the reader
    pyarrow_peer.py compare TK FILE...   tracekit and pyarrow see the same rows
    pyarrow_peer.py statistics FILE...   bounds and null counts are those of the values
"""

import datetime
import decimal
import json
import math
import struct
import subprocess
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 5000


def some(values, every):
    """Every so-many-th value missing."""
    return [None if i % every == 0 else v for i, v in enumerate(values)]


def rows(n):
    return range(n)


def table(n=ROWS):
    utc = datetime.timezone.utc
    columns = {
        "b": pa.array(some([i % 3 == 0 for i in rows(n)], 7)),
        "i8": pa.array([i % 256 - 128 for i in rows(n)], pa.int8()),
        "u32": pa.array([(i * 977777) % 2**32 for i in rows(n)], pa.uint32()),
        "u64": pa.array([2**64 - 1 - i for i in rows(n)], pa.uint64()),
        "i32": pa.array(some([(i * 7919) % 100003 - 50000 for i in rows(n)], 5), pa.int32()),
        "i64": pa.array([(-1) ** i * i**4 for i in rows(n)], pa.int64()),
        "extreme": pa.array([(2**63 - 1, -(2**63), 0)[i % 3] for i in rows(n)], pa.int64()),
        "f32": pa.array(some([i / 7 for i in rows(n)], 11), pa.float32()),
        "f64": pa.array(some([math.sin(i) for i in rows(n)], 13), pa.float64()),
        "odd": pa.array([(float("nan"), float("inf"), -0.0, 1e300)[i % 4] for i in rows(n)]),
        "s": pa.array(some([f"name {i % 50} é" for i in rows(n)], 3)),
        "unique": pa.array([f"key-{i:08d}" * (i % 4) for i in rows(n)]),
        "bin": pa.array([bytes([i % 256, 255, 0]) for i in rows(n)], pa.binary()),
        "fixed": pa.array(some([struct.pack(">I", i) for i in rows(n)], 9), pa.binary(4)),
        "date": pa.array([datetime.date(1960, 1, 1) + datetime.timedelta(i) for i in rows(n)]),
        "ts_ms": pa.array([1700000000000 + i * 37 for i in rows(n)], pa.timestamp("ms", "UTC")),
        "ts_us": pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, i, utc) for i in rows(n)]),
        "ts_ns": pa.array([i * 1234567 for i in rows(n)], pa.timestamp("ns")),
        "dec": pa.array([decimal.Decimal(i - n // 2) / 100 for i in rows(n)], pa.decimal128(12, 2)),
        "none": pa.array([None] * n, pa.int32()),
        "list": pa.array([None if i % 5 == 0 else list(range(i % 4)) for i in rows(n)]),
        "deep": pa.array([[[None, i], None, []] if i % 3 else [] for i in rows(n)]),
        "map": pa.array(
            [None if i % 6 == 0 else [(f"k{j}", f"v{i}" if j else None) for j in range(i % 3)] for i in rows(n)],
            pa.map_(pa.string(), pa.string()),
        ),
        "struct": pa.array([None if i % 4 == 0 else {"a": i, "b": [f"x{i}"] * (i % 3)} for i in rows(n)]),
    }
    return pa.table(columns)


DELTAS = {"i8": "DELTA_BINARY_PACKED", "i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED",
          "extreme": "DELTA_BINARY_PACKED", "u32": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED",
          "ts_ms": "DELTA_BINARY_PACKED", "s": "DELTA_LENGTH_BYTE_ARRAY", "unique": "DELTA_BYTE_ARRAY",
          "bin": "DELTA_BYTE_ARRAY", "b": "RLE", "fixed": "DELTA_BYTE_ARRAY"}
SPLITS = {name: "BYTE_STREAM_SPLIT" for name in ("f32", "f64", "odd", "i32", "i64", "fixed")}


def write(folder):
    whole = table()
    for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        for version in ("1.0", "2.0"):
            pq.write_table(whole, f"{folder}/{codec}-v{version[0]}.parquet", compression=codec,
                           data_page_version=version, row_group_size=1700, data_page_size=4096,
                           write_page_checksum=True)
    for name, encodings in (("delta", DELTAS), ("split", SPLITS)):
        for version in ("1.0", "2.0"):
            pq.write_table(whole, f"{folder}/{name}-v{version[0]}.parquet", use_dictionary=False,
                           column_encoding=encodings, data_page_version=version, data_page_size=8192)
    pq.write_table(whole.select(["i64", "s", "ts_ns"]), f"{folder}/old.parquet", version="1.0",
                   use_deprecated_int96_timestamps=True, store_schema=False)
    pq.write_table(whole.slice(0, 0), f"{folder}/empty.parquet")
    pq.write_table(whole.slice(0, 1), f"{folder}/one.parquet", write_statistics=False)


def plain(value, kind):
    """A value of pyarrow as `tracekit parquet cat --raw` puts it into JSON."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(k): plain(v, kind.item_type) for k, v in value}
    if pa.types.is_list(kind):
        return [plain(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {field.name: plain(value[field.name], field.type) for field in kind}
    if pa.types.is_floating(kind):
        return value if math.isfinite(value) else None
    if pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind):
        return "0x" + value.hex()
    if pa.types.is_binary(kind):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return "0x" + value.hex()
    if pa.types.is_decimal(kind):
        return int(value.scaleb(kind.scale))
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def as_numbers(column):
    """Times as the integers that they are stored as."""
    kind = column.type
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return column.cast(pa.int32())
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return column.cast(pa.int64())
    return column


def iso(ns):
    second = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or struct.pack("f", ours) == struct.pack("f", theirs)
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return ours == theirs
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[k], theirs[k]) for k in ours)
    return type(ours) is type(theirs) and ours == theirs


def compare_one(tk, path):
    file = pq.ParquetFile(path, page_checksum_verification=True)
    raw = not path.endswith("old.parquet")  # int96 has no one integer
    columns = {}
    for name in file.schema_arrow.names if file.metadata.num_columns else []:
        column = file.read([name]).column(name)
        if not raw and pa.types.is_timestamp(column.type):
            values = [iso(ns) for ns in column.cast(pa.int64()).to_pylist()]
        else:
            column = as_numbers(column)
            kind = column.type
            values = [plain(v, kind) for v in column.to_pylist()]
        columns[name] = values
    text = subprocess.run([tk, "parquet", "cat", path] + ["--raw"] * raw, check=True, capture_output=True).stdout
    lines = text.splitlines()
    assert len(lines) == file.metadata.num_rows, f"{path}: {len(lines)} rows, not {file.metadata.num_rows}"
    for i, line in enumerate(lines):
        row = json.loads(line)
        assert list(row) == list(columns), f"{path}: columns {list(row)}"
        for name, value in row.items():
            assert same(value, columns[name][i]), f"{path}: row {i}, {name}: {value!r}, not {columns[name][i]!r}"
    print(f"{path}: {len(lines)} rows alike")


def bounds(values):
    """What statistics have to say of the values of a chunk."""
    there = [v for v in values if v is not None and v == v]
    return (min(there), max(there)) if there else None


def leaves(values):
    for value in values:
        if isinstance(value, list):
            if value:
                yield from leaves(v[1] if isinstance(v, tuple) else v for v in value)
            else:
                yield None
        else:
            yield value


def statistics_one(path):
    file = pq.ParquetFile(path)
    checked = 0
    for group in range(file.metadata.num_row_groups):
        meta = file.metadata.row_group(group)
        for index in range(meta.num_columns):
            chunk = meta.column(index)
            if "." in chunk.path_in_schema and not chunk.path_in_schema.endswith(".list.element"):
                continue
            name = chunk.path_in_schema.split(".")[0]
            values = list(leaves(as_numbers(file.read_row_group(group, [name]).column(name)).to_pylist()))
            where = f"{path}, row group {group}, {name}"
            statistics = chunk.statistics
            assert chunk.num_values == len(values), f"{where}: {chunk.num_values} values"
            assert statistics.null_count == values.count(None), f"{where}: {statistics.null_count} nulls"
            want = bounds(values)
            if not statistics.has_min_max:
                assert want is None or chunk.physical_type in ("FIXED_LEN_BYTE_ARRAY", "BYTE_ARRAY"), f"{where}: no bounds"
                continue
            got = statistics.min_raw, statistics.max_raw
            if isinstance(want[0], int) and max(want) >= 2**31 and chunk.physical_type.startswith("INT"):
                bits = int(chunk.physical_type[3:])  # min_raw is signed, whatever the type
                got = [v % 2**bits if want[0] >= 0 else v for v in got]
            if isinstance(want[0], uuid.UUID):
                want = tuple(v.bytes for v in want)
            if isinstance(want[0], str):
                want = tuple(v.encode() for v in want)
            if isinstance(want[0], bytes):
                got = tuple(v.encode() if isinstance(v, str) else v for v in got)
            # A long text is cut off: pyarrow does not tell.
            exact = [not isinstance(v, bytes) or len(v) <= 64 for v in want]
            assert got[0] == want[0] if exact[0] else got[0] <= want[0], f"{where}: least {got[0]!r}, not {want[0]!r}"
            assert got[1] == want[1] if exact[1] else got[1] >= want[1], f"{where}: greatest {got[1]!r}, not {want[1]!r}"
            checked += 1
    print(f"{path}: {checked} bounds right")


def main():
    command, *args = sys.argv[1:]
    if command == "write":
        write(args[0])
    elif command == "compare":
        for path in args[1:]:
            compare_one(args[0], path)
    elif command == "statistics":
        for path in args:
            statistics_one(path)


main()
