#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of opendc.md section 4: an export in a folder for each variant that parquet-java accepts
or refuses (lists with a leaf of another name pass it, and fail in OpenDC's own code).

    opendc_variants.py EXPORT DIR     prints the names, those to be refused behind a "-"
"""

import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def cast(name, kind):
    def change(table):
        place = table.schema.get_field_index(name)
        field = pa.field(name, kind, nullable=table.schema.field(name).nullable)
        return table.set_column(place, field, table[name].cast(kind, safe=False))
    return change


def optional(name):
    def change(table):
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name).with_nullable(True), table[name])
    return change


def required(name):
    def change(table):
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name).with_nullable(False), table[name])
    return change


def elements(kind):
    def change(table):
        lists = pa.list_(pa.field("element", kind))
        place = table.schema.get_field_index("parents")
        return table.set_column(place, pa.field("parents", lists), table["parents"].cast(lists))
    return change


# Name, file, what is changed, is accepted.
VARIANTS = [
    ("as-it-is", "tasks", lambda table: table, True),
    ("turned-round", "tasks", lambda table: table.select(table.column_names[::-1]), True),
    ("name-required", "tasks", required("name"), True),
    ("plain-time", "tasks", cast("submission_time", pa.int64()), True),
    ("without-duration", "tasks", lambda table: table.drop_columns(["duration"]), True),
    ("more-columns", "fragments",
     lambda table: table.append_column("cpu_count", pa.array([1] * len(table), pa.int32())), True),
    ("id-optional", "tasks", optional("id"), False),
    ("id-int64", "fragments", cast("id", pa.int64()), False),
    ("id-text", "tasks", cast("id", pa.string()), False),
    ("count-int64", "tasks", cast("cpu_count", pa.int64()), False),
    ("duration-int32", "fragments", cast("duration", pa.int32()), False),
    ("capacity-float", "tasks", cast("cpu_capacity", pa.float32()), False),
    ("memory-double", "tasks", cast("mem_capacity", pa.float64()), False),
    ("usage-optional", "fragments", optional("cpu_usage"), False),
    ("parents-int64", "tasks", elements(pa.int64()), False),
]


def main(export, to):
    for name, file, change, accepted in VARIANTS:
        folder = Path(to) / name
        shutil.copytree(export, folder)
        path = folder / f"{file}.parquet"
        table = change(pq.read_table(path))
        pq.write_table(table, path)
        print(name if accepted else f"-{name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
