/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * random COUNT [SEED]: random keys, mouse events, resizes and answers of the bus, valid and hostile, into the
 * view, which is drawn after each. Run under sanitizers from the root of the tree. What every screen must
 * hold: each cell has a printable text of its width, wide ones their right half, and nothing is drawn
 * outside.
 */

#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <wchar.h>

#include "capture.h"
#include "tui/ui.h"

#define CAPTURES  "tests/replay/"
#define SEEDS_MAX 16

static uint64_t state;

static uint32_t next(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33);
}

static uint32_t below(uint32_t n)
{
	return next() % n;
}

/* A capture without its end frame is an answer of ReadState. */
struct seed {
	char path[512];
	uint8_t *data;
	size_t size;
};

static struct seed seeds[SEEDS_MAX];
static size_t n_seeds;

static void read_seed(const char *name)
{
	struct seed *seed = &seeds[n_seeds];
	FILE *file;

	snprintf(seed->path, sizeof(seed->path), CAPTURES "%s", name);
	file = fopen(seed->path, "r");
	if (!file)
		abort();
	seed->data = malloc(1 << 20);
	seed->size = fread(seed->data, 1, 1 << 20, file) - 8;
	fclose(file);
	n_seeds++;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_seeds(void)
{
	DIR *directory = opendir(CAPTURES);
	char *names[SEEDS_MAX];
	struct dirent *entry;
	size_t n = 0;

	while (directory && (entry = readdir(directory)) && n < SEEDS_MAX)
		if (strstr(entry->d_name, ".capture"))
			names[n++] = strdup(entry->d_name);
	if (!n)
		abort();
	closedir(directory);
	qsort(names, n, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < n; i++) {
		read_seed(names[i]);
		free(names[i]);
	}
}

struct test {
	struct world world;
	struct player player;
	struct ui ui;
	struct grid grid;
};

static void press(struct test *test)
{
	static const char keys[] =
		"123456788jkhlgGnN/f\\tsSaeEzq?+-0HLbBdDc.,<>[]: \r\t\x1b\x02\x04\x06\x0c\x15\x1a";
	struct press key = {.row = (int)below(70), .column = (int)below(260)};
	uint32_t kind = below(10);

	if (kind < 5)
		key.code = keys[below(sizeof(keys) - 1)];
	else if (kind < 8)
		key.code = (int)(PRESS_UP + below(PRESS_END_OF_CODES - PRESS_UP));
	else if (kind < 9)
		key.code = (int)below(0x110000);
	else
		key.code = (int)(' ' + below(95));
	ui_press(&test->ui, &key);
}

static void type_text(struct test *test)
{
	static const char *const texts[] = {
		"f\x15type=wc device=0000:3b\r",
		"f\x15type=uc\r",
		"fpid=276 comm!=vmm\r",
		"f\x15\r",
		"/vmm\r",
		"/\r",
		":50%\r",
		":#10\r",
		":+0.1s\r",
		":-1min\r",
		":13:59:20\r",
		"\x1b\x1b",
	};
	const char *text = texts[below(sizeof(texts) / sizeof(texts[0]))];

	for (; *text; text++)
		ui_press(&test->ui, &(struct press){.code = (unsigned char)*text});
}

/* Frames of a capture with some events changed but their checksums right, or with bytes changed. */
static uint8_t *hostile(const struct seed *seed, size_t header, size_t *size)
{
	uint8_t *copy = malloc(seed->size + CAPTURE_FRAME_MAX);
	size_t at = sizeof(struct capture_header), to = header;
	struct event event;

	memcpy(copy, seed->data, header);
	while (at < seed->size) {
		size_t length = capture_frame_size(seed->data + at, seed->size - at);

		if (!length || !capture_frame_event(seed->data + at, &event))
			break;
		if (below(4) == 0) {
			uint16_t type = event.header.type, bytes = event.header.size;

			for (uint32_t i = below(6); i > 0; i--)
				((uint8_t *)&event)[sizeof(event.header) / 2 +
						    below(bytes - (uint32_t)sizeof(event.header) / 2)] =
					(uint8_t)(below(3)   ? next()
						  : below(2) ? 0xff
							     : 0);
			event.header.type = type;
			event.header.size = bytes;
		}
		if (below(8))
			to += capture_frame(&event, copy + to);
		at += length;
	}
	if (below(8) == 0 && to > 0)
		copy[below((uint32_t)to)] ^= (uint8_t)next();
	*size = below(16) ? to : below((uint32_t)to + 1);
	return copy;
}

static void answer_state(struct test *test)
{
	const struct seed *seed = &seeds[below((uint32_t)n_seeds)];
	size_t size = seed->size;
	uint8_t *data;

	if (below(3) == 0) {
		world_take_state(&test->world, seed->data, size);
		return;
	}
	data = hostile(seed, sizeof(struct capture_header), &size);
	world_take_state(&test->world, data, size);
	free(data);
}

static void answer_records(struct test *test)
{
	const struct seed *seed = &seeds[below((uint32_t)n_seeds)];
	size_t size;
	uint8_t *data = hostile(seed, 0, &size);

	world_take_records(&test->world, below(10) ? 0 : next(), data, size);
	free(data);
}

static const char *const texts[] = {
	"{\"mode\":\"audit\",\"policy_digest\":\"ab\",\"degraded\":[\"x\"],\"events\":7,\"lost\":3,\"ring_"
	"size\":2097152,"
	"\"ring_used\":99,\"kernel_types\":[{\"type\":\"map\",\"generated\":7,\"delivered\":4,\"lost\":3}],"
	"\"uptime\":9,"
	"\"cpu_usec\":12345,\"memory\":999,\"points\":[{\"name\":\"a\",\"state\":\"missing\",\"reason\":"
	"\"b\"}]}",
	"{\"id\":3,\"kind\":\"alias\",\"severity\":\"critical\",\"device\":\"0000:00:01.0\",\"region\":2,"
	"\"types\":[\"uc-\","
	"\"wc\"],\"pids\":[1,2],\"active\":true,\"text\":\"why "
	"\\u202e\\u001b[2J\",\"parties\":[{\"mapping\":1,\"pid\":2,"
	"\"comm\":\"a\\u0300\\u0300\\u0300\",\"source\":\"vfio\",\"requested\":\"wc\",\"type\":\"uc-\"},null,"
	"7]}",
	"{\"id\":\"x\",\"kind\":[],\"device\":{},\"types\":\"\",\"parties\":{},\"text\":1,\"degraded\":{},"
	"\"mode\":3}",
	"{\"subject\":\"s\",\"text\":[\"one two three four five\",null,3,{}]}",
	"[]",
	"{",
	"",
	"null",
	"{\"text\":null}",
	"{\"lost\":-1,\"conflicts\":18446744073709551615}",
	"{\"digest\":\"ab\",\"text\":[\"[Policy]  ; default\",\"Mode=enforce  ; a:1\",\"OnUnknown=allow  ; "
	"default\",\"\",\"[Rule mix]  ; a:2\",\"Kind=alias  ; a:3\",\"Types=wc/uc  ; a:4\",\"Action=deny  ; "
	"a:5\","
	"\"\",\"[Rule seen]  ; a:6\",\"Kind=request  ; a:7\",\"Action=log  ; a:8\"]}",
	"{\"time\":\"2026-11-20T13:59:32.040613Z\",\"event\":\"denied\",\"device\":\"0000:00:01.0\",\"pid\":"
	"7,"
	"\"verdict\":\"deny\",\"rule\":\"mix\",\"size\":4096}",
};

/* Some such text, perhaps with bytes changed. The caller frees. */
static char *some_text(void)
{
	char *text = strdup(texts[below(sizeof(texts) / sizeof(texts[0]))]);

	if (below(3) == 0 && *text)
		for (uint32_t i = below(5); i > 0; i--)
			text[below((uint32_t)strlen(text))] = (char)(1 + below(255));
	return text;
}

static void answer_rows(struct test *test)
{
	struct json_object *rows = json_object_new_array();

	for (uint32_t i = below(6); i > 0; i--) {
		char *text = some_text();

		json_object_array_add(rows, json_tokener_parse(text));
		free(text);
	}
	world_take_rows(&test->world, below(2) ? ROWS_CONFLICTS : ROWS_LINT, rows);
}

static void answer_policy(struct test *test)
{
	char *text = some_text();
	struct json_object *answer = json_tokener_parse(text);

	world_take_policy(&test->world, answer);
	json_object_put(answer);
	free(text);
}

static void answer_history(struct test *test)
{
	struct json_object *rows = json_object_new_array();

	for (uint32_t i = below(6); i > 0; i--) {
		char *text = some_text();

		json_object_array_add(rows, json_tokener_parse(text));
		free(text);
	}
	world_take_history(&test->world, rows);
	json_object_put(rows);
}

static void answer_explain(struct test *test)
{
	char *text = some_text();
	struct json_object *answer = json_tokener_parse(text);

	ui_explained(&test->ui, answer, text);
	json_object_put(answer);
	free(text);
}

static void answer_status(struct test *test)
{
	char *text = some_text();

	world_take_status(&test->world, text);
	free(text);
}

static void resize(struct test *test)
{
	static const int sizes[][2] = {{10, 40}, {24, 80}, {40, 120}, {60, 200}, {1, 1}, {2, 300}, {100, 3}};
	uint32_t i = below(10);

	if (grid_resize(&test->grid, i < 7 ? sizes[i][0] : (int)below(70),
			i < 7 ? sizes[i][1] : (int)below(260)) < 0)
		abort();
}

static void connection(struct test *test)
{
	if (below(3) == 0)
		world_silent(&test->world, (int64_t)next() * 1000000000);
	else if (below(3) == 0)
		world_heard(&test->world);
	else if (below(2))
		world_lost(&test->world, (int64_t)next() * 1000000000, texts[below(3)]);
	else
		world_found(&test->world);
}

static void input(struct test *test)
{
	uint32_t kind = below(100);

	if (kind < 70)
		press(test);
	else if (kind < 76)
		type_text(test);
	else if (kind < 80)
		resize(test);
	else if (test->ui.player)
		press(test);
	else if (kind < 82)
		answer_state(test);
	else if (kind < 87)
		answer_records(test);
	else if (kind < 88)
		answer_policy(test);
	else if (kind < 89)
		answer_history(test);
	else if (kind < 90)
		answer_status(test);
	else if (kind < 94)
		answer_rows(test);
	else if (kind < 97)
		answer_explain(test);
	else
		connection(test);
}

static void check_glyph(const struct grid *grid, int row, int column)
{
	const struct glyph *glyph = grid_at(grid, row, column);
	mbstate_t shift = {};
	wchar_t wide[8] = {};
	const char *text = glyph->text;
	size_t n = mbsrtowcs(wide, &text, 7, &shift);
	int width = 0;

	for (size_t i = 0; n != (size_t)-1 && i < n; i++) {
		if (wcwidth(wide[i]) < 0)
			abort();
		width += wcwidth(wide[i]);
	}
	if (n == (size_t)-1 || width != glyph->width || glyph->style >= STYLES)
		abort();
	if (glyph->width == 2 && (!grid_at(grid, row, column + 1) || grid_at(grid, row, column + 1)->width))
		abort();
	if (glyph->width == 0 && (column == 0 || grid_at(grid, row, column - 1)->width != 2))
		abort();
}

static void draw(struct test *test)
{
	if (ui_refresh(&test->ui) < 0)
		abort();
	ui_draw(&test->ui, &test->grid);
	if (below(16))
		return;
	for (int row = 0; row < test->grid.rows; row++)
		for (int column = 0; column < test->grid.columns; column++)
			check_glyph(&test->grid, row, column);
}

static void export_now(struct test *test)
{
	FILE *out = fopen("/dev/null", "w");
	int r = out ? ui_export(&test->ui, test->ui.export_json, out) : -ENOMEM;

	if (r < 0 && r != -ENODATA)
		abort();
	fclose(out);
}

/* One life of the view: @n inputs. */
static void live(bool replay, bool utf8, uint64_t n)
{
	static struct test test;
	struct failure failure;

	memset(&test, 0, sizeof(test));
	world_init(&test.world);
	ui_init(&test.ui, &test.world, replay ? &test.player : NULL);
	test.grid.utf8 = utf8;
	resize(&test);
	if (replay &&
	    player_open(&test.player, &test.world, seeds[below((uint32_t)n_seeds)].path, &failure) != EXIT_OK)
		abort();
	for (uint64_t i = 0; i < n; i++) {
		input(&test);
		if (replay && below(8) == 0 && player_tick(&test.player, i * 1000, &failure) != EXIT_OK)
			abort();
		if (test.ui.wish & WISH_EXPORT)
			export_now(&test);
		test.ui.wish = WISH_NONE;
		draw(&test);
	}
	ui_done(&test.ui);
	world_done(&test.world);
	grid_done(&test.grid);
}

static long resident_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* The allocator of the sanitizer keeps what was freed: so little that growth shows. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8";
}

int main(int argc, char **argv)
{
	const uint64_t life = 500;
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
	long early = 0;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	read_seeds();
	for (uint64_t done = 0; done < n; done += life) {
		bool utf8 = below(3) != 0;

		if (!setlocale(LC_ALL, utf8 ? "C.UTF-8" : "C"))
			abort();
		live(below(4) == 0, utf8, life);
		if (done < n / 2)
			early = resident_kib();
	}
	printf("%llu inputs, %ld KiB resident after one half, %ld KiB at the end\n", (unsigned long long)n,
	       early, resident_kib());
	for (size_t i = 0; i < n_seeds; i++)
		free(seeds[i].data);
	return resident_kib() > early + (64L << 10);
}
