/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zstd.h>

#include "base/file.h"
#include "cmd/import.h"

#define COPY_BYTES ((size_t)1 << 20)
#define HEAD_BYTES ((size_t)64 << 10) /* that tell the format */
#define GROWTH     4                  /* first guess of what a compressed byte becomes */

#define ZSTD_HEAD   "\x28\xB5\x2F\xFD" /* of a frame */
#define RECORD_HEAD 4                  /* bytes of a record's length */

void tk_import_text_release(struct tk_import_text *text)
{
    if (text->map)
        (void)munmap(text->map, text->map_bytes);
    *text = (struct tk_import_text){0};
}

void tk_import_text_drop(const struct tk_import_text *text, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (text->map && bytes >= page)
        (void)madvise(text->map, bytes / page * page, MADV_DONTNEED);
}

/* A file without a name in $TMPDIR or /tmp. */
static int open_temporary(int *ret_fd, struct tk_err *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment */
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if (!folder || !*folder)
        folder = "/tmp";
    *ret_fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*ret_fd >= 0)
        return 0;
    (void)snprintf(path, sizeof(path), "%s/tracekit-XXXXXX", folder);
    *ret_fd = mkostemp(path, O_CLOEXEC);
    if (*ret_fd < 0)
        return tk_fail_errno(err, "a temporary file in %s", folder);
    (void)unlink(path);
    return 0;
}

static int map_file(int fd, size_t bytes, int protection, struct tk_import_text *ret_text,
                    struct tk_err *err)
{
    *ret_text = (struct tk_import_text){.text = {"", 0}};
    if (bytes == 0)
        return 0;
    int flags = protection & PROT_WRITE ? MAP_SHARED : MAP_PRIVATE;
    void *map = mmap(NULL, bytes, protection, flags, fd, 0);
    if (map == MAP_FAILED)
        return tk_fail_errno(err, "mapping");
    (void)madvise(map, bytes, MADV_SEQUENTIAL);
    *ret_text = (struct tk_import_text){{map, bytes}, map, bytes};
    return 0;
}

/* What a pipe gives, into a file. */
static int copy_pipe(int fd, uint64_t max_bytes, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int out = -1;
    char *buffer = malloc(COPY_BYTES);
    uint64_t bytes = 0;
    int rc = buffer ? open_temporary(&out, err) : tk_fail(err, -ENOMEM, "out of memory");
    while (rc == 0) {
        ssize_t n = read(fd, buffer, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rc = n < 0 ? tk_fail_errno(err, "reading") : 0;
            break;
        }
        bytes += (uint64_t)n;
        if (bytes > max_bytes) {
            rc = tk_fail(err, -EMSGSIZE, "more than %llu bytes; --max-bytes allows more",
                         (unsigned long long)max_bytes);
        } else {
            rc = tk_fd_write(out, (tk_str){buffer, (size_t)n}, "temporary file", err);
        }
    }
    free(buffer);
    if (rc == 0)
        *ret_fd = tk_fd_take(&out);
    return rc;
}

static int too_large(uint64_t max_bytes, struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, "inflates to more than %llu bytes; --max-bytes allows more",
                   (unsigned long long)max_bytes);
}

/* What is unpacked into a file. */
struct unpacking {
    ZSTD_DCtx *zstd;
    char *buffer; /* [COPY_BYTES] */
    int out;
    uint64_t bytes, max_bytes; /* written, and at most */
};

static int put(struct unpacking *unpacking, tk_str plain, struct tk_err *err)
{
    unpacking->bytes += plain.n;
    if (unpacking->bytes > unpacking->max_bytes)
        return too_large(unpacking->max_bytes, err);
    return tk_fd_write(unpacking->out, plain, "temporary file", err);
}

/* Frames one after the other, as a stream. */
static int put_frames(struct unpacking *unpacking, tk_str packed, struct tk_err *err)
{
    ZSTD_inBuffer in = {packed.p, packed.n, 0};
    size_t left = 1;
    int rc = 0;
    while (rc == 0) {
        ZSTD_outBuffer piece = {unpacking->buffer, COPY_BYTES, 0};
        left = ZSTD_decompressStream(unpacking->zstd, &piece, &in);
        rc = ZSTD_isError(left)
                 ? tk_fail(err, -EBADMSG, "damaged zstd data: %s", ZSTD_getErrorName(left))
                 : put(unpacking, (tk_str){unpacking->buffer, piece.pos}, err);
        /* At the end of the last frame, or of what is there of it. */
        if (in.pos == in.size && (left == 0 || piece.pos < COPY_BYTES))
            break;
    }
    if (rc == 0 && left != 0)
        rc = tk_fail(err, -EBADMSG, "the zstd data breaks off");
    return rc;
}

/* Records, as the file exporter of the OpenTelemetry collector compresses: a length of four bytes,
 * the most significant first, and a frame with one message. */

/* Take the frame of the next record; false when it breaks off. */
static bool take_record(tk_str *rest, tk_str *ret_frame)
{
    uint32_t length;
    if (rest->n < RECORD_HEAD)
        return false;
    memcpy(&length, rest->p, sizeof(length));
    tk_str behind = {rest->p + RECORD_HEAD, rest->n - RECORD_HEAD};
    size_t n = be32toh(length);
    if (n > behind.n)
        return false;
    *ret_frame = (tk_str){behind.p, n};
    *rest = (tk_str){behind.p + n, behind.n - n};
    return true;
}

static bool is_records(tk_str text)
{
    tk_str frame;
    return take_record(&text, &frame) && tk_str_starts_with(frame, TK_STR(ZSTD_HEAD));
}

/* Whether the message in a frame is JSON, by its first byte. */
static bool is_json(const struct unpacking *unpacking, tk_str frame)
{
    char first = '\0';
    ZSTD_inBuffer in = {frame.p, frame.n, 0};
    ZSTD_outBuffer piece = {&first, 1, 0};
    (void)ZSTD_decompressStream(unpacking->zstd, &piece, &in);
    (void)ZSTD_DCtx_reset(unpacking->zstd, ZSTD_reset_session_only);
    return first == '{';
}

/* A message of protobuf behind its length. */
static int put_message(struct unpacking *unpacking, tk_str frame, struct tk_err *err)
{
    uint64_t start = unpacking->bytes;
    int rc = put(unpacking, (tk_str){"\0\0\0\0", RECORD_HEAD}, err);
    rc = rc < 0 ? rc : put_frames(unpacking, frame, err);
    if (rc < 0)
        return rc;
    uint64_t n = unpacking->bytes - start - RECORD_HEAD;
    uint32_t length = htobe32((uint32_t)n);
    if (n > UINT32_MAX)
        return tk_fail(err, -EMSGSIZE, "a message of more than 4 GiB");
    if (pwrite(unpacking->out, &length, sizeof(length), (off_t)start) != (ssize_t)sizeof(length))
        return tk_fail_errno(err, "temporary file");
    return 0;
}

/* A message of JSON as a line. */
static int put_line(struct unpacking *unpacking, tk_str frame, struct tk_err *err)
{
    int rc = put_frames(unpacking, frame, err);
    return rc < 0 ? rc : put(unpacking, TK_STR("\n"), err);
}

static int put_records(struct unpacking *unpacking, tk_str packed, struct tk_err *err)
{
    tk_str rest = packed;
    tk_str frame = {NULL, 0};
    bool json = false;
    int rc = 0;
    while (rc == 0 && rest.n > 0) {
        size_t at = (size_t)(rest.p - packed.p);
        if (!take_record(&rest, &frame))
            return tk_fail(err, -EBADMSG, "byte %zu: the record breaks off", at);
        if (at == 0)
            json = is_json(unpacking, frame);
        rc = json ? put_line(unpacking, frame, err) : put_message(unpacking, frame, err);
        rc = rc < 0 ? tk_err_prefix(err, "byte %zu", at) : 0;
    }
    return rc;
}

static int inflate_zstd(tk_str packed, uint64_t max_bytes, int out, struct tk_err *err)
{
    struct unpacking unpacking = {.zstd = ZSTD_createDCtx(),
                                  .buffer = malloc(COPY_BYTES),
                                  .out = out,
                                  .max_bytes = max_bytes};
    int rc;
    if (!unpacking.zstd || !unpacking.buffer) {
        rc = tk_fail(err, -ENOMEM, "out of memory");
    } else {
        rc = is_records(packed) ? put_records(&unpacking, packed, err)
                                : put_frames(&unpacking, packed, err);
    }
    free(unpacking.buffer);
    ZSTD_freeDCtx(unpacking.zstd);
    return rc;
}

/* All members of a gzip file into `to`: the bytes, or -ENOSPC when that is too small. */
static int inflate_members(struct libdeflate_decompressor *gzip, tk_str packed, char *to,
                           size_t cap, size_t *ret_bytes, struct tk_err *err)
{
    size_t done = 0;
    while (packed.n > 0) {
        size_t taken = 0;
        size_t got = 0;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            gzip, packed.p, packed.n, to + done, cap - done, &taken, &got);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
            return -ENOSPC;
        if (result != LIBDEFLATE_SUCCESS)
            return tk_fail(err, -EBADMSG, "damaged gzip data");
        done += got;
        packed = (tk_str){packed.p + taken, packed.n - taken};
    }
    *ret_bytes = done;
    return 0;
}

/* gzip: into the mapped temporary file, which grows until all fits. */
static int inflate_gzip(tk_str packed, uint64_t max_bytes, int out, struct tk_err *err)
{
    struct libdeflate_decompressor *gzip = libdeflate_alloc_decompressor();
    uint64_t cap = (uint64_t)packed.n * GROWTH + COPY_BYTES;
    int rc = gzip ? -ENOSPC : tk_fail(err, -ENOMEM, "out of memory");
    while (rc == -ENOSPC) {
        struct tk_import_text to = {0};
        size_t bytes = 0;
        cap = cap < max_bytes ? cap : max_bytes;
        if (ftruncate(out, (off_t)cap) < 0) {
            rc = tk_fail_errno(err, "temporary file");
        } else {
            rc = map_file(out, (size_t)cap, PROT_READ | PROT_WRITE, &to, err);
        }
        if (rc == 0)
            rc = inflate_members(gzip, packed, to.map, (size_t)cap, &bytes, err);
        tk_import_text_release(&to);
        if (rc == -ENOSPC && cap == max_bytes)
            rc = too_large(max_bytes, err);
        if (rc == 0 && ftruncate(out, (off_t)bytes) < 0)
            rc = tk_fail_errno(err, "temporary file");
        cap *= GROWTH;
    }
    libdeflate_free_decompressor(gzip);
    return rc;
}

typedef int (*inflate_fn)(tk_str packed, uint64_t max_bytes, int out, struct tk_err *err);

static inflate_fn find_inflate(tk_str text)
{
    if (tk_str_starts_with(text, TK_STR(ZSTD_HEAD)) || is_records(text))
        return inflate_zstd;
    return tk_str_starts_with(text, TK_STR("\x1F\x8B")) ? inflate_gzip : NULL;
}

static int map_whole(int fd, struct tk_import_text *ret_text, struct tk_err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return tk_fail_errno(err, "size");
    return map_file(fd, (size_t)status.st_size, PROT_READ, ret_text, err);
}

static int open_text(int fd, uint64_t max_bytes, struct tk_import_text *ret_text,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int copy = -1;
    TK_CLEANUP(tk_fd_close) int inflated = -1;
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    struct stat status;
    if (fstat(fd, &status) < 0)
        return tk_fail_errno(err, "status");
    if (S_ISDIR(status.st_mode))
        return tk_fail(err, -EISDIR, "is a folder, expected a file");
    int rc = S_ISREG(status.st_mode) ? 0 : copy_pipe(fd, max_bytes, &copy, err);
    rc = rc < 0 ? rc : map_whole(copy >= 0 ? copy : fd, &text, err);
    inflate_fn inflate = rc == 0 ? find_inflate(text.text) : NULL;
    if (inflate) {
        rc = open_temporary(&inflated, err);
        rc = rc < 0 ? rc : inflate(text.text, max_bytes, inflated, err);
        tk_import_text_release(&text);
        rc = rc < 0 ? rc : map_whole(inflated, &text, err);
    }
    if (rc < 0)
        return rc;
    *ret_text = text;
    text = (struct tk_import_text){0};
    return 0;
}

int tk_import_text_open(const char *path, uint64_t max_bytes, struct tk_import_text *ret_text,
                        struct tk_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    TK_CLEANUP(tk_fd_close)
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", is_stdin ? "standard input" : path);
    int rc = open_text(fd, max_bytes, ret_text, err);
    return rc < 0 ? tk_err_prefix(err, "%s", is_stdin ? "standard input" : path) : 0;
}

int tk_import_text_reader(const struct tk_import_text *text, const char *format, bool has_maps,
                          const struct tk_span_reader **ret_reader, struct tk_err *err)
{
    tk_str head = {text->text.p, text->text.n < HEAD_BYTES ? text->text.n : HEAD_BYTES};
    const struct tk_span_reader *reader =
        format ? tk_span_reader_find(format) : tk_span_reader_detect(head);
    if (!reader && has_maps && head.n > 0) /* names that only the maps know */
        reader = *head.p == '{' || *head.p == '[' ? &tk_span_reader_flat : &tk_span_reader_csv;
    if (!reader) {
        return tk_fail(err, -EBADMSG,
                       "is of no format of spans that is known; --format says which");
    }
    *ret_reader = reader;
    return 0;
}
