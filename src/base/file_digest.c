/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_digest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define CHUNK_BYTES ((size_t)256 << 10)
#define CHUNKS      4

/*     chunks[i % CHUNKS]:  [taken, read) are full, chunk taken - 1 is lent to the caller
 *
 * `lock` guards the counts, `ends`, `stop` and `alone`; all else belongs to the thread until it is
 * joined. */
struct tk_file_digest {
    pthread_t thread;
    bool joined;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a count or a flag */
    uint64_t read;        /* chunks that the thread has filled */
    uint64_t taken;       /* that the caller has asked for */
    bool ends;            /* the thread is at the end, or has failed */
    bool stop;            /* nobody wants the digest any more */
    bool alone;           /* nobody wants the bytes */
    int fd;
    char path[256];
    struct tk_digest digest;
    char *chunks; /* CHUNK_BYTES each */
    size_t sizes[CHUNKS];
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    int rc;
    struct tk_err err;
};

/* Wait until a chunk is free: true, or false when all is to end. */
static bool wait_for_room(struct tk_file_digest *digest)
{
    (void)pthread_mutex_lock(&digest->lock);
    /* The chunk before `taken` is still being looked at. */
    while (!digest->stop && !digest->alone && digest->read - digest->taken >= CHUNKS - 1)
        (void)pthread_cond_wait(&digest->moved, &digest->lock);
    bool goes_on = !digest->stop;
    (void)pthread_mutex_unlock(&digest->lock);
    return goes_on;
}

static void tell(struct tk_file_digest *digest, uint64_t chunks, bool ends)
{
    (void)pthread_mutex_lock(&digest->lock);
    digest->read += chunks;
    digest->ends = ends;
    (void)pthread_cond_signal(&digest->moved);
    (void)pthread_mutex_unlock(&digest->lock);
}

static int read_file(struct tk_file_digest *digest, struct tk_err *err)
{
    for (uint64_t i = 0; wait_for_room(digest);) {
        char *chunk = digest->chunks + i % CHUNKS * CHUNK_BYTES;
        ssize_t got = read(digest->fd, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", digest->path);
        if (got == 0)
            break;
        digest->sizes[i % CHUNKS] = (size_t)got;
        tell(digest, 1, false);
        /* The caller looks at the chunk as well by now. */
        tk_digest_add(&digest->digest, (tk_str){chunk, (size_t)got});
        digest->bytes += (uint64_t)got;
        i++;
    }
    tk_digest_take(&digest->digest, digest->hex);
    return 0;
}

static void *run(void *arg)
{
    struct tk_file_digest *digest = arg;
    digest->rc = read_file(digest, &digest->err);
    tell(digest, 0, true);
    return NULL;
}

static int begin(struct tk_file_digest *digest, int dirfd, struct tk_err *err)
{
    digest->fd = openat(dirfd, digest->path, O_RDONLY | O_CLOEXEC);
    if (digest->fd < 0)
        return tk_fail_errno(err, "%s", digest->path);
    digest->chunks = malloc(CHUNKS * CHUNK_BYTES);
    if (!digest->chunks)
        return tk_fail(err, -ENOMEM, "%s: out of memory", digest->path);
    int rc = tk_digest_init(&digest->digest, TK_DIGEST_SHA256, err);
    if (rc < 0)
        return rc;
    rc = pthread_create(&digest->thread, NULL, run, digest);
    digest->joined = rc != 0;
    return rc ? tk_fail(err, -rc, "%s: no thread to read it with", digest->path) : 0;
}

int tk_file_digest_new(int dirfd, const char *path, bool hands_over,
                       struct tk_file_digest **ret_digest, struct tk_err *err)
{
    struct tk_file_digest *digest = calloc(1, sizeof(*digest));
    if (!digest)
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    digest->joined = true;
    digest->alone = !hands_over;
    (void)pthread_mutex_init(&digest->lock, NULL);
    (void)pthread_cond_init(&digest->moved, NULL);
    (void)snprintf(digest->path, sizeof(digest->path), "%s", path);
    int rc = begin(digest, dirfd, err);
    if (rc < 0) {
        tk_file_digest_free(digest);
        return rc;
    }
    *ret_digest = digest;
    return 0;
}

/* Wait for the thread, which ends early with `stop`. */
static void join(struct tk_file_digest *digest, bool stop)
{
    (void)pthread_mutex_lock(&digest->lock);
    digest->alone = true;
    digest->stop = stop;
    (void)pthread_cond_signal(&digest->moved);
    (void)pthread_mutex_unlock(&digest->lock);
    if (!digest->joined)
        (void)pthread_join(digest->thread, NULL);
    digest->joined = true;
}

int tk_file_digest_next(struct tk_file_digest *digest, tk_str *ret_bytes, struct tk_err *err)
{
    (void)pthread_mutex_lock(&digest->lock);
    while (!digest->ends && digest->read == digest->taken)
        (void)pthread_cond_wait(&digest->moved, &digest->lock);
    bool is_there = digest->read > digest->taken && !digest->alone;
    size_t i = digest->taken % CHUNKS;
    digest->taken += is_there;
    (void)pthread_cond_signal(&digest->moved);
    (void)pthread_mutex_unlock(&digest->lock);
    if (!is_there && digest->rc < 0) {
        *err = digest->err;
        return digest->rc;
    }
    if (is_there)
        *ret_bytes = (tk_str){digest->chunks + i * CHUNK_BYTES, digest->sizes[i]};
    return is_there ? 0 : 1;
}

int tk_file_digest_read(struct tk_file_digest *digest, char ret_hex[TK_DIGEST_MAX],
                        uint64_t *ret_bytes, struct tk_err *err)
{
    join(digest, false);
    if (digest->rc < 0) {
        *err = digest->err;
        return digest->rc;
    }
    memcpy(ret_hex, digest->hex, TK_DIGEST_MAX);
    *ret_bytes = digest->bytes;
    return 0;
}

void tk_file_digest_free(struct tk_file_digest *digest)
{
    if (!digest)
        return;
    join(digest, true);
    tk_digest_release(&digest->digest);
    tk_fd_close(&digest->fd);
    free(digest->chunks);
    (void)pthread_cond_destroy(&digest->moved);
    (void)pthread_mutex_destroy(&digest->lock);
    free(digest);
}
