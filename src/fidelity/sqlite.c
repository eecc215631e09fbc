/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/library.h"

/* What we call of the library. */
struct functions {
    __typeof__(sqlite3_open) *open;
    __typeof__(sqlite3_close) *close;
    __typeof__(sqlite3_exec) *exec;
    __typeof__(sqlite3_errmsg) *errmsg;
    __typeof__(sqlite3_errstr) *errstr;
    __typeof__(sqlite3_prepare_v2) *prepare;
    __typeof__(sqlite3_step) *step;
    __typeof__(sqlite3_reset) *reset;
    __typeof__(sqlite3_bind_int64) *bind_i64;
    __typeof__(sqlite3_bind_text) *bind_text;
    __typeof__(sqlite3_finalize) *finalize;
    __typeof__(sqlite3_column_count) *column_count;
    __typeof__(sqlite3_column_name) *column_name;
    __typeof__(sqlite3_column_type) *column_type;
    __typeof__(sqlite3_column_double) *column_double;
    __typeof__(sqlite3_column_blob) *column_blob;
    __typeof__(sqlite3_column_bytes) *column_bytes;
};

static const struct tk_symbol symbols[] = {
    TK_SYMBOL(struct functions, open, sqlite3_open),
    TK_SYMBOL(struct functions, close, sqlite3_close),
    TK_SYMBOL(struct functions, exec, sqlite3_exec),
    TK_SYMBOL(struct functions, errmsg, sqlite3_errmsg),
    TK_SYMBOL(struct functions, errstr, sqlite3_errstr),
    TK_SYMBOL(struct functions, prepare, sqlite3_prepare_v2),
    TK_SYMBOL(struct functions, step, sqlite3_step),
    TK_SYMBOL(struct functions, reset, sqlite3_reset),
    TK_SYMBOL(struct functions, bind_i64, sqlite3_bind_int64),
    TK_SYMBOL(struct functions, bind_text, sqlite3_bind_text),
    TK_SYMBOL(struct functions, finalize, sqlite3_finalize),
    TK_SYMBOL(struct functions, column_count, sqlite3_column_count),
    TK_SYMBOL(struct functions, column_name, sqlite3_column_name),
    TK_SYMBOL(struct functions, column_type, sqlite3_column_type),
    TK_SYMBOL(struct functions, column_double, sqlite3_column_double),
    TK_SYMBOL(struct functions, column_blob, sqlite3_column_blob),
    TK_SYMBOL(struct functions, column_bytes, sqlite3_column_bytes),
};

static const struct tk_library library = {"libsqlite3.so.0", symbols, TK_COUNTOF(symbols)};

struct tk_sqlite {
    struct functions call;
    sqlite3 *db;
};

/* Load the library; NULL after a failure, whose message begins with `what`. */
static struct tk_sqlite *load(const char *what, struct tk_err *err)
{
    struct tk_sqlite *db = calloc(1, sizeof(*db));
    if (!db) {
        tk_fail(err, -ENOMEM, "SQLite: out of memory");
    } else if (tk_library_load(&library, &db->call, err) < 0) {
        tk_err_prefix(err, "%s", what);
        free(db);
        db = NULL;
    }
    return db;
}

int tk_sqlite_new(struct tk_sqlite **ret_db, struct tk_err *err)
{
    struct tk_sqlite *db = load("queries in SQL need SQLite", err);
    if (!db)
        return err->code;
    if (db->call.open(":memory:", &db->db) != SQLITE_OK) {
        tk_sqlite_free(db);
        return tk_fail(err, -ENOMEM, "SQLite: no database in memory");
    }
    *ret_db = db;
    return 0;
}

int tk_sqlite_open(const char *path, struct tk_sqlite **ret_db, struct tk_err *err)
{
    struct tk_sqlite *db = load("a database needs SQLite", err);
    if (!db)
        return err->code;
    int rc = 0;
    if (db->call.open(path, &db->db) != SQLITE_OK)
        rc = tk_fail(err, -EIO, "SQLite: %s", db->call.errmsg(db->db));
    rc =
        rc < 0 ? rc : tk_sqlite_run(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
    if (rc < 0) {
        tk_sqlite_free(db);
        return rc;
    }
    *ret_db = db;
    return 0;
}

void tk_sqlite_free(struct tk_sqlite *db)
{
    if (!db)
        return;
    (void)db->call.close(db->db);
    free(db);
}

void tk_sqlite_freep(struct tk_sqlite **db)
{
    tk_sqlite_free(*db);
}

static int fail(const struct tk_sqlite *db, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "SQLite: %s", db->call.errmsg(db->db));
}

int tk_sqlite_run(struct tk_sqlite *db, const char *sql, struct tk_err *err)
{
    return db->call.exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, err);
}

/* Statements that are run many times ----------------------------------------------------------- */

struct tk_sqlite_insert {
    const struct tk_sqlite *db;
    sqlite3_stmt *statement;
    int bound;   /* parameters, of the run at hand */
    int failure; /* SQLITE_OK, or why a parameter could not be bound */
};

int tk_sqlite_prepare(struct tk_sqlite *db, const char *sql, struct tk_sqlite_insert **ret_insert,
                      struct tk_err *err)
{
    struct tk_sqlite_insert *insert = calloc(1, sizeof(*insert));
    if (!insert)
        return tk_fail(err, -ENOMEM, "SQLite: out of memory");
    insert->db = db;
    if (db->call.prepare(db->db, sql, -1, &insert->statement, NULL) != SQLITE_OK) {
        free(insert);
        return fail(db, err);
    }
    *ret_insert = insert;
    return 0;
}

void tk_sqlite_insert_free(struct tk_sqlite_insert *insert)
{
    if (!insert)
        return;
    (void)insert->db->call.finalize(insert->statement);
    free(insert);
}

static void note(struct tk_sqlite_insert *insert, int result)
{
    if (insert->failure == SQLITE_OK)
        insert->failure = result;
}

void tk_sqlite_bind_i64(struct tk_sqlite_insert *insert, int64_t value)
{
    note(insert, insert->db->call.bind_i64(insert->statement, ++insert->bound, value));
}

void tk_sqlite_bind_text(struct tk_sqlite_insert *insert, tk_str text)
{
    int n = text.n <= INT32_MAX ? (int)text.n : INT32_MAX; /* far more than SQLite takes */
    note(insert,
         insert->db->call.bind_text(insert->statement, ++insert->bound, text.p, n, SQLITE_STATIC));
}

int tk_sqlite_step(struct tk_sqlite_insert *insert, struct tk_err *err)
{
    const struct functions *call = &insert->db->call;
    int result = insert->failure;
    if (result == SQLITE_OK)
        result = call->step(insert->statement);
    if (result != SQLITE_DONE)
        return tk_fail(err, -EIO, "SQLite: %s", call->errstr(result));
    insert->bound = 0;
    (void)call->reset(insert->statement);
    return 0;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* A column by its name, or -1. */
static int find_column(const struct tk_sqlite *db, sqlite3_stmt *query, const char *name)
{
    int n = db->call.column_count(query);
    while (n-- > 0) {
        const char *own = db->call.column_name(query, n);
        if (own && strcmp(own, name) == 0)
            return n;
    }
    return -1;
}

/* Equal values have one key: numbers by what they are worth, texts and blobs by their bytes. */
static uint64_t key_of(const struct tk_sqlite *db, sqlite3_stmt *query, int column,
                       struct tk_sqlite_keys *keys)
{
    int type = db->call.column_type(query, column);
    if (type == SQLITE_NULL)
        return TK_KEY_NULL;
    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        double number = db->call.column_double(query, column) + 0.0; /* -0 is 0 */
        char bytes[sizeof(number) + 1] = {'#'};
        memcpy(bytes + 1, &number, sizeof(number));
        return tk_texts_add(&keys->texts, (tk_str){bytes, sizeof(bytes)});
    }
    keys->has_texts = true;
    const char *text = db->call.column_blob(query, column);
    int n = db->call.column_bytes(query, column);
    return tk_texts_add(&keys->texts, (tk_str){text, (size_t)n});
}

static int count_rows(const struct tk_sqlite *db, sqlite3_stmt *query, struct tk_sqlite_keys *keys,
                      struct tk_pair_counts *counts, struct tk_err *err)
{
    int f = find_column(db, query, "f");
    int c = find_column(db, query, "c");
    if (f < 0 || c < 0)
        return tk_fail(err, -EBADMSG, "expected two columns, f and c");
    int step;
    while ((step = db->call.step(query)) == SQLITE_ROW) {
        uint64_t key = key_of(db, query, f, keys);
        if (key == TK_TEXTS_NONE)
            return tk_fail(err, -ENOMEM, "SQLite: too many keys");
        tk_pair_counts_add(counts, 0, key, db->call.column_double(query, c));
    }
    return step == SQLITE_DONE ? tk_pair_counts_check(counts, err) : fail(db, err);
}

int tk_sqlite_count(struct tk_sqlite *db, const char *sql, struct tk_sqlite_keys *keys,
                    struct tk_pair_counts *counts, struct tk_err *err)
{
    sqlite3_stmt *query = NULL;
    if (db->call.prepare(db->db, sql, -1, &query, NULL) != SQLITE_OK)
        return fail(db, err);
    if (!query)
        return tk_fail(err, -EBADMSG, "expected a query");
    int rc = count_rows(db, query, keys, counts, err);
    (void)db->call.finalize(query);
    return rc;
}
