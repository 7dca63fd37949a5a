/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_UI_H
#define VFIOWATCH_TUI_UI_H

/*
 * The state of the view: which screen, what is selected, how it is sorted. Keys change it, and a world and
 * this state make a screen; nothing here knows a terminal, a bus or a clock. What has to be done elsewhere is
 * left in `wish` for the loop.
 */

#include "tui/list.h"
#include "tui/player.h"
#include "tui/press.h"
#include "tui/world.h"

enum screen_id {
	SCREEN_OVERVIEW,
	SCREEN_DEVICE,
	SCREEN_MAPPINGS,
	SCREEN_COOKIES,
	SCREEN_FINDINGS,
	SCREEN_EVENTS,
	SCREEN_HEALTH,
	SCREENS,
};

enum prompt_kind {
	PROMPT_NONE,
	PROMPT_SEARCH,
	PROMPT_FILTER,
	PROMPT_SEEK,
	PROMPT_EXPORT,
	PROMPT_EXPORT_JSON
};

#define PROMPT_MAX FILTER_TEXT_MAX

enum popup_kind { POPUP_NONE, POPUP_HELP, POPUP_SORT, POPUP_DETAIL };

/* Paragraphs that scroll. */
struct pages {
	struct paragraph {
		char *text;
		enum style style;
		int indent;
	} * paragraphs;
	size_t n;
	int top, rows; /* first row shown, and how many there are, as of the last drawing */
};
void pages_clear(struct pages *pages);
/* A paragraph that finds no memory is left out. */
void pages_add(struct pages *pages, enum style style, int indent, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void pages_draw(struct pages *pages, const struct area *area);

enum wish {
	WISH_NONE = 0,
	WISH_QUIT = 1 << 0,
	WISH_SUSPEND = 1 << 1,
	WISH_REDRAW = 1 << 2,
	WISH_EXPLAIN = 1 << 3, /* of explain_words, from the daemon */
	WISH_EXPORT = 1 << 4,  /* of the current screen, to export_path */
};

struct device_view {
	char name[EVENT_NAME_LEN + 1];
	unsigned int bar;
	bool bar_chosen;     /* else it is the largest */
	uint64_t start, end; /* window, in bytes of the BAR; equal: all of it */
	uint64_t cursor;     /* byte of the BAR */
	bool cookies;        /* the list below has cookies, else mappings */
	int strip_row, strip_column,
		strip_columns; /* on the screen as of the last drawing; columns 0: none */
};

struct seen {
	bool made, all;
	uint64_t ledger, findings, status;
	char device[EVENT_NAME_LEN + 1];
};

struct ui {
	struct world *world;
	struct player *player; /* NULL: live */
	char host[64];         /* for the header; empty: unknown */

	enum screen_id screen, before;
	struct list lists[SCREENS]; /* of SCREEN_DEVICE: its mappings; SCREEN_HEALTH has none */
	struct list device_cookies;
	struct seen seen[SCREENS + 1];
	struct device_view device;
	struct pages health;

	enum prompt_kind prompt;
	char text[PROMPT_MAX];
	size_t cursor; /* bytes */

	enum popup_kind popup;
	struct pages detail;
	int choice; /* of POPUP_SORT */
	char explain_words[2][EVENT_NAME_LEN + 32];
	bool explaining; /* an answer is awaited */

	char message[256];
	bool message_bad;
	bool frozen;
	unsigned int wish; /* enum wish, ored */
	char export_path[PROMPT_MAX];
	bool export_json;

	int tabs_begin[SCREENS], tabs_end[SCREENS]; /* columns in row 1 */
	struct area body;                           /* as of the last drawing */
};

void ui_init(struct ui *ui, struct world *world, struct player *player);
void ui_done(struct ui *ui);

/* Brings the sheets of the present screen up to date with the world. Returns 0 or -ENOMEM. */
int ui_refresh(struct ui *ui);

/* Draws all of it. ui_refresh() comes first. */
void ui_draw(struct ui *ui, struct grid *grid);

void ui_press(struct ui *ui, const struct press *press);

/* The answer to WISH_EXPLAIN; NULL: @error says why there is none. */
void ui_explained(struct ui *ui, struct json_object *answer, const char *error);

void ui_say(struct ui *ui, bool bad, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The list that keys act on; NULL: this screen has none. */
struct list *ui_list(struct ui *ui);

/* Writes what the present screen shows, all rows of it, as text, or as JSON with all that the verb of the
 * command line for it tells. Returns 0, -ENODATA (nothing is known) or -ENOMEM. */
int ui_export(struct ui *ui, bool json, FILE *out);

/* Between files of this directory. */
extern const struct view overview_view, finding_view;
extern const char *const screen_names[SCREENS];
uint64_t identity(const void *data, size_t size); /* of what has no id of its own */
int fill_overview(struct ui *ui, struct list *list);
int fill_findings(struct ui *ui, struct list *list);
struct json_object *finding_row(struct ui *ui, uint64_t id);
const char *finding_process(void *userdata, const struct sheet_row *row, size_t i, char *out, size_t size);
void tell_finding(struct ui *ui, struct pages *pages);
void fill_health(struct ui *ui);
void draw_device(struct ui *ui, const struct area *area);
void draw_findings(struct ui *ui, const struct area *area);
void draw_popup(struct ui *ui, const struct area *area);
void draw_footer(struct ui *ui, const struct area *area);
const struct device *device_shown(const struct ui *ui);
void choose_device(struct ui *ui);
uint64_t device_window(const struct ui *ui, uint64_t *size); /* start and size of the window */
bool press_device(struct ui *ui, const struct press *press);
bool press_replay(struct ui *ui, const struct press *press);
void press_prompt(struct ui *ui, const struct press *press);
void press_mouse(struct ui *ui, const struct press *press);
void press_popup(struct ui *ui, const struct press *press);
void ui_go(struct ui *ui, enum screen_id screen);
void ui_open_prompt(struct ui *ui, enum prompt_kind kind, const char *text);
void ui_enter(struct ui *ui);
void ui_toggle_time(struct ui *ui);
void ui_help(struct ui *ui);

#endif
