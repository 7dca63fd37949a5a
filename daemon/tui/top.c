/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The loop: what comes from the daemon, from the keyboard and from the clock, and the screen that follows. */

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli/output.h"
#include "cli/text.h"
#include "tui/live.h"
#include "tui/said.h"
#include "tui/terminal.h"
#include "tui/top.h"
#include "tui/ui.h"

/* Two drawings that no key asked for are at least this far apart, and this many times what one costs. */
#define DRAW_USEC           100000ULL
#define DRAW_COST_FACTOR    10

#define BATCH_INTERVAL_USEC 2000000ULL

struct top {
	const struct options *options;
	struct client *client;
	struct world world;
	struct player player;
	struct live *live; /* NULL: replay */
	struct ui ui;
	struct grid grid;
	struct terminal *terminal; /* NULL: --batch */
	struct said said;
	bool input, resized, stopped, continued;
	bool quit;
	bool dirty; /* what is on the screen is not what is known */
	uint64_t drawn_usec, cost_usec;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000ULL + (uint64_t)now.tv_nsec / 1000;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct top *top = userdata;

	(void)fd;
	top->input = true;
	if (!(revents & EPOLLIN)) {
		top->ui.wish |= WISH_QUIT; /* nobody is there any more */
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct top *top = userdata;

	(void)source;
	if (info->ssi_signo == SIGWINCH)
		top->resized = true;
	else
		top->ui.wish |= WISH_SUSPEND;
	return 0;
}

static void not_called(int signo)
{
	(void)signo;
}

/*
 * SIGTSTP has a handler, which it does not reach: where it has none ncurses ignores it whenever it draws
 * (_nc_signal_handler() of ncurses/tty/lib_tstp.c), and that takes one away which waits to be read.
 */
static enum exit_code watch_terminal(struct top *top, struct failure *failure)
{
	const struct sigaction action = {.sa_handler = not_called, .sa_flags = SA_RESTART};
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	sigaddset(&mask, SIGTSTP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || sigaction(SIGTSTP, &action, NULL) < 0)
		return fail_with(failure, EXIT_FAILED, "cannot block signals: %s", strerror(errno));
	if ((r = sd_event_add_signal(top->client->event, NULL, SIGWINCH, on_signal, top)) < 0 ||
	    (r = sd_event_add_signal(top->client->event, NULL, SIGTSTP, on_signal, top)) < 0 ||
	    (r = sd_event_add_io(top->client->event, NULL, STDIN_FILENO, EPOLLIN, on_input, top)) < 0)
		return fail_with(failure, EXIT_FAILED, "cannot watch the terminal: %s", strerror(-r));
	return EXIT_OK;
}

static void on_said(void *userdata, const char *line)
{
	struct top *top = userdata;

	ui_say(&top->ui, true, "%s", line);
	top->dirty = true;
}

static void on_explained(void *userdata, struct json_object *answer, const char *error)
{
	struct top *top = userdata;

	if (!top->ui.explaining)
		return;
	ui_explained(&top->ui, answer, error);
	top->dirty = true;
}

static void ask_explanation(struct top *top)
{
	const char *words[3] = {top->ui.explain_words[0],
				top->ui.explain_words[1][0] ? top->ui.explain_words[1] : NULL, NULL};

	if (top->live)
		live_explain(top->live, words, on_explained, top);
}

/* Never over a file that is there, nor through a link. */
static void write_export(struct top *top)
{
	struct ui *ui = &top->ui;
	int fd = open(ui->export_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!out) {
		ui_say(ui, true, "%.128s: %s", ui->export_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	r = ui_export(ui, ui->export_json, out);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r < 0) {
		ui_say(ui, true, "%.128s: %s", ui->export_path, strerror(-r));
		unlink(ui->export_path);
	} else {
		ui_say(ui, false, "written: %.128s", ui->export_path);
	}
}

/* As ^Z does it, also for a SIGTSTP from elsewhere. */
static void suspend(struct top *top)
{
	terminal_suspend(top->terminal);
	kill(getpid(), SIGSTOP);
	terminal_resume(top->terminal);
	top->resized = true;
}

/* What keys wished for. */
static void grant_wishes(struct top *top)
{
	unsigned int wish = top->ui.wish;

	top->ui.wish = WISH_NONE;
	top->quit = top->quit || wish & WISH_QUIT;
	if (wish & WISH_EXPLAIN)
		ask_explanation(top);
	if (wish & WISH_EXPORT)
		write_export(top);
	if (wish & WISH_REDRAW)
		terminal_redraw(top->terminal);
	if (wish & WISH_SUSPEND)
		suspend(top);
	if (top->live) {
		live_freeze(top->live, top->ui.frozen);
		live_all_findings(top->live, top->ui.lists[SCREEN_FINDINGS].all);
	}
	if (wish)
		top->dirty = true;
}

static enum exit_code draw(struct top *top, struct failure *failure)
{
	uint64_t before = now_usec();

	if (ui_refresh(&top->ui) < 0)
		return fail_memory(failure);
	ui_draw(&top->ui, &top->grid);
	if (top->terminal)
		terminal_show(top->terminal, &top->grid);
	top->dirty = false;
	top->drawn_usec = now_usec();
	top->cost_usec = top->drawn_usec - before;
	return EXIT_OK;
}

/* Each key is answered at once, but several that wait together. */
static enum exit_code take_keys(struct top *top, struct failure *failure)
{
	struct press press;
	bool any = false;

	top->input = false;
	while (terminal_press(top->terminal, &press)) {
		ui_press(&top->ui, &press);
		any = true;
		if (top->ui.wish & (WISH_QUIT | WISH_SUSPEND))
			break;
		/* What the next key does may depend on where things are now. */
		if (ui_refresh(&top->ui) < 0)
			return fail_memory(failure);
		ui_draw(&top->ui, &top->grid);
	}
	grant_wishes(top);
	return any && !top->quit ? draw(top, failure) : EXIT_OK;
}

static enum exit_code resize(struct top *top, struct failure *failure)
{
	int rows, columns;

	top->resized = false;
	terminal_size(top->terminal, &rows, &columns);
	if (grid_resize(&top->grid, rows, columns) < 0)
		return fail_memory(failure);
	return draw(top, failure);
}

/* What cannot wait until somebody looks at the right screen. */
static void tell_alarm(struct top *top)
{
	char *safe;

	if (!top->world.alarm[0])
		return;
	safe = text_safe(top->world.alarm);
	if (safe)
		ui_say(&top->ui, true, "%s", safe);
	free(safe);
	top->world.alarm[0] = '\0';
}

/* Makes time pass; *due: when there is something to do again. */
static enum exit_code tick(struct top *top, uint64_t *due, struct failure *failure)
{
	uint64_t now = now_usec(), position = top->player.position;
	enum exit_code code = EXIT_OK;

	if (top->live) {
		*due = live_tick(top->live, now);
		top->dirty = live_news(top->live) || top->dirty;
		tell_alarm(top);
		return EXIT_OK;
	}
	code = player_tick(&top->player, now, failure);
	*due = player_due(&top->player);
	/* The clock in the header goes on meanwhile. */
	if (top->player.playing && *due > now + DRAW_USEC)
		*due = now + DRAW_USEC;
	top->dirty = top->dirty || top->player.playing || top->player.position != position;
	return code;
}

static uint64_t draw_due(const struct top *top)
{
	uint64_t apart = top->cost_usec * DRAW_COST_FACTOR;

	return top->drawn_usec + (apart > DRAW_USEC ? apart : DRAW_USEC);
}

static enum exit_code turn(struct top *top, uint64_t due, struct failure *failure)
{
	uint64_t now = now_usec();
	int r;

	if (top->dirty && draw_due(top) < due)
		due = draw_due(top);
	r = sd_event_run(top->client->event, due == UINT64_MAX ? due : due > now ? due - now : 0);
	return r < 0 ? fail_with(failure, EXIT_FAILED, "the event loop failed: %s", strerror(-r)) : EXIT_OK;
}

static enum exit_code run(struct top *top, struct failure *failure)
{
	enum exit_code code = resize(top, failure);

	while (code == EXIT_OK && !top->client->signal && !top->quit) {
		uint64_t due = UINT64_MAX;

		code = tick(top, &due, failure);
		if (code == EXIT_OK && top->dirty && now_usec() >= draw_due(top))
			code = draw(top, failure);
		if (code == EXIT_OK)
			code = turn(top, due, failure);
		if (code == EXIT_OK && top->resized)
			code = resize(top, failure);
		if (code == EXIT_OK && top->input)
			code = take_keys(top, failure);
		grant_wishes(top);
	}
	return code;
}

static bool locale_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static enum exit_code run_terminal(struct top *top, struct failure *failure)
{
	const char *error;
	enum exit_code code;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return fail_with(failure, EXIT_USAGE,
				 "top needs a terminal; --batch prints what it would show");
	code = watch_terminal(top, failure);
	if (code == EXIT_OK && said_watch(&top->said, top->client->event, on_said, top) < 0)
		code = fail_memory(failure);
	if (code != EXIT_OK)
		return code;
	/* Nor may ssh ask for a password there when it connects anew. */
	setenv("SSH_ASKPASS", "/bin/false", 1);
	setenv("SSH_ASKPASS_REQUIRE", "force", 1);
	top->terminal = terminal_open(top->options->colour, &error);
	if (!top->terminal)
		return fail_with(failure, EXIT_FAILED, "%s", error);
	code = run(top, failure);
	top->terminal = terminal_close(top->terminal);
	return code;
}

/* Of a pipe: what the environment says, else 80x24. */
static void batch_size(int *rows, int *columns)
{
	const char *lines_text = getenv("LINES"), *columns_text = getenv("COLUMNS");
	struct winsize size;

	*rows = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
		*rows = size.ws_row;
		*columns = size.ws_col;
	}
	if (lines_text && atoi(lines_text) > 0)
		*rows = atoi(lines_text);
	if (columns_text && atoi(columns_text) > 0)
		*columns = atoi(columns_text);
}

static enum colours batch_colours(const struct options *options)
{
	const char *term = getenv("TERM");

	if (!options->colour)
		return COLOURS_NONE;
	return term && strstr(term, "256color") ? COLOURS_256 : COLOURS_8;
}

static enum exit_code print_frame(struct top *top, struct failure *failure)
{
	enum exit_code code = draw(top, failure);

	if (code != EXIT_OK)
		return code;
	grid_print(&top->grid, batch_colours(top->options), stdout);
	return output_finish(failure);
}

static enum exit_code await_frame(struct top *top, uint64_t until, struct failure *failure)
{
	enum exit_code code = EXIT_OK;

	while (code == EXIT_OK && !top->client->signal && !top->client->output_gone) {
		uint64_t due = UINT64_MAX, now = now_usec();

		code = tick(top, &due, failure);
		if (until ? now >= until : !top->live || live_complete(top->live))
			break;
		if (until && until < due)
			due = until;
		top->dirty = false;
		if (code == EXIT_OK)
			code = turn(top, due, failure);
	}
	return code;
}

static enum exit_code run_batch(struct top *top, struct failure *failure)
{
	const struct options *options = top->options;
	uint64_t interval = options->interval_sec ? options->interval_sec * 1000000 : BATCH_INTERVAL_USEC;
	uint64_t frames = options->frames ? options->frames : top->live ? UINT64_MAX : 1;
	enum exit_code code = client_watch_output(top->client, failure);
	int rows, columns;

	batch_size(&rows, &columns);
	if (grid_resize(&top->grid, rows, columns) < 0)
		return fail_memory(failure);
	if (code == EXIT_OK)
		code = await_frame(top, 0, failure);
	for (uint64_t i = 0; i < frames && code == EXIT_OK && !top->client->signal; i++) {
		if (i) {
			puts("");
			code = await_frame(top, now_usec() + interval, failure);
		}
		if (code == EXIT_OK && !top->client->signal)
			code = print_frame(top, failure);
	}
	if (top->client->output_gone)
		failure->signal = SIGPIPE;
	return code;
}

int screen_by_name(const char *name)
{
	for (int i = 0; i < SCREENS; i++)
		if (*name && strncasecmp(screen_names[i], name, strlen(name)) == 0)
			return i;
	return -1;
}

/* Where a replay begins: as told, in batch at the end, else with its beginning, playing. */
static enum exit_code open_replay(struct top *top, struct failure *failure)
{
	const struct options *options = top->options;
	enum exit_code code = player_open(&top->player, &top->world, options->replay, failure);
	uint64_t position = UINT64_MAX;

	if (code != EXIT_OK)
		return code;
	top->player.playing = !options->batch && !options->at;
	if (options->at && !player_find(&top->player, options->at, &position))
		return fail_with(failure, EXIT_USAGE, "--at=%s is no place: #40, 50%%, +1.5s or 13:59:20.7",
				 options->at);
	return options->at || options->batch ? player_seek(&top->player, position, failure) : EXIT_OK;
}

static enum exit_code open_world(struct top *top, struct failure *failure)
{
	enum exit_code code;

	if (top->options->replay) {
		code = client_new(&top->client, failure);
		return code == EXIT_OK ? open_replay(top, failure) : code;
	}
	code = client_open(&top->client, top->options, failure);
	/* The first call tells whether somebody is there, before the terminal is taken over. */
	if (code == EXIT_OK) {
		struct json_object *status = NULL;

		code = client_get_object(top->client, "GetStatus", &status, failure);
		json_object_put(status);
	}
	if (code != EXIT_OK)
		return code;
	top->live = live_new(top->client, top->options, &top->world);
	return top->live ? EXIT_OK : fail_memory(failure);
}

static void init_ui(struct top *top)
{
	struct ui *ui = &top->ui;

	if (top->options->host)
		snprintf(ui->host, sizeof(ui->host), "%s", top->options->host);
	else if (!top->options->replay && gethostname(ui->host, sizeof(ui->host) - 1) < 0)
		ui->host[0] = '\0';
	top->grid.utf8 = locale_is_utf8();
	if (top->options->screen)
		ui_go(ui, (enum screen_id)screen_by_name(top->options->screen));
}

enum exit_code verb_top(const struct options *options, struct failure *failure)
{
	struct top *top = calloc(1, sizeof(*top));
	enum exit_code code;

	if (!top)
		return fail_memory(failure);
	top->options = options;
	world_init(&top->world);
	ui_init(&top->ui, &top->world, options->replay ? &top->player : NULL);
	top->said = (struct said){.fd = -1, .before = -1};
	if (options->host && !options->batch)
		said_begin(&top->said);
	code = open_world(top, failure);
	if (code == EXIT_OK) {
		init_ui(top);
		code = options->batch ? run_batch(top, failure) : run_terminal(top, failure);
	}
	/* Ctrl-C is one way to quit; other signals end us as they do others. */
	if (code == EXIT_OK && top->client->signal && top->client->signal != SIGINT)
		failure->signal = top->client->signal;
	said_end(&top->said);
	ui_done(&top->ui);
	grid_done(&top->grid);
	top->live = live_free(top->live);
	world_done(&top->world);
	client_close(top->client);
	free(top);
	return code;
}
