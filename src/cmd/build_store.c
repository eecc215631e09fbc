/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/build_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/step_session.h"
#include "step/baseline.h"
#include "step/ingest.h"

#define DEADLINE_S 30

/* Nobody works on an upload that is older. */
#define UPLOAD_AGE_S ((int64_t)24 * 3600)

int tk_build_store_open(const char *address, bool must_be_up, struct tk_store **ret_store,
                        struct tk_err *err)
{
    const struct tk_store_options options = {.deadline_ns = DEADLINE_S * TK_NS_PER_S,
                                             .must_be_up = must_be_up};
    const char *wanted = tk_env_find("TRACEKIT_STORE");
    if (!(address && *address) && wanted && strcmp(wanted, TK_STORE_STDOUT) == 0)
        return 1; /* steps of a machine that Packer builds: their records are in its log */
    if (address && *address)
        return tk_store_open(tk_str_from(address), &options, ret_store, err);
    return tk_store_open_default(&options, ret_store, err);
}

/* Keys ------------------------------------------------------------------------------------ */

#define PART_MAX 100

/* A text as a part of a key: no '/', no control characters, never empty. */
static void put_part(struct tk_buf *key, tk_str text)
{
    if (text.n == 0)
        text = TK_STR("unknown");
    for (size_t i = 0; i < text.n && i < PART_MAX; i++) {
        bool plain = (unsigned char)text.p[i] > ' ' && text.p[i] != '/' && text.p[i] != 0x7F;
        tk_buf_put(key, plain ? (tk_str){text.p + i, 1} : TK_STR("_"));
    }
}

/* "20260124_120000", UTC, of the start. */
static void put_stamp(struct tk_buf *key, const struct tk_job *job)
{
    double start = job->job_start >= 0 && job->job_start < 253402300800.0 ? job->job_start : 0;
    struct tk_civil at = tk_civil_from_s((int64_t)start);
    tk_buf_printf(key, "%04d%02d%02d_%02d%02d%02d", at.year, at.month, at.day, at.hour, at.minute,
                  at.second);
}

/* "0.10.2/20260124_120000/" */
static void put_folder(struct tk_buf *key, const struct tk_job *job)
{
    put_part(key, job->version);
    tk_buf_putc(key, '/');
    put_stamp(key, job);
    tk_buf_putc(key, '/');
}

static void put_document_key(struct tk_buf *key, const struct tk_job *job, bool with_id)
{
    put_folder(key, job);
    put_part(key, job->job);
    tk_buf_putc(key, '_');
    put_stamp(key, job);
    if (with_id) {
        tk_buf_putc(key, '_');
        put_part(key, job->id.n ? job->id : job->run_id);
    }
    tk_buf_lit(key, ".json");
}

static void put_history_key(struct tk_buf *key, const struct tk_job *job, bool with_id)
{
    bool has_run = job->run_id.n && !tk_str_eq(job->run_id, TK_STR("0"));
    tk_buf_lit(key, "history/");
    put_part(key, tk_job_kind(job->job));
    tk_buf_putc(key, '/');
    put_stamp(key, job);
    tk_buf_putc(key, '_');
    put_part(key, job->version);
    tk_buf_putc(key, '_');
    put_part(key, has_run ? job->run_id : job->id);
    if (with_id) {
        tk_buf_putc(key, '_');
        put_part(key, job->id);
    }
    tk_buf_lit(key, ".json");
}

/* History objects -------------------------------------------------------------------------- */

static bool thin_step_add(struct tk_job *thin, const struct tk_job_step *step,
                          struct tk_arena *scratch)
{
    struct tk_job_step *one = tk_job_add(&tk_job_step_shape, &thin->steps, scratch);
    if (!one)
        return false;
    one->name = (tk_str){step->name.p, step->name.n < PART_MAX ? step->name.n : PART_MAX};
    one->duration_s = step->duration_s;
    one->status = step->status;
    one->cpu.total_s = step->cpu.total_s;
    one->memory.peak_mb = step->memory.peak_mb;
    one->disk_write_mb = step->disk_write_mb;
    one->net_rx_mb = step->net_rx_mb;
    return true;
}

static void thin_init(const struct tk_job *job, tk_str key, struct tk_job *thin)
{
    tk_job_init(thin);
    thin->job = job->job;
    thin->version = job->version;
    thin->timestamp = job->timestamp;
    thin->git_sha = job->git_sha;
    thin->git_ref = job->git_ref;
    thin->run_id = job->run_id;
    thin->run_number = job->run_number;
    thin->job_start = job->job_start;
    thin->job_duration_s = job->job_duration_s;
    thin->id = job->id;
    thin->status = job->status;
    thin->ci.branch = job->ci.branch;
    thin->totals = job->totals;
    thin->system.cpus = job->system.cpus;
    thin->system.memory_total_mb = job->system.memory_total_mb;
    thin->system.fingerprint = job->system.fingerprint;
    thin->key = key;
}

static int compare_longest(const void *a, const void *b)
{
    const struct tk_job_step *const *x = a;
    const struct tk_job_step *const *y = b;
    double dx = isfinite((*x)->duration_s) ? (*x)->duration_s : 0;
    double dy = isfinite((*y)->duration_s) ? (*y)->duration_s : 0;
    return (dx < dy) - (dx > dy);
}

/* The steps that take at least as long as the `most` longest. */
static void thin_steps(const struct tk_job *job, size_t most, struct tk_arena *scratch,
                       struct tk_job *thin)
{
    const size_t each = sizeof(void *);
    const struct tk_job_step **longest = tk_arena_alloc(scratch, (job->steps.count + 1) * each);
    if (!longest)
        return;
    for (size_t i = 0; i < job->steps.count; i++)
        longest[i] = &job->steps.items[i];
    if (most < job->steps.count)
        qsort((void *)longest, job->steps.count, each, compare_longest);
    for (size_t i = 0; i < job->steps.count && i < most; i++) {
        if (!thin_step_add(thin, longest[i], scratch))
            return;
    }
}

void tk_build_history_format(const struct tk_job *job, tk_str key, struct tk_arena *scratch,
                             struct tk_buf *out)
{
    struct tk_job thin;
    size_t begin = out->n;
    size_t most = job->steps.count;
    for (;;) {
        out->n = begin;
        thin_init(job, key, &thin);
        thin_steps(job, most, scratch, &thin);
        tk_job_format(&thin, 3, out);
        if (out->n - begin <= TK_HISTORY_MAX || most == 0 || !tk_buf_ok(out))
            return;
        most = most > 8 ? most * 3 / 4 : most - 1;
    }
}

/* Putting ---------------------------------------------------------------------------------- */

static int put_text(struct tk_store *store, const struct tk_buf *key, tk_str text, unsigned flags,
                    struct tk_err *err)
{
    int rc = tk_buf_check(key, "key", err);
    return rc < 0 ? rc
                  : tk_store_put(store, tk_buf_str(key), tk_store_text(text), flags, NULL, err);
}

/* Put the document under a key of its own; 1 when it is there already. A second build of the same
 * version and second gets its id into the key. */
static int put_document(struct tk_store *store, const struct tk_job *job, tk_str text,
                        struct tk_buf *key, struct tk_err *err)
{
    for (int with_id = 0; with_id < 2; with_id++) {
        tk_buf_reset(key);
        put_document_key(key, job, with_id);
        int rc = put_text(store, key, text, TK_STORE_CREATE_ONLY, err);
        if (rc != -EEXIST)
            return rc;
        TK_CLEANUP(tk_buf_release) struct tk_buf there;
        tk_buf_init(&there, TK_JOB_TEXT_MAX);
        rc = tk_store_get_text(store, tk_buf_str(key), &there, err);
        if (rc < 0)
            return rc;
        if (tk_str_eq(tk_buf_str(&there), text))
            return 1;
    }
    return tk_fail(err, -EEXIST, "%.*s: another build has this key", TK_STR_ARG(tk_buf_str(key)));
}

/* False when the store's latest of the kind is newer than this one. */
static int is_latest(struct tk_store *store, const struct tk_buf *key, const struct tk_job *job,
                     bool *ret_latest, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf there;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    struct tk_job other;
    struct tk_err ignored;
    tk_buf_init(&there, TK_JOB_TEXT_MAX);
    *ret_latest = true;
    int rc = tk_store_get_text(store, tk_buf_str(key), &there, err);
    if (rc == -ENOENT)
        return 0;
    rc = rc < 0 ? rc : tk_arena_init(&arena, TK_JOB_ARENA_MAX, err);
    if (rc < 0)
        return rc;
    if (tk_job_parse(tk_buf_str(&there), &arena, &other, &ignored) == 0)
        *ret_latest = !(other.job_start > job->job_start);
    return 0;
}

static int put_latest(struct tk_store *store, const struct tk_job *job, tk_str text,
                      bool of_version, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf key;
    bool latest = true;
    tk_buf_init(&key, TK_STORE_KEY_MAX);
    tk_buf_lit(&key, "latest/");
    put_part(&key, tk_job_kind(job->job));
    if (of_version) {
        tk_buf_putc(&key, '_');
        put_part(&key, job->version);
    }
    tk_buf_lit(&key, ".json");
    int rc = is_latest(store, &key, job, &latest, err);
    return rc == 0 && latest ? put_text(store, &key, text, 0, err) : rc;
}

/* Whether the extract under this key is of another build than the one of this document. */
static int is_of_another(struct tk_store *store, const struct tk_buf *key, tk_str document_key,
                         struct tk_arena *scratch, bool *ret_another, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf there;
    struct tk_job other;
    struct tk_err ignored;
    tk_buf_init(&there, TK_JOB_TEXT_MAX);
    *ret_another = false;
    int rc = tk_store_get_text(store, tk_buf_str(key), &there, err);
    if (rc == 0 && tk_job_parse(tk_buf_str(&there), scratch, &other, &ignored) == 0)
        *ret_another = other.key.n > 0 && tk_str_cmp(other.key, document_key) != 0;
    return rc == -ENOENT ? 0 : rc;
}

/* Put the extract of a build. Builds of one kind, version, run and second, as those of a matrix,
 * have one key: all but the first get their id into it. */
static int put_history(struct tk_store *store, const struct tk_job *job, tk_str document_key,
                       struct tk_arena *scratch, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf key;
    TK_CLEANUP(tk_buf_release) struct tk_buf thin;
    bool is_another = false;
    tk_buf_init(&key, TK_STORE_KEY_MAX);
    tk_buf_init(&thin, TK_JOB_TEXT_MAX);
    put_history_key(&key, job, false);
    tk_build_history_format(job, document_key, scratch, &thin);
    int rc = tk_buf_check(&thin, "history", err);
    if (rc < 0)
        return rc;
    rc = put_text(store, &key, tk_buf_str(&thin), TK_STORE_CREATE_ONLY, err);
    if (rc != -EEXIST)
        return rc;
    rc = is_of_another(store, &key, document_key, scratch, &is_another, err);
    if (is_another) {
        tk_buf_reset(&key);
        put_history_key(&key, job, true);
    }
    return rc < 0 ? rc : put_text(store, &key, tk_buf_str(&thin), 0, err);
}

static int put_index(struct tk_store *store, const struct tk_job *job, tk_str document_key,
                     tk_str text, struct tk_err *err)
{
    TK_CLEANUP(tk_arena_release) struct tk_arena scratch = {0};
    int rc = tk_arena_init(&scratch, TK_JOB_ARENA_MAX, err);
    rc = rc < 0 ? rc : put_history(store, job, document_key, &scratch, err);
    rc = rc < 0 ? rc : put_latest(store, job, text, true, err);
    return rc < 0 ? rc : put_latest(store, job, text, false, err);
}

int tk_build_store_put(struct tk_store *store, const struct tk_job *job, tk_str text,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf key;
    tk_buf_init(&key, TK_STORE_KEY_MAX);
    int there = put_document(store, job, text, &key, err);
    if (there < 0)
        return there;
    int rc = put_index(store, job, tk_buf_str(&key), text, err);
    return rc < 0 ? rc : there;
}

int tk_build_store_put_steps(struct tk_store *store, const struct tk_job *job, const char *file,
                             struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf key;
    TK_CLEANUP(tk_buf_release) struct tk_buf lines;
    char path[PATH_MAX];
    tk_str folder = tk_str_from(file);
    tk_buf_init(&key, TK_STORE_KEY_MAX);
    tk_buf_init(&lines, TK_JOB_TEXT_MAX);
    if (tk_str_ends_with(folder, TK_STR(".json")))
        folder.n -= strlen(".json");
    int n = snprintf(path, sizeof(path), "%.*s/" TK_PACKER_STEPS, TK_STR_ARG(folder));
    if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK) < 0)
        return 0;
    int rc = tk_file_load(AT_FDCWD, path, &lines, err);
    put_folder(&key, job);
    tk_buf_lit(&key, TK_PACKER_STEPS);
    return rc < 0 ? rc : put_text(store, &key, tk_buf_str(&lines), 0, err);
}

/* Lists of keys ------------------------------------------------------------------------------ */

#define KEYS_MAX 200000

struct keys {
    tk_str *items; /* in the arena */
    size_t count;
    size_t room;
    struct tk_arena *arena;
};

static int key_add(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    struct keys *keys = into;
    if (keys->count == keys->room && keys->count < KEYS_MAX) {
        size_t room = keys->room ? 2 * keys->room : 256;
        tk_str *items = tk_arena_alloc(keys->arena, room * sizeof(*items));
        if (items && keys->count)
            memcpy(items, keys->items, keys->count * sizeof(*items));
        keys->items = items ? items : keys->items;
        keys->room = items ? room : keys->room;
    }
    tk_str copy = tk_arena_copy(keys->arena, object->key);
    if (keys->count == keys->room || !copy.p)
        return tk_fail(err, -EMSGSIZE, "more than %zu objects", keys->count);
    keys->items[keys->count++] = copy;
    return 0;
}

static int keys_list(struct tk_store *store, tk_str prefix, struct tk_arena *arena,
                     struct keys *ret_keys, struct tk_err *err)
{
    *ret_keys = (struct keys){.arena = arena};
    return tk_store_list(store, prefix, (tk_str){0}, key_add, ret_keys, err);
}

int tk_build_store_load(struct tk_store *store, tk_str key, struct tk_arena *arena,
                        struct tk_job *ret_job, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_JOB_TEXT_MAX);
    int rc = tk_store_get_text(store, key, &text, err);
    if (rc < 0)
        return rc;
    tk_str kept = tk_arena_copy(arena, tk_buf_str(&text));
    if (!kept.p && text.n)
        return tk_fail(err, -EMSGSIZE, "more builds than fit into memory");
    rc = tk_job_parse(kept, arena, ret_job, err);
    return rc < 0 ? tk_err_prefix(err, "%.*s", TK_STR_ARG(key)) : 0;
}

/* "history/<kind>/": kinds of two neighbours in a list differ. */
static bool same_kind(tk_str a, tk_str b)
{
    return tk_str_eq((tk_str){a.p, tk_str_find_last(a, '/')},
                     (tk_str){b.p, tk_str_find_last(b, '/')});
}

static int visit(struct tk_store *store, tk_str key, struct tk_arena *arena,
                 struct tk_build_visitor *visitor, struct tk_err *err)
{
    struct tk_job job;
    int rc = tk_build_store_load(store, key, arena, &job, err);
    if (rc == 0)
        return visitor->visit(visitor->into, &job, err);
    if (rc == -EBADMSG)
        visitor->bad++;
    return rc == -EBADMSG || rc == -ENOENT ? 0 : rc; /* it may have been pruned meanwhile */
}

int tk_build_store_read(struct tk_store *store, size_t most, struct tk_arena *arena,
                        struct tk_build_visitor *visitor, struct tk_err *err)
{
    struct keys keys;
    size_t of_kind = 0;
    int rc = keys_list(store, TK_STR("history/"), arena, &keys, err);
    for (size_t i = keys.count; rc == 0 && i > 0; i--) {
        of_kind = i < keys.count && same_kind(keys.items[i], keys.items[i - 1]) ? of_kind + 1 : 0;
        if (of_kind < most)
            rc = visit(store, keys.items[i - 1], arena, visitor, err);
    }
    return rc;
}

/* Keeping order -------------------------------------------------------------------------------- */

static bool all_digits(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!tk_is_digit(text.p[i]))
            return false;
    }
    return text.n > 0;
}

/* <version>/<YYYYmmdd_HHMMSS>/<name>.json */
static bool is_document_key(tk_str key)
{
    tk_str version;
    tk_str stamp;
    if (!tk_str_ends_with(key, TK_STR(".json")) || !tk_str_take_until(&key, '/', &version) ||
        !tk_str_take_until(&key, '/', &stamp) || tk_str_find(key, '/') != key.n)
        return false;
    return stamp.n == 15 && stamp.p[8] == '_' && all_digits((tk_str){stamp.p, 8}) &&
           all_digits((tk_str){stamp.p + 9, 6}) && !tk_str_starts_with(key, TK_STR("step_"));
}

/* Delete a document, and what its build left beside it in "<version>/<ts>/": builds of one version
 * and second share that folder, and the last one takes the rest along. */
static int document_delete(struct tk_store *store, tk_str key, struct tk_arena *arena,
                           struct tk_err *err)
{
    struct keys keys;
    size_t folder = tk_str_find_last(key, '/');
    if (folder == key.n)
        return tk_store_delete(store, key, err);
    int rc = keys_list(store, (tk_str){key.p, folder + 1}, arena, &keys, err);
    bool is_last = true;
    for (size_t i = 0; rc == 0 && i < keys.count; i++)
        is_last = is_last && (!is_document_key(keys.items[i]) || tk_str_eq(keys.items[i], key));
    for (size_t i = 0; rc == 0 && i < keys.count; i++) {
        if (is_last || tk_str_eq(keys.items[i], key))
            rc = tk_store_delete(store, keys.items[i], err);
    }
    return rc;
}

static int prune_one(struct tk_store *store, tk_str key, size_t place, struct tk_arena *arena,
                     struct tk_prune *prune, struct tk_err *err)
{
    struct tk_job job = {0};
    int rc = tk_build_store_load(store, key, arena, &job, err);
    if (rc < 0)
        return rc == -EBADMSG || rc == -ENOENT ? 0 : rc; /* another prune may have been faster */
    bool old = job.job_start < prune->before_s;
    if (place == 0 || (place < prune->keep && !old)) {
        prune->kept++;
        return 0;
    }
    prune->removed++;
    if (prune->dry_run)
        return 0;
    rc = job.key.n ? document_delete(store, job.key, arena, err) : 0;
    return rc < 0 ? rc : tk_store_delete(store, key, err);
}

int tk_build_store_prune(struct tk_store *store, struct tk_arena *arena, struct tk_prune *prune,
                         struct tk_err *err)
{
    struct keys keys;
    size_t of_kind = 0;
    int rc = keys_list(store, TK_STR("history/"), arena, &keys, err);
    for (size_t i = keys.count; rc == 0 && i > 0; i--) {
        of_kind = i < keys.count && same_kind(keys.items[i], keys.items[i - 1]) ? of_kind + 1 : 0;
        rc = prune_one(store, keys.items[i - 1], of_kind, arena, prune, err);
    }
    return rc;
}

/* A key that builds may have: others may have uploads of their own in the bucket. */
static bool is_own_key(tk_str key)
{
    return is_document_key(key) || tk_str_starts_with(key, TK_STR("latest/")) ||
           tk_str_ends_with(key, TK_STR("/" TK_PACKER_STEPS));
}

int tk_build_store_sweep(struct tk_store *store, bool dry_run, size_t *ret_count,
                         struct tk_err *err)
{
    struct tk_store_sweep sweep = {
        .age_ns = UPLOAD_AGE_S * TK_NS_PER_S, .is_ours = is_own_key, .dry_run = dry_run};
    int rc = tk_store_sweep(store, &sweep, err);
    *ret_count = sweep.found;
    return rc;
}

int tk_build_store_reindex(struct tk_store *store, struct tk_arena *arena, size_t *ret_indexed,
                           size_t *ret_bad, struct tk_err *err)
{
    struct keys keys;
    *ret_indexed = 0;
    *ret_bad = 0;
    int rc = keys_list(store, (tk_str){0}, arena, &keys, err);
    for (size_t i = 0; rc == 0 && i < keys.count; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        struct tk_job job;
        tk_buf_init(&text, TK_JOB_TEXT_MAX);
        if (!is_document_key(keys.items[i]))
            continue;
        rc = tk_store_get_text(store, keys.items[i], &text, err);
        rc = rc < 0 ? rc : tk_job_parse(tk_buf_str(&text), arena, &job, err);
        *ret_bad += rc == -EBADMSG;
        *ret_indexed += rc == 0;
        if (rc == 0)
            rc = put_index(store, &job, keys.items[i], tk_buf_str(&text), err);
        rc = rc == -EBADMSG || rc == -ENOENT ? 0 : rc; /* it may have been pruned meanwhile */
    }
    return rc;
}

static int copy(struct tk_store *from, struct tk_store *to, tk_str key, size_t *copied,
                struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    struct tk_store_object there;
    struct tk_store_object here;
    tk_buf_init(&bytes, TK_JOB_TEXT_MAX);
    int rc = tk_store_head(from, key, &here, err);
    int known = rc < 0 ? rc : tk_store_head(to, key, &there, err);
    if (known < 0 && known != -ENOENT)
        return known;
    if (known == 0 && there.size_bytes == here.size_bytes &&
        !tk_str_starts_with(key, TK_STR("latest/")))
        return 0;
    rc = tk_store_get_text(from, key, &bytes, err);
    rc = rc < 0 ? rc : tk_store_put(to, key, tk_store_text(tk_buf_str(&bytes)), 0, NULL, err);
    *copied += rc == 0;
    return rc;
}

int tk_build_store_mirror(struct tk_store *from, struct tk_store *to, struct tk_arena *arena,
                          size_t *ret_copied, struct tk_err *err)
{
    struct keys keys;
    *ret_copied = 0;
    int rc = keys_list(from, (tk_str){0}, arena, &keys, err);
    for (size_t i = 0; rc == 0 && i < keys.count; i++) {
        rc = copy(from, to, keys.items[i], ret_copied, err);
        rc = rc == -ENOENT ? 0 : rc; /* it may have been pruned meanwhile */
    }
    return rc;
}
