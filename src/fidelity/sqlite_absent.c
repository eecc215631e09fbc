/* SPDX-License-Identifier: Apache-2.0 */
/* A build without SQLite: there is no database. */
#include <errno.h>

#include "fidelity/sqlite.h"

int tk_sqlite_new(struct tk_sqlite **ret_db, struct tk_err *err)
{
    *ret_db = NULL;
    return tk_fail(err, -EOPNOTSUPP,
                   "queries in SQL need SQLite, which this build lacks (meson -Dsqlite=enabled); "
                   "the ten queries do not");
}

int tk_sqlite_open(const char *path, struct tk_sqlite **ret_db, struct tk_err *err)
{
    (void)path;
    *ret_db = NULL;
    return tk_fail(err, -EOPNOTSUPP,
                   "a database needs SQLite, which this build lacks (meson -Dsqlite=enabled)");
}

void tk_sqlite_free(struct tk_sqlite *db)
{
    (void)db;
}

void tk_sqlite_freep(struct tk_sqlite **db)
{
    (void)db;
}

int tk_sqlite_run(struct tk_sqlite *db, const char *sql, struct tk_err *err)
{
    (void)db;
    return tk_fail(err, -EOPNOTSUPP, "%s: no SQLite", sql);
}

int tk_sqlite_count(struct tk_sqlite *db, const char *sql, struct tk_sqlite_keys *keys,
                    struct tk_pair_counts *counts, struct tk_err *err)
{
    (void)db;
    (void)keys;
    (void)counts;
    return tk_fail(err, -EOPNOTSUPP, "%s: no SQLite", sql);
}

int tk_sqlite_prepare(struct tk_sqlite *db, const char *sql, struct tk_sqlite_insert **ret_insert,
                      struct tk_err *err)
{
    (void)db;
    *ret_insert = NULL;
    return tk_fail(err, -EOPNOTSUPP, "%s: no SQLite", sql);
}

void tk_sqlite_insert_free(struct tk_sqlite_insert *insert)
{
    (void)insert;
}

void tk_sqlite_bind_i64(struct tk_sqlite_insert *insert, int64_t value)
{
    (void)insert;
    (void)value;
}

void tk_sqlite_bind_text(struct tk_sqlite_insert *insert, tk_str text)
{
    (void)insert;
    (void)text;
}

int tk_sqlite_step(struct tk_sqlite_insert *insert, struct tk_err *err)
{
    (void)insert;
    return tk_fail(err, -EOPNOTSUPP, "no SQLite");
}
