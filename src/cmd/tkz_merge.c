/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "cmd/tkz_file.h"

struct inputs {
    struct tk_import_text *texts;
    tk_str *files;
    char **paths;
    size_t count;
};

static int merge(const struct tk_cmd *cmd, struct inputs *inputs, const char *output_path,
                 struct tk_err *err)
{
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    struct tk_codec_info info;
    for (size_t i = 0; i < inputs->count; i++) {
        const char *path = inputs->paths[i];
        int rc = tk_tkz_open(path, &inputs->texts[i], err);
        if (rc < 0)
            return rc;
        rc = tk_codec_info_read(inputs->texts[i].text, &info, err);
        if (rc < 0)
            return tk_err_prefix(err, "%s", path);
        tk_tkz_warn(cmd, path, &info);
        inputs->files[i] = inputs->texts[i].text;
    }
    int rc = tk_tkz_output_open(&output, output_path, err);
    rc = rc < 0 ? rc : tk_codec_merge(inputs->files, inputs->count, &output.output, &info, err);
    rc = rc < 0 ? rc : tk_tkz_output_close(&output, err);
    if (rc == 0)
        tk_tkz_receipt(output_path, &info);
    return rc;
}

int tk_tkz_merge(const struct tk_cmd *cmd, const char *output, int argc, char **argv)
{
    struct tk_err err;
    size_t count = (size_t)argc;
    if (!output)
        return tk_cmd_usage(cmd, "expected --output FILE");
    struct inputs inputs = {calloc(count, sizeof(*inputs.texts)),
                            calloc(count, sizeof(*inputs.files)), argv, count};
    int rc = inputs.texts && inputs.files ? merge(cmd, &inputs, output, &err)
                                          : tk_fail(&err, -ENOMEM, "out of memory");
    for (size_t i = 0; inputs.texts && i < count; i++)
        tk_import_text_release(&inputs.texts[i]);
    free(inputs.texts);
    free(inputs.files);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}
