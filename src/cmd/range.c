/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/range.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/run.h"
#include "span/when.h"

#define UNKNOWN (-1)

/* When a run began and ended, epoch ms; UNKNOWN where run.json does not tell. */
struct life {
    int64_t start_ms, stop_ms;
};

static int read_life(const char *folder, struct life *ret_life, struct tk_err *err)
{
    static const char *const names[] = {"run.json", "cctf/run.json"};
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    *ret_life = (struct life){UNKNOWN, UNKNOWN};
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
        struct tk_err why; /* damage is told by who reads it for its own sake */
        if (tk_object_read(dirfd, names[i], &tk_schema_run, &run, &why) < 0)
            continue;
        ret_life->start_ms = tk_batch_i64(run, 0, TK_RUN_START_MS, UNKNOWN);
        ret_life->stop_ms = tk_batch_i64(run, 0, TK_RUN_STOP_MS, UNKNOWN);
        return 0;
    }
    return 0;
}

static int read_point(const char *option, const char *text, const char *folder,
                      const struct life *life, int64_t *ret_us, struct tk_err *err)
{
    int64_t ns;
    if (!text)
        return 0;
    if (*text == '+' && life->start_ms < 0) {
        return tk_fail(err, -EINVAL,
                       "option '--%s': %s: no run.json that tells its start: "
                       "expected a time such as 2026-11-21T09:00:00Z",
                       option, folder);
    }
    if (!tk_when_parse_point(text, life->start_ms * TK_NS_PER_MS, &ns)) {
        return tk_fail(err, -EINVAL, "option '--%s': '%s' is no time: expected " TK_RANGE_HELP,
                       option, text);
    }
    *ret_us = ns / TK_NS_PER_US;
    return 0;
}

/* What lies beside the run is most likely a mistake in the date or the zone. */
static int check_touch(const char *folder, const struct life *life, const struct tk_range *range,
                       struct tk_err *err)
{
    char start[TK_TIME_MAX];
    char stop[TK_TIME_MAX];
    if (life->start_ms < 0 || life->stop_ms < 0 ||
        (range->from_us / 1000 <= life->stop_ms && range->to_us / 1000 >= life->start_ms))
        return 0;
    return tk_fail(err, -EINVAL, "%s: the run lies beside --from and --to: it was from %s to %s",
                   folder, tk_time_format_iso(life->start_ms * TK_NS_PER_MS, start),
                   tk_time_format_iso(life->stop_ms * TK_NS_PER_MS, stop));
}

int tk_range_read(const char *folder, const char *from, const char *to, struct tk_range *ret_range,
                  struct tk_err *err)
{
    struct life life;
    struct tk_range range = TK_RANGE_ALL;
    int rc = read_life(folder, &life, err);
    rc = rc < 0 ? rc : read_point("from", from, folder, &life, &range.from_us, err);
    rc = rc < 0 ? rc : read_point("to", to, folder, &life, &range.to_us, err);
    if (rc < 0)
        return rc;
    if (range.from_us >= range.to_us)
        return tk_fail(err, -EINVAL, "--to is not after --from: nothing lies between them");
    rc = check_touch(folder, &life, &range, err);
    if (rc == 0)
        *ret_range = range;
    return rc;
}
