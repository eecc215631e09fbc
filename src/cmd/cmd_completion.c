/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash, zsh and fish, written from the tables of commands and options. What is typed
 * as a run is looked up in logs/, what runs a command completes programs. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "run/schemas.h"

static const struct tk_opt options[] = {{0}};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

/* What an argument is, told by its placeholder in the help: "[RUN...]" holds the word RUN. COMMAND
 * is one of ours as an argument, any as the value of an option. */
enum hint { HINT_NONE, HINT_FILE, HINT_FOLDER, HINT_RUN, HINT_PROGRAM, HINT_COMMAND, HINT_TABLE };

static const struct {
    const char *word;
    enum hint hint;
} hints[] = {
    {"FILE", HINT_FILE},   {"DIR", HINT_FOLDER},      {"RUN", HINT_RUN},
    {"CMD", HINT_PROGRAM}, {"COMMAND", HINT_COMMAND}, {"TABLE", HINT_TABLE},
};

static enum hint find_hint(const char *placeholder)
{
    const char *p = placeholder ? placeholder : "";
    while (*p) {
        size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        for (size_t i = 0; i < TK_COUNTOF(hints); i++) {
            if (n == strlen(hints[i].word) && strncmp(p, hints[i].word, n) == 0)
                return hints[i].hint;
        }
        p += n > 0 ? n : 1;
    }
    return HINT_NONE;
}

/* Words with blanks between. */
static void put_words(struct tk_buf *out, const char *const *words)
{
    for (size_t i = 0; words && words[i]; i++)
        tk_buf_printf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

static void put_commands(struct tk_buf *out)
{
    const char *blank = "";
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        if ((*cmd)->hidden)
            continue;
        tk_buf_printf(out, "%s%s", blank, (*cmd)->name);
        blank = " ";
    }
}

static void put_tables(struct tk_buf *out)
{
    for (size_t i = 0; i < TK_TABLE_COUNT; i++)
        tk_buf_printf(out, "%s%s", i > 0 ? " " : "", tk_tables[i].schema->name);
}

/* Text for inside '...' of a shell, with a backslash before each byte of `special`. */
static void put_quoted(struct tk_buf *out, const char *text, const char *special)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\'') {
            tk_buf_lit(out, "'\\''");
            continue;
        }
        if (strchr(special, *c))
            tk_buf_putc(out, '\\');
        tk_buf_putc(out, *c);
    }
}

/* bash ------------------------------------------------------------------------------ */

static const char bash_head[] =
    "# bash completion of tracekit, made by `tracekit completion bash`\n"
    "\n"
    "_tracekit_fill()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(\"$@\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "_tracekit_paths()\n"
    "{\n"
    "    compopt -o filenames\n"
    "    _tracekit_fill compgen \"$@\"\n"
    "}\n"
    "\n"
    "_tracekit_runs()\n"
    "{\n"
    "    local run\n"
    "    _tracekit_paths -d\n"
    "    for run in logs/*/; do\n"
    "        run=${run#logs/} run=${run%/}\n"
    "        if [[ $run != '*' && $run == \"$cur\"* ]]; then COMPREPLY+=(\"$run\"); fi\n"
    "    done\n"
    "}\n"
    "\n"
    "# A program and its arguments, which begin at word $1.\n"
    "_tracekit_program()\n"
    "{\n"
    "    if declare -F _command_offset >/dev/null; then\n"
    "        _command_offset \"$1\"\n"
    "    elif ((COMP_CWORD == $1)) && [[ $cur != */* ]]; then\n"
    "        _tracekit_fill compgen -c\n"
    "    else\n"
    "        _tracekit_paths -f\n"
    "    fi\n"
    "}\n"
    "\n"
    "# The value of an option: $1 is \"COMMAND --OPTION\".\n"
    "_tracekit_value()\n"
    "{\n"
    "    case $1 in\n";

static const char bash_middle[] =
    "    esac\n"
    "}\n"
    "\n"
    "_tracekit()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local options='' valued='' verbs='' rest=none first=0 at=0 i\n"
    "    COMPREPLY=()\n"
    "    # --option=value comes as three words.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char bash_tail[] =
    "    # Where the arguments begin, and how many stand before the cursor.\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --)\n"
    "            first=$((i + 1))\n"
    "            break\n"
    "            ;;\n"
    "        -*)\n"
    "            if [[ \" $valued \" == *\" ${COMP_WORDS[i]} \"* ]]; then\n"
    "                i=$((i + 1))\n"
    "                if [[ ${COMP_WORDS[i]} == = ]]; then i=$((i + 1)); fi\n"
    "            fi\n"
    "            ;;\n"
    "        *)\n"
    "            if ((first == 0)); then first=$i; fi\n"
    "            at=$((at + 1))\n"
    "            if [[ $rest == program ]]; then break; fi\n"
    "            ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ $rest == program ]] && ((first > 0)); then\n"
    "        _tracekit_program \"$first\"\n"
    "    elif [[ \" $valued \" == *\" $prev \"* ]]; then\n"
    "        _tracekit_value \"${COMP_WORDS[1]} $prev\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        _tracekit_fill compgen -W \"$options\"\n"
    "    elif [[ -n $verbs ]] && ((at == 0)); then\n"
    "        _tracekit_fill compgen -W \"$verbs\"\n"
    "    else\n"
    "        case $rest in\n"
    "        program) _tracekit_program \"$COMP_CWORD\" ;;\n"
    "        file) _tracekit_paths -f ;;\n"
    "        folder) _tracekit_paths -d ;;\n"
    "        run) _tracekit_runs ;;\n"
    "        none) ;;\n"
    "        *) _tracekit_fill compgen -W \"$rest\" ;;\n"
    "        esac\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _tracekit tracekit\n";

/* A branch for an option whose values are known: "'parse --output' | 'parse -o') ACTION ;;". */
static void put_bash_value(struct tk_buf *out, const struct tk_cmd *cmd,
                           const struct tk_opt *option)
{
    static const char *const actions[] = {
        [HINT_FILE] = "_tracekit_paths -f",
        [HINT_FOLDER] = "_tracekit_paths -d",
        [HINT_RUN] = "_tracekit_runs",
        [HINT_PROGRAM] = "_tracekit_fill compgen -c",
        [HINT_COMMAND] = "_tracekit_fill compgen -c",
        [HINT_TABLE] = NULL,
    };
    const char *action = actions[find_hint(option->arg)];
    if (option->type == TK_OPT_FLAG || (!action && option->type != TK_OPT_CHOICE))
        return;
    tk_buf_printf(out, "    '%s --%s'", cmd->name, option->name);
    if (option->letter)
        tk_buf_printf(out, " | '%s -%c'", cmd->name, option->letter);
    tk_buf_lit(out, ") ");
    if (option->type == TK_OPT_CHOICE) {
        tk_buf_lit(out, "_tracekit_fill compgen -W '");
        put_words(out, option->choices);
        tk_buf_putc(out, '\'');
    } else {
        tk_buf_puts(out, action);
    }
    tk_buf_lit(out, " ;;\n");
}

static void put_bash_rest(struct tk_buf *out, const struct tk_cmd *cmd)
{
    static const char *const names[] = {
        [HINT_NONE] = "none", [HINT_FILE] = "file",       [HINT_FOLDER] = "folder",
        [HINT_RUN] = "run",   [HINT_PROGRAM] = "program",
    };
    enum hint hint = find_hint(cmd->args);
    tk_buf_lit(out, " rest='");
    if (hint == HINT_COMMAND) {
        put_commands(out);
    } else if (hint == HINT_TABLE) {
        put_tables(out);
    } else {
        tk_buf_puts(out, names[hint]);
    }
    tk_buf_lit(out, "'");
}

static void put_bash_command(struct tk_buf *out, const struct tk_cmd *cmd)
{
    tk_buf_printf(out, "    %s)\n        options='", cmd->name);
    for (const struct tk_opt *option = cmd->options; option->name; option++)
        tk_buf_printf(out, "--%s ", option->name);
    tk_buf_lit(out, "--help'\n        valued='");
    const char *blank = "";
    for (const struct tk_opt *option = cmd->options; option->name; option++) {
        if (option->type == TK_OPT_FLAG)
            continue;
        tk_buf_printf(out, "%s--%s", blank, option->name);
        if (option->letter)
            tk_buf_printf(out, " -%c", option->letter);
        blank = " ";
    }
    tk_buf_lit(out, "'\n        verbs='");
    put_words(out, cmd->verbs);
    tk_buf_lit(out, "'");
    put_bash_rest(out, cmd);
    tk_buf_lit(out, "\n        ;;\n");
}

static void put_bash(struct tk_buf *out)
{
    tk_buf_puts(out, bash_head);
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        for (const struct tk_opt *option = (*cmd)->options; option->name; option++)
            put_bash_value(out, *cmd, option);
    }
    tk_buf_puts(out, bash_middle);
    tk_buf_lit(out, "    if ((COMP_CWORD == 1)); then\n        _tracekit_fill compgen -W '");
    put_commands(out);
    tk_buf_lit(out, " --help --version'\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++)
        put_bash_command(out, *cmd);
    tk_buf_lit(out, "    *)\n        return\n        ;;\n    esac\n");
    tk_buf_puts(out, bash_tail);
}

/* zsh ------------------------------------------------------------------------------- */

/* What zsh calls the things that are hinted at; the argument's name goes before it. */
static const char *const zsh_actions[] = {
    [HINT_NONE] = " ",
    [HINT_FILE] = "_files",
    [HINT_FOLDER] = "_files -/",
    [HINT_RUN] = "_tracekit_runs",
    [HINT_PROGRAM] = "_command_names -e",
    [HINT_COMMAND] = "_command_names -e",
    [HINT_TABLE] = " ",
};

static void put_zsh_option(struct tk_buf *out, const struct tk_opt *option)
{
    bool valued = option->type != TK_OPT_FLAG;
    tk_buf_lit(out, " \\\n            ");
    if (option->letter) {
        tk_buf_printf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
                      option->letter, valued ? "+" : "", option->name, valued ? "=" : "");
    } else {
        tk_buf_printf(out, "'--%s%s[", option->name, valued ? "=" : "");
    }
    put_quoted(out, option->help, "[]:\\");
    tk_buf_putc(out, ']');
    if (valued)
        tk_buf_printf(out, ":%s:", option->arg);
    if (option->type == TK_OPT_CHOICE) {
        tk_buf_putc(out, '(');
        put_words(out, option->choices);
        tk_buf_putc(out, ')');
    } else if (valued) {
        tk_buf_puts(out, zsh_actions[find_hint(option->arg)]);
    }
    tk_buf_putc(out, '\'');
}

static void put_zsh_rest(struct tk_buf *out, const struct tk_cmd *cmd)
{
    enum hint hint = find_hint(cmd->args);
    if (cmd->verbs) {
        tk_buf_lit(out, " \\\n            '1:verb:(");
        put_words(out, cmd->verbs);
        tk_buf_lit(out, ")'");
    }
    if (hint == HINT_NONE)
        return;
    if (hint == HINT_PROGRAM) {
        tk_buf_lit(out, " \\\n            '(-):program: _command_names -e'"
                        " \\\n            '*::arguments: _normal'");
        return;
    }
    tk_buf_lit(out, " \\\n            '*:argument:");
    if (hint == HINT_COMMAND || hint == HINT_TABLE) {
        tk_buf_putc(out, '(');
        (hint == HINT_COMMAND ? put_commands : put_tables)(out);
        tk_buf_putc(out, ')');
    } else {
        tk_buf_puts(out, zsh_actions[hint]);
    }
    tk_buf_putc(out, '\'');
}

static void put_zsh(struct tk_buf *out)
{
    tk_buf_lit(out, "#compdef tracekit\n"
                    "# zsh completion of tracekit, made by `tracekit completion zsh`\n"
                    "\n"
                    "_tracekit_runs()\n"
                    "{\n"
                    "    local -a runs\n"
                    "    runs=(logs/*(/N:t))\n"
                    "    compadd -a runs\n"
                    "    _files -/\n"
                    "}\n"
                    "\n"
                    "_tracekit()\n"
                    "{\n"
                    "    local -a subcommands\n" /* `commands` is zsh's own */
                    "    subcommands=(\n");
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        if ((*cmd)->hidden)
            continue;
        tk_buf_printf(out, "        '%s:", (*cmd)->name);
        put_quoted(out, (*cmd)->help, ":\\");
        tk_buf_lit(out, "'\n");
    }
    tk_buf_lit(out, "    )\n"
                    "    if ((CURRENT == 2)); then\n"
                    "        _describe command subcommands\n"
                    "        return\n"
                    "    fi\n"
                    "    shift words\n"
                    "    ((CURRENT--))\n"
                    "    case $words[1] in\n");
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        tk_buf_printf(out, "    %s)\n        _arguments -s -S", (*cmd)->name);
        for (const struct tk_opt *option = (*cmd)->options; option->name; option++)
            put_zsh_option(out, option);
        tk_buf_lit(out, " \\\n            '(-h --help)'{-h,--help}'[show this help]'");
        put_zsh_rest(out, *cmd);
        tk_buf_lit(out, "\n        ;;\n");
    }
    tk_buf_lit(out, "    esac\n"
                    "}\n"
                    "\n"
                    "if [[ $funcstack[1] == _tracekit ]]; then\n"
                    "    _tracekit \"$@\"\n"
                    "else\n"
                    "    compdef _tracekit tracekit\n"
                    "fi\n");
}

/* fish ------------------------------------------------------------------------------ */

static const char *const fish_actions[] = {
    [HINT_NONE] = " -x",
    [HINT_FILE] = " -rF",
    [HINT_FOLDER] = " -xa '(__fish_complete_directories)'",
    [HINT_RUN] = " -xa '(__tracekit_runs)'",
    [HINT_PROGRAM] = " -xa '(__fish_complete_command)'",
    [HINT_COMMAND] = " -xa '(__fish_complete_command)'",
    [HINT_TABLE] = " -x",
};

static void put_fish_option(struct tk_buf *out, const struct tk_cmd *cmd,
                            const struct tk_opt *option)
{
    tk_buf_printf(out, "complete -c tracekit -n '__tracekit_is %s' -l %s", cmd->name, option->name);
    if (option->letter)
        tk_buf_printf(out, " -s %c", option->letter);
    if (option->type == TK_OPT_CHOICE) {
        tk_buf_lit(out, " -xa '");
        put_words(out, option->choices);
        tk_buf_putc(out, '\'');
    } else if (option->type != TK_OPT_FLAG) {
        tk_buf_puts(out, fish_actions[find_hint(option->arg)]);
    }
    tk_buf_lit(out, " -d '");
    put_quoted(out, option->help, "\\");
    tk_buf_lit(out, "'\n");
}

/* The test that the verb is there. */
static void put_fish_verbs(struct tk_buf *out, const struct tk_cmd *cmd)
{
    tk_buf_lit(out, "__fish_seen_subcommand_from ");
    put_words(out, cmd->verbs);
}

static void put_fish_rest(struct tk_buf *out, const struct tk_cmd *cmd)
{
    enum hint hint = find_hint(cmd->args);
    if (cmd->verbs) {
        tk_buf_printf(out, "complete -c tracekit -n '__tracekit_is %s; and not ", cmd->name);
        put_fish_verbs(out, cmd);
        tk_buf_lit(out, "' -xa '");
        put_words(out, cmd->verbs);
        tk_buf_lit(out, "'\n");
    }
    if (hint == HINT_NONE)
        return;
    tk_buf_printf(out, "complete -c tracekit -n '__tracekit_is %s", cmd->name);
    if (cmd->verbs) {
        tk_buf_lit(out, "; and ");
        put_fish_verbs(out, cmd);
    }
    tk_buf_putc(out, '\'');
    if (hint == HINT_COMMAND || hint == HINT_TABLE) {
        tk_buf_lit(out, " -xa '");
        (hint == HINT_COMMAND ? put_commands : put_tables)(out);
        tk_buf_putc(out, '\'');
    } else {
        tk_buf_puts(out, fish_actions[hint]);
    }
    tk_buf_putc(out, '\n');
}

static void put_fish(struct tk_buf *out)
{
    tk_buf_lit(out, "# fish completion of tracekit, made by `tracekit completion fish`\n"
                    "\n"
                    "function __tracekit_is\n"
                    "    set -l words (commandline -opc)\n"
                    "    test (count $words) -gt 1; and test $words[2] = $argv[1]\n"
                    "end\n"
                    "\n"
                    "function __tracekit_first\n"
                    "    test (count (commandline -opc)) -eq 1\n"
                    "end\n"
                    "\n"
                    "function __tracekit_runs\n"
                    "    for run in logs/*/\n"
                    "        basename $run\n"
                    "    end\n"
                    "    __fish_complete_directories\n"
                    "end\n"
                    "\n"
                    "complete -c tracekit -f\n"
                    "complete -c tracekit -n __tracekit_first -l version -d 'show the version'\n"
                    "complete -c tracekit -s h -l help -d 'show help'\n");
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        if (!(*cmd)->hidden) {
            tk_buf_printf(out, "complete -c tracekit -n __tracekit_first -a %s -d '", (*cmd)->name);
            put_quoted(out, (*cmd)->help, "\\");
            tk_buf_lit(out, "'\n");
        }
        for (const struct tk_opt *option = (*cmd)->options; option->name; option++)
            put_fish_option(out, *cmd, option);
        put_fish_rest(out, *cmd);
    }
}

/* The command --------------------------------------------------------------------------- */

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    static void (*const writers[])(struct tk_buf * out) = {put_bash, put_zsh, put_fish};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, NULL, argc, argv);
    if (first <= 0)
        return -first;
    if (argc - first != 1)
        return tk_cmd_usage(cmd, "name one shell: bash, zsh or fish");
    size_t i = 0;
    while (shells[i] && strcmp(shells[i], argv[first]) != 0)
        i++;
    if (!shells[i])
        return tk_cmd_refuse(cmd, argv[first]);

    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    writers[i](&out);
    if (tk_buf_check(&out, "the script", &err) < 0)
        return tk_cmd_fail(cmd, &err);
    (void)fwrite(out.p, 1, out.n, stdout);
    return TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_completion = {
    .name = "completion",
    .args = "SHELL",
    .help = "print the completion script of a shell",
    .about = "SHELL is bash, zsh or fish. An installed tracekit has all of them in place;\n"
             "otherwise:\n"
             "\n"
             "  source <(tracekit completion bash)\n"
             "  source <(tracekit completion zsh)\n"
             "  tracekit completion fish | source",
    .options = options,
    .verbs = shells,
    .mixed = true,
    .run = run,
};
