/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/span_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/tkz_file.h"
#include "run/run.h"
#include "span/span_text.h"

int tk_span_store_open(const char *run, struct tk_span_store *ret_store, struct tk_err *err)
{
    *ret_store = (struct tk_span_store){.dirfd = -1};
    int rc = tk_tkz_refuse_as_run(run, err);
    rc = rc < 0 ? rc : tk_run_path_resolve(run, ret_store->path, sizeof(ret_store->path), err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_fd_close) int rundir = -1;
    rc = tk_dir_open(AT_FDCWD, ret_store->path, &rundir, err);
    if (rc < 0)
        return rc;
    rc = tk_dir_open(rundir, "spans", &ret_store->dirfd, err);
    if (rc == -ENOENT) {
        return tk_fail(err, rc,
                       "%s has no spans: 'tracekit serve' receives them, 'tracekit import' "
                       "reads them",
                       ret_store->path);
    }
    rc = rc < 0 ? rc : tk_segment_set_new(ret_store->dirfd, false, &ret_store->set, err);
    return rc < 0 ? tk_err_prefix(err, "%s/spans", ret_store->path) : 0;
}

int tk_span_store_open_any(const char *run, struct tk_span_store *ret_store, struct tk_err *err)
{
    if (!run || !tk_tkz_detect(run))
        return tk_span_store_open(run, ret_store, err);
    *ret_store = (struct tk_span_store){.dirfd = -1};
    if (!tk_str_to_cstr(tk_str_from(run), ret_store->path, sizeof(ret_store->path)))
        return tk_fail(err, -ENAMETOOLONG, "%s: the path is too long", run);
    return tk_segment_set_new_of_blocks(AT_FDCWD, run, &ret_store->set, err);
}

void tk_span_store_release(struct tk_span_store *store)
{
    tk_segment_set_free(store->set);
    tk_fd_close(&store->dirfd);
}

char *tk_trace_id_cstr(const uint8_t id[16], char buf[TK_TRACE_ID_MAX])
{
    tk_trace_id_format(id, buf);
    buf[TK_TRACE_ID_DIGITS] = '\0';
    return buf;
}

char *tk_trace_id_cut(const uint8_t id[16], char buf[TK_TRACE_ID_MAX])
{
    enum { SHOWN = 12 };
    static const uint8_t zero[8];
    tk_trace_id_cstr(id, buf);
    if (memcmp(id, zero, sizeof(zero)) == 0)
        memmove(buf, buf + 2 * sizeof(zero), SHOWN);
    buf[SHOWN] = '\0';
    return buf;
}

char *tk_span_id_cstr(uint64_t id, char buf[TK_TRACE_ID_MAX])
{
    tk_span_id_format(id, buf);
    buf[TK_SPAN_ID_DIGITS] = '\0';
    return buf;
}

bool tk_span_store_on_one_day(const struct tk_segment_set *set)
{
    const int64_t day_ns = 86400 * TK_NS_PER_S;
    struct tk_segment_totals totals;
    tk_segment_set_count(set, &totals);
    return totals.first_ns / day_ns == totals.last_ns / day_ns;
}

char *tk_span_time_format(int64_t ns, bool with_date, char buf[TK_TIME_MAX])
{
    char iso[TK_TIME_MAX]; /* 2026-11-21T09:02:29Z */
    tk_str text = tk_str_from(tk_time_format_iso(ns, iso));
    size_t date = tk_str_find(text, 'T');
    (void)snprintf(buf, TK_TIME_MAX, "%.*s%s%.*s.%03d", with_date ? (int)date : 0, text.p,
                   with_date ? " " : "", (int)(text.n - date - 2), text.p + date + 1,
                   (int)(ns / TK_NS_PER_MS % 1000));
    return buf;
}
