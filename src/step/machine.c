/* SPDX-License-Identifier: Apache-2.0 */
#include "step/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "step/crc.h"

enum {
    KEY_BYTES = 384,
    LINE_BYTES = 1024,
};

/* False where this kernel does not tell enough. */
static bool format_key(const struct tk_kernel *kernel, char ret[KEY_BYTES])
{
    static const char *const namespaces[] = {"pid", "mnt", "ipc", "uts", "cgroup"};
    struct stat root;
    if (!kernel->boot_id[0] || fstat(kernel->rootfd, &root) < 0)
        return false;
    int n = snprintf(ret, KEY_BYTES, TK_VERSION " %s %llu:%llu", kernel->boot_id,
                     (unsigned long long)root.st_dev, (unsigned long long)root.st_ino);
    for (size_t i = 0; i < TK_COUNTOF(namespaces); i++) {
        char path[32];
        char link[48] = "";
        (void)snprintf(path, sizeof(path), "self/ns/%s", namespaces[i]);
        if (readlinkat(kernel->procfd, path, link, sizeof(link) - 1) < 0)
            return false;
        n += snprintf(ret + n, KEY_BYTES - (size_t)n, " %s", link);
    }
    return true;
}

static bool take_fact(tk_str *line, char *ret, size_t cap)
{
    tk_str fact;
    return tk_str_take_until(line, '\t', &fact) && tk_str_to_cstr(fact, ret, cap);
}

/* The facts that a line keeps under that key. */
static bool parse(tk_str text, const char *key, struct tk_machine *ret)
{
    char kept[KEY_BYTES];
    struct tk_machine machine;
    if (text.n == 0 || text.p[text.n - 1] != '\n')
        return false;
    tk_str line = {text.p, text.n - 1};
    if (!tk_step_crc_take(&line) || !take_fact(&line, kept, sizeof(kept)) ||
        strcmp(kept, key) != 0 || !take_fact(&line, machine.model, sizeof(machine.model)) ||
        !take_fact(&line, machine.kernel, sizeof(machine.kernel)) ||
        !take_fact(&line, machine.arch, sizeof(machine.arch)) ||
        !tk_str_to_cstr(line, machine.virt, sizeof(machine.virt)))
        return false;
    *ret = machine;
    return true;
}

/* Not kept: a fact that would break the line, which no machine is known to have. */
static void keep(int state_fd, const char *key, const struct tk_machine *machine)
{
    char line[LINE_BYTES];
    struct tk_err ignored;
    int n =
        snprintf(line + TK_STEP_CRC_BYTES, sizeof(line) - TK_STEP_CRC_BYTES, "%s\t%s\t%s\t%s\t%s",
                 key, machine->model, machine->kernel, machine->arch, machine->virt);
    if (n < 0 || (size_t)n + TK_STEP_CRC_BYTES + 1 >= sizeof(line))
        return;
    tk_str text = {line + TK_STEP_CRC_BYTES, (size_t)n};
    size_t tabs = 0;
    for (size_t i = 0; i < text.n; i++)
        tabs += text.p[i] == '\t';
    if (tabs != 4 || tk_str_find(text, '\n') != text.n)
        return;
    tk_step_crc_put(line, text);
    line[TK_STEP_CRC_BYTES + n] = '\n';
    (void)!tk_file_refresh(state_fd, TK_STEP_MACHINE_NAME,
                           (tk_str){line, TK_STEP_CRC_BYTES + text.n + 1}, 0600, &ignored);
}

void tk_step_machine_read(const struct tk_kernel *kernel, int state_fd,
                          struct tk_machine *ret_machine)
{
    char key[KEY_BYTES];
    char buf[LINE_BYTES];
    tk_str text;
    struct tk_err ignored;
    bool has_key = format_key(kernel, key);
    if (has_key &&
        tk_file_read(state_fd, TK_STEP_MACHINE_NAME, buf, sizeof(buf), &text, &ignored) == 0 &&
        parse(text, key, ret_machine))
        return;
    tk_machine_read(kernel, ret_machine);
    if (has_key)
        keep(state_fd, key, ret_machine);
}
