/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of each node: whether it was synchronised, and by how much it was set back. In a merged
 * run the rows of clock.jsonl name their node; in the run of one node they need not. */
#include "base/hash.h"
#include "run/verify_internal.h"

/* As for the recorder: what the wall clock moves by less is no step. */
#define STEP_US 10000

#define UNSYNCHRONISED 0x40 /* STA_UNSYNC of adjtimex(2) */

static uint64_t clock_key(tk_str node, tk_str host)
{
    return node.n == 0 && host.n == 0 ? 0 : tk_hash_mix(tk_hash_text(node), tk_hash_text(host));
}

/* Of any table: the columns that say where a row is from. */
uint64_t tk_verify_clock_key(const struct tk_row *row)
{
    size_t count = row->schema->column_count;
    size_t node = tk_schema_find(row->schema, TK_STR("node"), 0);
    size_t host = tk_schema_find(row->schema, TK_STR("host"), 0);
    if (node == count)
        node = tk_schema_find(row->schema, TK_STR("node_id"), 0);
    return clock_key(node < count ? tk_row_text(row, node) : (tk_str){NULL, 0},
                     host < count ? tk_row_text(row, host) : (tk_str){NULL, 0});
}

/* The clock of a node: its own, or the only one there is. */
static const struct tk_verify_clock *find_clock(const struct tk_verify *verify, uint64_t key)
{
    uint32_t index;
    if (!tk_map_find(&verify->clocks.map, key, &index) &&
        !tk_map_find(&verify->clocks.map, 0, &index))
        return NULL;
    return tk_verify_at(&verify->clocks.list, index);
}

bool tk_verify_stepped_back(struct tk_verify *verify, uint64_t key, uint64_t line, int64_t by_us)
{
    const struct tk_verify_clock *clock = find_clock(verify, key);
    if (!clock || clock->wall_back_us < STEP_US || by_us > clock->wall_back_us + STEP_US)
        return false;
    if (verify->stepped_file != verify->file) {
        verify->stepped_file = verify->file;
        tk_verify_add(verify, TK_VERIFY_CLOCK, line,
                      "%.3f s back in time with the wall clock, see clock.jsonl",
                      (double)by_us / 1e6);
    }
    return true;
}

/* The wall clock against the monotonic one, as the row reads them, else by the step that it tells.
 * Returns how far it moved since the row before. */
static int64_t follow_wall(struct tk_verify_clock *clock, const struct tk_row *row, int64_t step_us)
{
    static const int64_t limit_us = INT64_MAX / 8;
    int64_t real_us = tk_row_i64(row, TK_CLOCK_REALTIME_US, -1);
    int64_t mono_us = tk_row_i64(row, TK_CLOCK_MONOTONIC_US, -1);
    bool is_read = real_us >= 0 && real_us < limit_us && mono_us >= 0 && mono_us < limit_us;
    bool is_told = step_us < limit_us && step_us > -limit_us;
    int64_t before_us = clock->wall_us;
    int64_t wall_us = is_read ? real_us - mono_us : before_us + (is_told ? step_us : 0);
    if (wall_us > limit_us || wall_us < -limit_us)
        return 0;
    if (!clock->is_known) {
        before_us = wall_us;
        clock->wall_max_us = wall_us;
    }
    clock->is_known = true;
    clock->wall_us = wall_us;
    clock->real_us = real_us;
    if (wall_us > clock->wall_max_us)
        clock->wall_max_us = wall_us;
    if (clock->wall_max_us - wall_us > clock->wall_back_us)
        clock->wall_back_us = clock->wall_max_us - wall_us;
    return wall_us - before_us;
}

/* Rows of one clock ascend by its monotonic time, until a boot, with which that begins anew. */
static void check_order(struct tk_verify *verify, struct tk_verify_clock *clock,
                        const struct tk_row *row)
{
    int64_t mono_us = tk_row_i64(row, TK_CLOCK_MONOTONIC_US, 0);
    int64_t real_us = tk_row_i64(row, TK_CLOCK_REALTIME_US, -1);
    bool is_known = mono_us > 0 && mono_us < INT64_MAX / 4;
    bool is_boot = clock->real_us > 0 && real_us > clock->real_us;
    if (is_known && mono_us < clock->newest_us && !is_boot) {
        tk_verify_add(verify, TK_VERIFY_ORDER, row->line, "%.3f s before line %llu",
                      (double)(clock->newest_us - mono_us) / 1e6,
                      (unsigned long long)clock->newest_line);
    }
    if (!is_known)
        return;
    clock->newest_us = mono_us;
    clock->newest_line = row->line;
}

void tk_verify_clock_row(struct tk_verify *verify, const struct tk_row *row)
{
    static const size_t bounds[] = {TK_CLOCK_ADJ_MAXERROR_US, TK_CLOCK_ERROR_US};
    for (size_t i = 0; i < TK_COUNTOF(bounds); i++) {
        int64_t bound_us = tk_row_i64(row, bounds[i], -1);
        if (bound_us > verify->clock_error_us)
            verify->clock_error_us = bound_us;
    }
    verify->unsynchronised += (tk_row_i64(row, TK_CLOCK_ADJ_STATUS, 0) & UNSYNCHRONISED) != 0;
    uint64_t key = tk_verify_clock_key(row);
    struct tk_verify_clock *clock = tk_verify_item(verify, &verify->clocks, key);
    if (!clock)
        return;
    int64_t step_us = tk_row_i64(row, TK_CLOCK_STEP_US, 0);
    int64_t moved_us = 0;
    if (key != 0 || verify->nodes <= 1) { /* else nobody knows of which clock it is */
        check_order(verify, clock, row);
        moved_us = follow_wall(clock, row, step_us);
    }
    if (step_us == 0 && moved_us < -STEP_US)
        step_us = moved_us; /* between two recordings */
    if (step_us != 0) {
        tk_verify_add(verify, TK_VERIFY_CLOCK, row->line, "the wall clock stepped by %.6f s",
                      (double)step_us / 1e6);
    }
}

void tk_verify_clocks_end(struct tk_verify *verify)
{
    if (verify->unsynchronised > 0) {
        tk_verify_add(verify, TK_VERIFY_CLOCK, 0,
                      "the clock is not synchronised, by the kernel's word in %llu rows",
                      (unsigned long long)verify->unsynchronised);
    }
}
