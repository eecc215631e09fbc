/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILES_MAX 10000
#define BYTES_MAX ((size_t)256 << 20) /* of all files */
#define DEPTH_MAX 16
#define INDEX     "/index.html"

/* Its scripts are its own and those in index.html, its layout runs in a worker; it asks no other
 * server, and no other page may frame it. */
static const char policy[] =
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'";

struct file {
    char *path; /* as in a request: "/static/a.js"; owned */
    const char *type;
    struct tk_buf body;
};

struct tk_site {
    struct file *files; /* by path */
    size_t count;
    const struct file *index;
    struct tk_site_counts counts;
};

/* What a file holds ---------------------------------------------------------------------------- */

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {".css", "text/css; charset=utf-8"},
    {".gif", "image/gif"},
    {".html", "text/html; charset=utf-8"},
    {".ico", "image/x-icon"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".ttf", "font/ttf"},
    {".txt", "text/plain; charset=utf-8"},
    {".wasm", "application/wasm"},
    {".webmanifest", "application/manifest+json"},
    {".webp", "image/webp"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
};

static const char *type_of(tk_str path)
{
    for (size_t i = 0; i < TK_COUNTOF(types); i++) {
        if (tk_str_ends_with(path, tk_str_from(types[i].ending)))
            return types[i].type;
    }
    return "application/octet-stream";
}

/* The first occurrence of a placeholder is taken. */
static int replace(struct tk_buf *text, tk_str placeholder, tk_str value, struct tk_err *err)
{
    const char *at = memmem(text->p, text->n, placeholder.p, placeholder.n);
    if (!at)
        return 0;
    struct tk_buf out;
    size_t before = (size_t)(at - text->p);
    size_t behind = before + placeholder.n;
    tk_buf_init(&out, BYTES_MAX);
    tk_buf_put(&out, (tk_str){text->p, before});
    tk_buf_put(&out, value);
    tk_buf_put(&out, (tk_str){text->p + behind, text->n - behind});
    tk_buf_release(text);
    *text = out;
    return tk_buf_check(text, "index.html", err);
}

/* A configuration is the bundle's own. There is no archive; a search may be for all services. */
static int fill_index(struct tk_buf *text, struct tk_err *err)
{
    const struct {
        tk_str placeholder, value;
    } places[] = {
        {TK_STR("JAEGER_VERSION = DEFAULT_VERSION;"),
         TK_STR("JAEGER_VERSION = {\"gitCommit\":\"\",\"gitVersion\":\"tracekit " TK_VERSION
                "\",\"buildDate\":\"\"};")},
        {TK_STR("JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;"),
         TK_STR("JAEGER_BACKEND_CAPABILITIES = {\"archiveStorage\":false,\"metricsStorage\":false,"
                "\"aiAssistant\":false,\"searchWithoutServiceName\":true};")},
    };
    int rc = 0;
    for (size_t i = 0; i < TK_COUNTOF(places) && rc == 0; i++)
        rc = replace(text, places[i].placeholder, places[i].value, err);
    return rc;
}

/* Loading -------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static int add_file(struct tk_site *site, const char *from, const char *path, struct tk_err *err)
{
    if (site->count == FILES_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d files", FILES_MAX);
    struct file *file = &site->files[site->count++];
    file->type = type_of(tk_str_from(path));
    tk_buf_init(&file->body, BYTES_MAX);
    file->path = strdup(path);
    if (!file->path)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_file_load(AT_FDCWD, from, &file->body, err);
    if (rc == 0 && strcmp(path, INDEX) == 0)
        rc = fill_index(&file->body, err);
    site->counts.files++;
    site->counts.bytes += file->body.n;
    if (rc == 0 && site->counts.bytes > BYTES_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %zu MiB of files", BYTES_MAX >> 20);
    return rc;
}

static int add_entry(struct tk_site *site, FTS *walk, FTSENT *entry, size_t root_n,
                     struct tk_err *err)
{
    switch (entry->fts_info) {
    case FTS_D:
        if (entry->fts_level > DEPTH_MAX)
            (void)fts_set(walk, entry, FTS_SKIP);
        site->counts.left_out += entry->fts_level > DEPTH_MAX;
        return 0;
    case FTS_DP:
        return 0;
    case FTS_F:
        return entry->fts_level > 0 ? add_file(site, entry->fts_path, entry->fts_path + root_n, err)
                                    : tk_fail(err, -ENOTDIR, "is no folder");
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return tk_fail(err, -entry->fts_errno, "%s: %s", entry->fts_path,
                       strerrordesc_np(entry->fts_errno));
    default:
        site->counts.left_out++;
        return 0;
    }
}

/* `root` is without slashes at its end, so that what follows it in a path begins with one. */
static int walk_folder(struct tk_site *site, char *root, struct tk_err *err)
{
    char *roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!walk)
        return tk_fail_errno(err, "fts_open");
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the walk is our own */
        FTSENT *entry = fts_read(walk);
        if (!entry) {
            rc = errno != 0 ? tk_fail_errno(err, "fts_read") : 0;
            break;
        }
        rc = add_entry(site, walk, entry, strlen(root), err);
    }
    (void)fts_close(walk);
    return rc;
}

static int is_at(const void *path, const void *file)
{
    return strcmp(path, ((const struct file *)file)->path);
}

static const struct file *find_file(const struct tk_site *site, const char *path)
{
    return bsearch(path, site->files, site->count, sizeof(*site->files), is_at);
}

static int load(struct tk_site *site, const char *folder, struct tk_err *err)
{
    char root[PATH_MAX];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): resolves into a buffer of ours */
    if (!realpath(folder, root))
        return tk_fail_errno(err, "cannot be opened");
    if (strcmp(root, "/") == 0)
        return tk_fail(err, -EINVAL, "is the root of this machine, no page");
    int rc = walk_folder(site, root, err);
    if (rc < 0)
        return rc;
    qsort(site->files, site->count, sizeof(*site->files), by_path);
    site->index = find_file(site, INDEX);
    return site->index ? 0 : tk_fail(err, -ENOENT, "holds no index.html");
}

int tk_site_load(const char *folder, struct tk_site **ret_site, struct tk_err *err)
{
    struct tk_site *site = calloc(1, sizeof(*site));
    if (site)
        site->files = calloc(FILES_MAX, sizeof(*site->files));
    int rc = site && site->files ? load(site, folder, err) : tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        tk_site_free(site);
        return tk_err_prefix(err, "%s", folder);
    }
    *ret_site = site;
    return 0;
}

void tk_site_free(struct tk_site *site)
{
    if (!site)
        return;
    for (size_t i = 0; i < site->count; i++) {
        free(site->files[i].path);
        tk_buf_release(&site->files[i].body);
    }
    free(site->files);
    free(site);
}

struct tk_site_counts tk_site_count(const struct tk_site *site)
{
    return site->counts;
}

/* Answers -------------------------------------------------------------------------------------- */

void tk_site_answer(const struct tk_site *site, tk_str path, struct tk_answer *answer)
{
    char text[PATH_MAX];
    const struct file *file =
        tk_str_to_cstr(path, text, sizeof(text)) ? find_file(site, text) : NULL;
    answer->policy = policy;
    if (!file && (tk_str_starts_with(path, TK_STR("/static/")) ||
                  tk_str_starts_with(path, TK_STR("/api/")))) {
        answer->status = 404;
        answer->content_type = "text/plain; charset=utf-8";
        tk_buf_lit(&answer->body, "there is no such file\n");
        return;
    }
    if (!file)
        file = site->index;
    answer->status = 200;
    answer->content_type = file->type;
    tk_buf_put(&answer->body, tk_buf_str(&file->body));
}
