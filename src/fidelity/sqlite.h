/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite, the only files that know it: a database in memory for those who bring queries of their
 * own, with results of two columns as values by key; and one in a file, which prepared statements
 * fill. The library is loaded when the first database is made. One thread at a time. */
#ifndef TK_FIDELITY_SQLITE_H
#define TK_FIDELITY_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "fidelity/pair_counts.h"
#include "span/texts.h"

struct tk_sqlite;

/* An empty database. -EOPNOTSUPP when this build has no SQLite, -ENOENT when this machine has none.
 */
TK_MUST_USE int tk_sqlite_new(struct tk_sqlite **ret_db, struct tk_err *err);

/* A database in a file, which is empty or is made, without a journal: what is half written is lost,
 * and syncing is the caller's. Failures as above, -EIO when there can be no such file. */
TK_MUST_USE int tk_sqlite_open(const char *path, struct tk_sqlite **ret_db, struct tk_err *err);

/* Accepts NULL. Statements are freed before. */
void tk_sqlite_free(struct tk_sqlite *db);

/* For TK_CLEANUP. */
void tk_sqlite_freep(struct tk_sqlite **db);

/* Run statements. -EBADMSG with what SQLite says. */
TK_MUST_USE int tk_sqlite_run(struct tk_sqlite *db, const char *sql, struct tk_err *err);

/* A statement that is run many times: bind all its parameters in their order, then step. */
struct tk_sqlite_insert;

/* `sql` is one statement without results. -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_sqlite_prepare(struct tk_sqlite *db, const char *sql,
                                  struct tk_sqlite_insert **ret_insert, struct tk_err *err);

/* Accepts NULL. */
void tk_sqlite_insert_free(struct tk_sqlite_insert *insert);

/* Bind the next parameter. A text, UTF-8, stays the caller's and has to stay until the step; one
 * whose p is NULL is NULL. */
void tk_sqlite_bind_i64(struct tk_sqlite_insert *insert, int64_t value);
void tk_sqlite_bind_text(struct tk_sqlite_insert *insert, tk_str text);

/* Run it. -EIO with what SQLite says of it or of the first value that could not be bound. */
TK_MUST_USE int tk_sqlite_step(struct tk_sqlite_insert *insert, struct tk_err *err);

/* What keys of results are. */
struct tk_sqlite_keys {
    struct tk_texts texts; /* of all keys: a key is the number of its text */
    bool has_texts;        /* some are texts; else numbers and NULL */
};

/* Add the rows of a query, whose columns are called f and c, to `counts` as combination 0: a NULL f
 * is TK_KEY_NULL, a NULL c is 0. -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_sqlite_count(struct tk_sqlite *db, const char *sql, struct tk_sqlite_keys *keys,
                                struct tk_pair_counts *counts, struct tk_err *err);

#endif
