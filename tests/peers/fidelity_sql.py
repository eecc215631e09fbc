#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SQLite as the judge of `tracekit fidelity query`: the ten queries of PandoraTrace as SQL on the
exported table, for every combination of their parameters, must give the same rows.

    fidelity_sql.py TRACEKIT INPUT
"""

import csv
import io
import itertools
import os
import sqlite3
import subprocess
import sys

PAIRS = "{t} AS S1 JOIN {t} AS S2 ON S1.traceId = S2.traceId"
QUERIES = {
    "error_traces": (
        ["entry_point"],
        "SELECT S1.startTime / 3600 AS f, COUNT(*) AS c FROM " + PAIRS +
        " WHERE S1.serviceName = {entry_point} AND S2.status = 1 GROUP BY f"),
    "attribute_traces": (
        ["entry_point", "attr_name"],
        "SELECT S2.{attr_name} AS f, COUNT(*) AS c FROM " + PAIRS +
        " WHERE S1.serviceName = {entry_point} GROUP BY f"),
    "system_architecture": (
        ["service_name", "service_name2"],
        "SELECT S1.startTime / 3600 AS f, COUNT(*) AS c FROM {t} AS S1 JOIN {t} AS S2"
        " ON S1.spanId = S2.parentId WHERE S1.serviceName = {service_name}"
        " AND S2.serviceName = {service_name2} GROUP BY f"),
    "bottlenecks": (
        ["entry_point", "service_name"],
        "SELECT ROUND((S2.endTime - S2.startTime) / (S1.endTime - S1.startTime), 1) AS f,"
        " COUNT(*) AS c FROM " + PAIRS +
        " WHERE S1.serviceName = {entry_point} AND S2.serviceName = {service_name} GROUP BY f"),
    "red_rate": (
        ["service_name"],
        "SELECT startTime / 3600 AS f, COUNT(*) AS c FROM {t}"
        " WHERE serviceName = {service_name} GROUP BY f"),
    "red_error": (
        ["service_name"],
        "SELECT endTime - startTime AS f, COUNT(*) AS c FROM {t}"
        " WHERE serviceName = {service_name} AND status = 1 GROUP BY f"),
    "red_duration": (
        ["service_name"],
        "SELECT endTime - startTime AS f, COUNT(*) AS c FROM {t}"
        " WHERE serviceName = {service_name} GROUP BY f"),
    "attribute_frequency": (
        ["attr_name"],
        "SELECT {attr_name} AS f, COUNT(*) AS c FROM {t} GROUP BY f"),
    "attribute_max_window": (
        ["service_name", "int_attr_name"],
        "SELECT startTime / 3600 AS f, MAX({int_attr_name}) AS c FROM {t}"
        " WHERE serviceName = {service_name} GROUP BY f"),
    "filtered_attribute_frequency": (
        ["service_name", "attr_name"],
        "SELECT {attr_name} AS f, COUNT(*) AS c FROM {t}"
        " WHERE serviceName = {service_name} GROUP BY f"),
}
INTEGERS = ["int_feature_1", "int_feature_2", "int_feature_3"]
COLUMNS = {"str_feature_1", "str_feature_2"} | set(INTEGERS)


def open_table(tracekit, source):
    db = sqlite3.connect(":memory:")
    text = subprocess.run([tracekit, "fidelity", "export", source, "--sql", "-"], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    db.executescript(text)
    for column in ("traceId", "spanId", "parentId", "serviceName"):
        db.execute(f"CREATE INDEX by_{column} ON Spans ({column})")
    return db


def values_of(db):
    services = [row[0] for row in db.execute("SELECT DISTINCT serviceName FROM Spans")]
    entries = [row[0] for row in
               db.execute("SELECT DISTINCT serviceName FROM Spans WHERE parentId LIKE 'top%'")]
    return {"entry_point": entries, "service_name": services, "service_name2": services,
            "attr_name": sorted(COLUMNS), "int_attr_name": INTEGERS}


def ask_sql(db, params, text, values):
    """Rows as {(values of parameters..., f): c}."""
    rows = {}
    for combination in itertools.product(*(values[param] for param in params)):
        words = {param: value if value in COLUMNS else "'" + value.replace("'", "''") + "'"
                 for param, value in zip(params, combination)}
        for f, c in db.execute(text.format(t="Spans", **words)):
            rows[combination + (f,)] = c
    return rows


def key_of(text, like):
    """A key of CSV as the type that SQL gives such keys; nothing is NULL where keys are numbers."""
    if isinstance(like, str):
        return text
    if text == "":
        return None
    return float(text)


def ask_tracekit(tracekit, source, name, params, wanted):
    out = subprocess.run([tracekit, "fidelity", "query", source, name], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    lines = csv.reader(io.StringIO(out))
    if next(lines) != params + ["f", "c"]:
        sys.exit(f"{name}: columns are {params + ['f', 'c']}")
    # Combinations whose keys are texts, by SQL.
    likes = {key[:-1]: key[-1] for key in wanted if key[-1] is not None}
    rows = {}
    for line in lines:
        combination = tuple(line[:len(params)])
        key = combination + (key_of(line[-2], likes.get(combination, 0)),)
        if key in rows:
            sys.exit(f"{name}: {key} comes twice")
        rows[key] = float(line[-1])
    return rows


def main():
    tracekit, source = sys.argv[1:]
    os.environ["LC_ALL"] = "C.UTF-8"
    db = open_table(tracekit, source)
    values = values_of(db)
    failed = False
    for name, (params, text) in QUERIES.items():
        wanted = ask_sql(db, params, text, values)
        found = ask_tracekit(tracekit, source, name, params, wanted)
        same = wanted == found
        failed |= not same
        combinations = len({key[:-1] for key in wanted})
        print(f"{'ok' if same else 'not ok'} {name}: {len(wanted)} rows of {combinations}"
              " combinations")
        if not same:
            print("  only SQL:", [(k, wanted[k]) for k in wanted if found.get(k) != wanted[k]][:3])
            print("  only tracekit:", [(k, found[k]) for k in found if wanted.get(k) != found[k]][:3])
    sys.exit(failed)


main()
