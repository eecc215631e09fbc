/* SPDX-License-Identifier: Apache-2.0 */
/* The live view on a whole terminal. A frame is drawn as text, the same that --batch prints, and
 * put to the screen line by line; ncurses sends what changed, reads keys, follows the size of the
 * terminal and gives it back. Signals come by a descriptor, so that nothing runs in a handler. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <ncurses.h>

#include "base/file.h"
#include "cmd/top.h"
#include "report/report.h"

#define FRAME_MAX  ((size_t)1024 * 1024)
#define HEAD_LINES 9 /* of a frame before its processes: title, machine, data, blank, heading */
#define FILTER_MAX 32
#define KEY_ESCAPE 27
#define KEY_DELETE 127
#define KEY_REDRAW 12 /* Ctrl-L */
#define ESCAPE_MS  50 /* to tell the key from the start of a sequence */

struct screen {
    struct tk_top *top;
    struct tk_top_view *view;
    struct tk_look look;
    struct tk_buf text;
    char filter[FILTER_MAX];
    bool asks_filter; /* keys go to the filter */
    bool paused, help, quits;
};

/* Drawing -------------------------------------------------------------------------- */

static const struct {
    const char *sequence;
    enum tk_style style;
    int colour; /* of the pair; -1 = the default */
    attr_t attributes;
} styles[] = {
    {"\033[1m", TK_STYLE_TITLE, -1, A_BOLD},      {"\033[2m", TK_STYLE_DIM, -1, A_DIM},
    {"\033[36m", TK_STYLE_CHART, COLOR_CYAN, 0},  {"\033[32m", TK_STYLE_GOOD, COLOR_GREEN, 0},
    {"\033[33m", TK_STYLE_WARN, COLOR_YELLOW, 0}, {"\033[31m", TK_STYLE_BAD, COLOR_RED, 0},
};

static void set_style(tk_str sequence)
{
    (void)attrset(A_NORMAL);
    for (size_t i = 0; i < TK_COUNTOF(styles); i++) {
        if (tk_str_eq(sequence, tk_str_from(styles[i].sequence)))
            (void)attr_set(styles[i].attributes, (short)styles[i].style, NULL);
    }
}

/* A line of styled text at `y`. */
static void put_line(int y, tk_str line)
{
    (void)move(y, 0);
    while (line.n > 0) {
        size_t plain = tk_str_find(line, '\033');
        (void)addnstr(line.p, (int)plain);
        line.p += plain;
        line.n -= plain;
        size_t end = tk_str_find(line, 'm');
        size_t n = end < line.n ? end + 1 : line.n;
        set_style((tk_str){line.p, n});
        line.p += n;
        line.n -= n;
    }
    (void)attrset(A_NORMAL);
    (void)clrtoeol();
}

static const char *const help_lines[] = {
    "  c  sort by CPU            /      show only names with a text",
    "  m  sort by memory         a      command lines, or names",
    "  i  sort by I/O            space  pause, go on",
    "  p  sort by pid            arrows, page up and down, home  scroll",
    "  n  sort by name           q      quit",
    "",
    "  CPU: 100 % is one core, over the last interval, by clocks of nanoseconds.",
    "  Ended: processes that came to their end in it, however short their life.",
    "  wait: share of the time in which some task waited for CPU, I/O or memory.",
};

static void put_help(void)
{
    (void)move(HEAD_LINES - 1, 0);
    (void)clrtobot();
    for (size_t i = 0; i < TK_COUNTOF(help_lines); i++)
        put_line(HEAD_LINES - 1 + (int)i, tk_str_from(help_lines[i]));
}

static void put_status(const struct screen *screen)
{
    char text[256];
    if (screen->asks_filter) {
        (void)snprintf(text, sizeof(text), " names with: %s_", screen->filter);
    } else {
        char interval[TK_TOP_INTERVAL_MAX];
        tk_top_format_interval(tk_top_read_frame(screen->top), interval);
        (void)snprintf(text, sizeof(text),
                       " %s %s, by %s%s%s  h help  c m i p n sort  / filter  space %s  "
                       "q quit",
                       screen->paused ? "PAUSED" : "live", interval,
                       tk_top_sorts[screen->view->sort], *screen->filter ? " with " : "",
                       screen->filter, screen->paused ? "on" : "pause");
    }
    (void)attron(A_REVERSE);
    (void)mvaddnstr(LINES - 1, 0, text, COLS);
    for (int x = getcurx(stdscr); x > 0 && x < COLS; x++)
        (void)mvaddch(LINES - 1, x, ' ');
    (void)attroff(A_REVERSE);
}

static int draw(struct screen *screen, struct tk_err *err)
{
    int rows = LINES - HEAD_LINES - 1;
    screen->view->limit = rows > 1 ? (size_t)rows : 1;
    screen->look.width = COLS;
    tk_buf_reset(&screen->text);
    int rc = tk_top_format(tk_top_read_frame(screen->top), screen->view, &screen->look,
                           &screen->text, err);
    if (rc < 0)
        return rc;
    (void)erase();
    tk_str text = tk_buf_str(&screen->text);
    tk_str line;
    for (int y = 0; y < LINES - 1 && tk_str_take_line(&text, &line); y++)
        put_line(y, line);
    if (screen->help)
        put_help();
    put_status(screen);
    (void)refresh();
    return 0;
}

/* Keys --------------------------------------------------------------------------------- */

static void filter_key(struct screen *screen, int key)
{
    size_t n = strlen(screen->filter);
    if (key == KEY_ESCAPE) {
        screen->filter[0] = '\0';
        screen->asks_filter = false;
    } else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        screen->asks_filter = false;
    } else if (key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') {
        screen->filter[n > 0 ? n - 1 : 0] = '\0';
    } else if (key >= ' ' && key < KEY_DELETE && n + 1 < sizeof(screen->filter)) {
        screen->filter[n] = (char)key;
        screen->filter[n + 1] = '\0';
    }
    screen->view->offset = 0;
}

/* Leave `by` more processes out at the top, as far as there are any. */
static void scroll_by(struct screen *screen, long by)
{
    struct tk_top_view *view = screen->view;
    size_t count = tk_top_select(tk_top_read_frame(screen->top), view);
    long offset = (long)view->offset + by;
    long last = (long)count - (long)view->limit;
    if (offset > last)
        offset = last;
    view->offset = offset > 0 ? (size_t)offset : 0;
}

static void sort_by(struct screen *screen, enum tk_top_sort sort)
{
    screen->view->sort = sort;
    screen->view->offset = 0;
}

static void key_filter(struct screen *screen)
{
    screen->asks_filter = true;
}

static void key_pause(struct screen *screen)
{
    screen->paused = !screen->paused;
}

static void key_args(struct screen *screen)
{
    screen->view->args = !screen->view->args;
}

static void key_help(struct screen *screen)
{
    screen->help = !screen->help;
}

static void key_quit(struct screen *screen)
{
    screen->quits = true;
}

static void key_home(struct screen *screen)
{
    screen->view->offset = 0;
}

static void key_redraw(struct screen *screen)
{
    (void)screen;
    (void)clearok(stdscr, TRUE);
}

static const struct {
    int key;
    void (*act)(struct screen *screen);
} actions[] = {
    {'/', key_filter}, {' ', key_pause},     {'a', key_args},
    {'h', key_help},   {'?', key_help},      {KEY_ESCAPE, key_help},
    {'q', key_quit},   {KEY_HOME, key_home}, {KEY_REDRAW, key_redraw},
};

static const struct {
    int key;
    enum tk_top_sort sort;
} orders[] = {
    {'c', TK_TOP_BY_CPU}, {'P', TK_TOP_BY_CPU}, {'m', TK_TOP_BY_MEMORY}, {'M', TK_TOP_BY_MEMORY},
    {'i', TK_TOP_BY_IO},  {'p', TK_TOP_BY_PID}, {'n', TK_TOP_BY_NAME},
};

static void handle_key(struct screen *screen, int key)
{
    long page = (long)screen->view->limit;
    if (screen->asks_filter) {
        filter_key(screen, key);
        return;
    }
    for (size_t i = 0; i < TK_COUNTOF(actions); i++) {
        if (actions[i].key == key)
            actions[i].act(screen);
    }
    for (size_t i = 0; i < TK_COUNTOF(orders); i++) {
        if (orders[i].key == key)
            sort_by(screen, orders[i].sort);
    }
    if (key == KEY_UP || key == KEY_DOWN)
        scroll_by(screen, key == KEY_UP ? -1 : 1);
    if (key == KEY_PPAGE || key == KEY_NPAGE)
        scroll_by(screen, key == KEY_PPAGE ? -page : page);
    if (key == KEY_END)
        scroll_by(screen, (long)tk_top_read_frame(screen->top)->count);
}

static int handle_keys(struct screen *screen, struct tk_err *err)
{
    for (int key = getch(); key != ERR; key = getch())
        handle_key(screen, key);
    return screen->quits ? 0 : draw(screen, err);
}

/* The loop ------------------------------------------------------------------------------- */

static int signals_open(int *ret_fd, sigset_t *ret_before, struct tk_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, ret_before);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? tk_fail_errno(err, "signals") : 0;
}

/* The signal that came, 0 when the user quit, or an error. */
static int loop(struct screen *screen, int signal_fd, struct tk_err *err)
{
    enum { SAMPLER, KEYS, SIGNALS, COUNT };
    struct pollfd polls[COUNT] = {
        [SAMPLER] = {tk_top_fd(screen->top), POLLIN, 0},
        [KEYS] = {STDIN_FILENO, POLLIN, 0},
        [SIGNALS] = {signal_fd, POLLIN, 0},
    };
    while (!screen->quits) {
        int n = poll(polls, COUNT, -1);
        if (n < 0 && errno != EINTR)
            return tk_fail_errno(err, "poll");
        struct signalfd_siginfo info;
        if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
            return (int)info.ssi_signo;
        if (n > 0 && (polls[KEYS].revents & (POLLHUP | POLLERR)) != 0)
            return SIGHUP;
        int rc = 0;
        if (n < 0 || polls[KEYS].revents != 0) /* EINTR: the size of the terminal changed */
            rc = handle_keys(screen, err);
        if (rc == 0 && n > 0 && polls[SAMPLER].revents != 0)
            rc = tk_top_step(screen->top, err);
        if (rc > 0)
            rc = screen->paused ? 0 : draw(screen, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void set_up(void)
{
    (void)cbreak();
    (void)noecho();
    (void)curs_set(0);
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(ESCAPE_MS);
    (void)start_color();
    (void)use_default_colors();
    for (size_t i = 0; i < TK_COUNTOF(styles); i++)
        (void)init_pair((short)styles[i].style, (short)styles[i].colour, -1);
}

static int run_on_terminal(struct screen *screen, struct tk_err *err)
{
    /* ncurses takes the character set from the locale of the process; the rest of the program
     * does not depend on it. */
    if (screen->look.utf8)
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
    TK_CLEANUP(tk_fd_close) int signal_fd = -1;
    sigset_t before;
    int rc = signals_open(&signal_fd, &before, err);
    if (rc < 0)
        return rc;
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return tk_fail(err, -ENOTTY, "this terminal is not known: TERM is not set or wrong");
    set_up();
    rc = loop(screen, signal_fd, err);
    (void)endwin();
    delscreen(terminal);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int tk_top_run(struct tk_top *top, struct tk_top_view *view, struct tk_err *err)
{
    struct screen screen = {.top = top, .view = view};
    (void)snprintf(screen.filter, sizeof(screen.filter), "%s", view->filter ? view->filter : "");
    view->filter = screen.filter;
    tk_look_init(&screen.look, STDOUT_FILENO);
    tk_buf_init(&screen.text, FRAME_MAX);
    int rc = run_on_terminal(&screen, err);
    tk_buf_release(&screen.text);
    tk_look_release(&screen.look);
    view->filter = NULL;
    return rc;
}
