/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/syncer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "span_mix.h"
#include "tk_folder.h"

#define PATIENCE_MS 20000

struct place {
    char path[PATH_MAX];
    int fd, event_fd;
    struct tk_segment_sink *sink;
    struct tk_syncer *syncer;
};

static void place_make(struct place *place, int64_t interval_ns)
{
    struct tk_err err;
    struct tk_segment_opts opts = {.ack = TK_ACK_FSYNC};
    folder_make(place->path);
    place->fd = -1;
    assert_int_equal(tk_dir_open(AT_FDCWD, place->path, &place->fd, &err), 0);
    place->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(tk_segment_sink_new(place->fd, &opts, &place->sink, &err), 0);
    assert_int_equal(tk_syncer_new(place->sink, place->event_fd, interval_ns, &place->syncer, &err),
                     0);
}

static void place_remove(struct place *place)
{
    tk_syncer_free(place->syncer);
    tk_segment_sink_free(place->sink);
    tk_fd_close(&place->event_fd);
    tk_fd_close(&place->fd);
    folder_remove(place->path);
}

/* Commit a span and draw its ticket. */
static uint64_t add_span(const struct place *place, uint64_t seed)
{
    struct tk_err err;
    mix_fill(tk_segment_sink_batch(place->sink), seed, 1);
    assert_int_equal(tk_segment_sink_commit(place->sink, &err), 0);
    return tk_syncer_add(place->syncer);
}

/* Wait until a ticket is decided; returns how many syncs told so. */
static uint64_t wait_for(const struct place *place, uint64_t ticket, struct tk_sync_state *ret)
{
    uint64_t syncs = 0;
    struct pollfd ready = {.fd = place->event_fd, .events = POLLIN};
    do {
        uint64_t n = 0;
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        assert_int_equal(read(place->event_fd, &n, sizeof(n)), sizeof(n));
        syncs += n;
        tk_syncer_read(place->syncer, ret);
    } while (ret->done < ticket);
    return syncs;
}

static void a_ticket_is_done_after_a_sync(void **state)
{
    (void)state;
    struct place place;
    struct tk_sync_state sync;
    place_make(&place, TK_NS_PER_MS);
    tk_syncer_read(place.syncer, &sync);
    assert_int_equal(sync.done, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(add_span(&place, i), i);
        assert_int_equal(wait_for(&place, i, &sync), 1);
        assert_int_equal(sync.done, i);
        assert_int_equal(sync.failed, 0);
    }
    place_remove(&place);
}

static void who_waits_at_the_same_time_shares_a_sync(void **state)
{
    (void)state;
    enum { TICKETS = 1000 };
    const int64_t interval_ns = 50 * TK_NS_PER_MS;
    struct place place;
    struct tk_sync_state sync;
    place_make(&place, interval_ns);
    int64_t began_ns = tk_clock_mono_ns();
    for (uint64_t i = 1; i <= TICKETS; i++)
        assert_int_equal(add_span(&place, i), i);
    uint64_t syncs = wait_for(&place, TICKETS, &sync);
    int64_t took_ns = tk_clock_mono_ns() - began_ns;
    /* One at once, and then one in each interval, however many wait. */
    assert_true(syncs <= 2 + (uint64_t)(took_ns / interval_ns));
    assert_int_equal(sync.failed, 0);
    place_remove(&place);
}

/* A pipe in the place of each log of this process: that cannot be synced. Returns how many. */
static int break_logs(void)
{
    int pipe_fds[2];
    int broken = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    for (int fd = 3; fd < 256; fd++) {
        char link[64], path[PATH_MAX] = "";
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof(path) - 1) < 0 || !strstr(path, "/open-"))
            continue;
        assert_int_equal(dup2(pipe_fds[1], fd), fd);
        broken++;
    }
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return broken;
}

static void a_sync_that_fails_is_told_to_those_who_waited_and_once(void **state)
{
    (void)state;
    struct place place;
    struct tk_sync_state sync;
    place_make(&place, TK_NS_PER_MS);
    assert_int_equal(add_span(&place, 1), 1);
    (void)wait_for(&place, 1, &sync);
    assert_int_equal(sync.failed, 0);

    struct tk_err err;
    mix_fill(tk_segment_sink_batch(place.sink), 2, 1);
    assert_int_equal(tk_segment_sink_commit(place.sink, &err), 0);
    assert_int_equal(break_logs(), 1);
    assert_int_equal(tk_syncer_add(place.syncer), 2);
    assert_int_equal(tk_syncer_add(place.syncer), 3);
    (void)wait_for(&place, 2, &sync);
    assert_int_equal(sync.failed_from, 1); /* the first one stays safe */
    assert_true(sync.failed >= 2);
    assert_string_equal(sync.err.msg, "log of spans: Invalid argument");
    if (sync.done < 3)
        (void)wait_for(&place, 3, &sync);
    assert_int_equal(sync.failed, 3);
    tk_syncer_read(place.syncer, &sync);
    assert_int_equal(sync.done, 3);
    assert_int_equal(sync.failed, 0);
    place_remove(&place);
}

static void it_ends_with_those_who_wait_decided(void **state)
{
    (void)state;
    struct place place;
    uint64_t syncs = 0;
    place_make(&place, TK_NS_PER_MS);
    (void)add_span(&place, 1);
    tk_syncer_free(place.syncer);
    place.syncer = NULL;
    assert_int_equal(read(place.event_fd, &syncs, sizeof(syncs)), sizeof(syncs));
    assert_int_equal(syncs, 1);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_done_after_a_sync),
        cmocka_unit_test(who_waits_at_the_same_time_shares_a_sync),
        cmocka_unit_test(a_sync_that_fails_is_told_to_those_who_waited_and_once),
        cmocka_unit_test(it_ends_with_those_who_wait_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
