/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vterm.h>

#include "screen.h"

struct screen {
	int fd;
	pid_t pid;
	bool ended;
	int status;
	VTerm *terminal;
	VTermScreen *cells;
	int rows, columns;
};

static void on_output(const char *bytes, size_t n, void *userdata)
{
	struct screen *screen = userdata;

	while (n > 0 && !screen->ended) {
		ssize_t written = write(screen->fd, bytes, n);

		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (written > 0) {
			bytes += written;
			n -= (size_t)written;
		}
	}
}

struct screen *screen_run(char **argv, int rows, int columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	struct screen *screen = calloc(1, sizeof(*screen));

	if (!screen)
		return NULL;
	screen->rows = rows;
	screen->columns = columns;
	screen->pid = forkpty(&screen->fd, NULL, NULL, &size);
	if (screen->pid < 0) {
		free(screen);
		return NULL;
	}
	if (screen->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		_exit(127);
	}
	screen->terminal = vterm_new(rows, columns);
	vterm_set_utf8(screen->terminal, 1);
	vterm_output_set_callback(screen->terminal, on_output, screen);
	screen->cells = vterm_obtain_screen(screen->terminal);
	vterm_screen_enable_altscreen(screen->cells, 1);
	vterm_screen_reset(screen->cells, 1);
	return screen;
}

int screen_end(struct screen *screen)
{
	int status;

	if (!screen->ended) {
		kill(screen->pid, SIGKILL);
		while (waitpid(screen->pid, &screen->status, 0) < 0 && errno == EINTR)
			;
	}
	status = screen->status;
	close(screen->fd);
	vterm_free(screen->terminal);
	free(screen);
	return status;
}

bool screen_ended(const struct screen *screen)
{
	return screen->ended;
}

pid_t screen_pid(const struct screen *screen)
{
	return screen->pid;
}

bool screen_read(struct screen *screen, int msec)
{
	struct pollfd poll_fd = {.fd = screen->fd, .events = POLLIN};
	char bytes[65536];
	ssize_t n;

	if (screen->ended || poll(&poll_fd, 1, msec) <= 0)
		return false;
	n = read(screen->fd, bytes, sizeof(bytes));
	if (n > 0) {
		vterm_input_write(screen->terminal, bytes, (size_t)n);
		return true;
	}
	/* Nobody has the other end open. */
	while (waitpid(screen->pid, &screen->status, 0) < 0 && errno == EINTR)
		;
	screen->ended = true;
	return false;
}

static bool type_named(struct screen *screen, const char *name, size_t length)
{
	static const struct {
		const char *name;
		VTermKey key;
	} keys[] = {
		{"Enter", VTERM_KEY_ENTER}, {"Tab", VTERM_KEY_TAB},       {"Backspace", VTERM_KEY_BACKSPACE},
		{"Esc", VTERM_KEY_ESCAPE},  {"Up", VTERM_KEY_UP},         {"Down", VTERM_KEY_DOWN},
		{"Left", VTERM_KEY_LEFT},   {"Right", VTERM_KEY_RIGHT},   {"Home", VTERM_KEY_HOME},
		{"End", VTERM_KEY_END},     {"PageUp", VTERM_KEY_PAGEUP}, {"PageDown", VTERM_KEY_PAGEDOWN},
		{"Delete", VTERM_KEY_DEL},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == length && memcmp(keys[i].name, name, length) == 0) {
			vterm_keyboard_key(screen->terminal, keys[i].key, VTERM_MOD_NONE);
			return true;
		}
	if (length == 5 && memcmp(name, "S-Tab", 5) == 0)
		vterm_keyboard_key(screen->terminal, VTERM_KEY_TAB, VTERM_MOD_SHIFT);
	else if (length == 3 && memcmp(name, "C-", 2) == 0)
		vterm_keyboard_unichar(screen->terminal, (uint32_t)name[2], VTERM_MOD_CTRL);
	else if (length >= 2 && name[0] == 'F')
		vterm_keyboard_key(screen->terminal, VTERM_KEY_FUNCTION(atoi(name + 1)), VTERM_MOD_NONE);
	else if (length == 2 && memcmp(name, "lt", 2) == 0)
		vterm_keyboard_unichar(screen->terminal, '<', VTERM_MOD_NONE);
	else
		return false;
	return true;
}

bool screen_type(struct screen *screen, const char *keys)
{
	while (*keys) {
		const char *end = *keys == '<' ? strchr(keys, '>') : NULL;

		if (!end) {
			vterm_keyboard_unichar(screen->terminal, (uint32_t)(unsigned char)*keys++,
					       VTERM_MOD_NONE);
			continue;
		}
		if (!type_named(screen, keys + 1, (size_t)(end - keys - 1)))
			return false;
		keys = end + 1;
	}
	return true;
}

void screen_click(struct screen *screen, int row, int column, int button)
{
	vterm_mouse_move(screen->terminal, row, column, VTERM_MOD_NONE);
	vterm_mouse_button(screen->terminal, button, true, VTERM_MOD_NONE);
	vterm_mouse_button(screen->terminal, button, false, VTERM_MOD_NONE);
}

void screen_resize(struct screen *screen, int rows, int columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

	/* What was written for the old size is read by then. */
	while (screen_read(screen, 0))
		;
	screen->rows = rows;
	screen->columns = columns;
	vterm_set_size(screen->terminal, rows, columns);
	ioctl(screen->fd, TIOCSWINSZ, &size);
}

static VTermScreenCell cell_at(const struct screen *screen, int row, int column)
{
	VTermScreenCell cell;

	memset(&cell, 0, sizeof(cell));
	vterm_screen_get_cell(screen->cells, (VTermPos){.row = row, .col = column}, &cell);
	return cell;
}

static void put_unicode(uint32_t c, FILE *out)
{
	if (c < 0x80) {
		fputc((int)c, out);
	} else if (c < 0x800) {
		fprintf(out, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		fprintf(out, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
	} else {
		fprintf(out, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f),
			0x80 | (c & 0x3f));
	}
}

static bool is_blank(const VTermScreenCell *cell)
{
	return !cell->chars[0] || cell->chars[0] == ' ';
}

static void put_row(const struct screen *screen, int row, FILE *out)
{
	int end = screen->columns;
	VTermScreenCell cell;

	while (end > 0 && (cell = cell_at(screen, row, end - 1), is_blank(&cell)))
		end--;
	for (int column = 0; column < end; column++) {
		cell = cell_at(screen, row, column);
		if (cell.chars[0] == (uint32_t)-1)
			continue; /* right half of a wide character */
		if (!cell.chars[0])
			fputc(' ', out);
		for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++)
			put_unicode(cell.chars[i], out);
	}
	fputc('\n', out);
}

static int colour_of(const VTermColor *colour)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(colour) || VTERM_COLOR_IS_DEFAULT_BG(colour))
		return -1;
	return VTERM_COLOR_IS_INDEXED(colour) ? colour->indexed.idx : -2;
}

/* "bold underline reverse fg=4 bg=0"; empty: plain. */
static void look_of(const VTermScreenCell *cell, char out[64])
{
	int n = 0, foreground = colour_of(&cell->fg), background = colour_of(&cell->bg);

	out[0] = '\0';
	if (cell->attrs.bold)
		n += sprintf(out + n, " bold");
	if (cell->attrs.underline)
		n += sprintf(out + n, " underline");
	if (cell->attrs.reverse)
		n += sprintf(out + n, " reverse");
	if (foreground != -1)
		n += sprintf(out + n, " fg=%d", foreground);
	if (background != -1)
		n += sprintf(out + n, " bg=%d", background);
	/* Of a space nothing but these is to be seen. */
	if (is_blank(cell) && !cell->attrs.underline && !cell->attrs.reverse && background == -1)
		out[0] = '\0';
}

static void put_looks(const struct screen *screen, int row, FILE *out)
{
	char look[64], last[64] = "";
	int since = 0;

	for (int column = 0; column <= screen->columns; column++) {
		VTermScreenCell cell =
			column < screen->columns ? cell_at(screen, row, column) : (VTermScreenCell){};

		look[0] = '\0';
		if (column < screen->columns && cell.chars[0] != (uint32_t)-1)
			look_of(&cell, look);
		if (column < screen->columns && cell.chars[0] == (uint32_t)-1)
			continue;
		if (strcmp(look, last) == 0)
			continue;
		if (last[0])
			fprintf(out, "@%d %d-%d%s\n", row, since, column - 1, last);
		strcpy(last, look);
		since = column;
	}
}

char *screen_text(const struct screen *screen, bool looks)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (int row = 0; row < screen->rows; row++)
		put_row(screen, row, out);
	for (int row = 0; looks && row < screen->rows; row++)
		put_looks(screen, row, out);
	return fclose(out) == 0 ? text : NULL;
}

/* The colours of xterm's palette, on a dark ground. */
static void rgb(int index, char out[8])
{
	static const char *const basic[16] = {
		"#1d2021", "#e0635c", "#98b56b", "#d8a657", "#6c9ecf", "#c586c0", "#6fb3b8", "#d4d4d4",
		"#7c7c7c", "#ff7b72", "#a8cc7a", "#f0c674", "#82b4e8", "#d9a0d4", "#86c9ce", "#ffffff"};
	static const int levels[6] = {0, 95, 135, 175, 215, 255};

	if (index < 16)
		strcpy(out, basic[index]);
	else if (index < 232)
		sprintf(out, "#%02x%02x%02x", levels[(index - 16) / 36], levels[(index - 16) / 6 % 6],
			levels[(index - 16) % 6]);
	else
		sprintf(out, "#%02x%02x%02x", 8 + (index - 232) * 10, 8 + (index - 232) * 10,
			8 + (index - 232) * 10);
}

#define CELL_WIDTH  8.4
#define CELL_HEIGHT 18
#define GROUND      "#1d2021"
#define INK         "#d4d4d4"

static void svg_character(uint32_t c, FILE *out)
{
	if (c == '<')
		fputs("&lt;", out);
	else if (c == '>')
		fputs("&gt;", out);
	else if (c == '&')
		fputs("&amp;", out);
	else
		put_unicode(c, out);
}

static bool same_look(const VTermScreenCell *a, const VTermScreenCell *b)
{
	return colour_of(&a->fg) == colour_of(&b->fg) && a->attrs.bold == b->attrs.bold &&
	       a->attrs.reverse == b->attrs.reverse && a->attrs.underline == b->attrs.underline;
}

/* Cells of one row, from @column up to @end, that look alike. */
static void svg_run(const struct screen *screen, int row, int column, int end, FILE *out)
{
	VTermScreenCell cell = cell_at(screen, row, column);
	char ink[8] = INK, ground[8] = GROUND, *front = ink;
	double x = 8 + column * CELL_WIDTH, y = 8 + row * CELL_HEIGHT, width = (end - column) * CELL_WIDTH;

	if (colour_of(&cell.fg) >= 0)
		rgb(colour_of(&cell.fg), ink);
	if (cell.attrs.reverse) {
		fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", x, y,
			width, CELL_HEIGHT, ink);
		front = ground;
	}
	fprintf(out,
		"<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" textLength=\"%.1f\" xml:space=\"preserve\"%s%s>", x,
		y + 13.5, front, width, cell.attrs.bold ? " font-weight=\"bold\"" : "",
		cell.attrs.underline ? " text-decoration=\"underline\"" : "");
	for (; column < end; column++) {
		cell = cell_at(screen, row, column);
		if (!cell.chars[0])
			fputs("&#160;", out);
		for (int i = 0;
		     i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] && cell.chars[i] != (uint32_t)-1; i++)
			if (cell.chars[i] == ' ')
				fputs("&#160;", out);
			else
				svg_character(cell.chars[i], out);
	}
	fputs("</text>\n", out);
}

static void svg_row(const struct screen *screen, int row, FILE *out)
{
	int start = 0;

	for (int column = 1; column <= screen->columns; column++) {
		VTermScreenCell before = cell_at(screen, row, start), cell;

		if (column < screen->columns &&
		    (cell = cell_at(screen, row, column), same_look(&before, &cell)))
			continue;
		svg_run(screen, row, start, column, out);
		start = column;
	}
}

void screen_svg(const struct screen *screen, FILE *out)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" font-family=\"DejaVu "
		"Sans "
		"Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n<rect width=\"100%%\" "
		"height=\"100%%\" rx=\"6\" "
		"fill=\"" GROUND "\"/>\n",
		16 + screen->columns * CELL_WIDTH, 16 + screen->rows * CELL_HEIGHT);
	for (int row = 0; row < screen->rows; row++)
		svg_row(screen, row, out);
	fputs("</svg>\n", out);
}
