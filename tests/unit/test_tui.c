/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "events.h"
#include "policies.h"

#include <locale.h>

#include "cli/columns.h"
#include "core/snapshot_finding.h"
#include "tui/strip.h"
#include "tui/ui.h"

static char *line_text(const struct grid *grid, int row)
{
	static char text[4096];

	text[0] = '\0';
	for (int column = 0; column < grid->columns; column++)
		strcat(text, grid_at(grid, row, column)->text);
	return text;
}

static struct grid make_grid(int columns)
{
	struct grid grid = {.utf8 = true};

	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_int_equal(grid_resize(&grid, 2, columns), 0);
	return grid;
}

static const struct pen plain;

static void assert_put(const char *text, int columns, const char *wanted)
{
	struct grid grid = make_grid(columns);
	struct area area = grid_area(&grid);

	area_put(&area, 0, 0, columns, plain, text);
	assert_string_equal(line_text(&grid, 0), wanted);
	grid_done(&grid);
}

static void text_stays_in_its_cells(void **state)
{
	(void)state;
	assert_put("plain", 8, "plain   ");
	assert_put("too long a text", 8, "too lon…");
	assert_put("just eight", 10, "just eight");
	assert_put("名前", 5, "名前 ");
	assert_put("名前", 4, "名前");
	assert_put("名前", 3, "名…");
	assert_put("\033[2J", 8, "\\x1b[2J ");
	assert_put("\033[2J", 3, "…  ");
	assert_put("a\u202eb", 16, "a\\xe2\\x80\\xaeb  ");
	assert_put("e\u0301e\u0301\u0301\u0301", 12, "e\u0301e\u0301\u0301\\xcc\\x81  ");
	assert_put("\u0301", 9, "\\xcc\\x81 ");
	assert_put("\xff\xc3", 9, "\\xff\\xc3 ");
}

static void a_wide_character_that_is_cut_leaves_a_space(void **state)
{
	struct grid grid = make_grid(6);
	struct area area = grid_area(&grid);

	(void)state;
	area_put(&area, 0, 0, 6, plain, "名前名");
	area_put(&area, 0, 1, 1, plain, "x");
	assert_string_equal(line_text(&grid, 0), " x前名");
	area_put(&area, 0, 2, 1, plain, "y");
	assert_string_equal(line_text(&grid, 0), " xy 名");
	grid_done(&grid);
}

static void nothing_is_drawn_outside_of_an_area(void **state)
{
	struct grid grid = make_grid(8);
	struct area whole = grid_area(&grid), part = area_columns(&whole, 2, 3);

	(void)state;
	area_put(&part, 0, 0, 100, plain, "abcdefgh");
	area_put(&part, 0, -1, 100, plain, "no");
	area_put(&part, 9, 0, 100, plain, "no");
	assert_string_equal(line_text(&grid, 0), "  ab…   ");
	part = area_rows(&whole, 5, 5);
	area_put(&part, 0, 0, 8, plain, "no");
	assert_string_equal(line_text(&grid, 1), "        ");
	grid_done(&grid);
}

/* A row of mappings with these values. */
static void put(struct list *list, uint64_t id, const char *device, const char *pid, const char *comm,
		const char *effective)
{
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "device", device ? json_object_new_string(device) : NULL);
	json_object_object_add(row, "pid", json_object_new_int(atoi(pid)));
	json_object_object_add(row, "comm", json_object_new_string(comm));
	json_object_object_add(row, "requested", json_object_new_string("uc-"));
	json_object_object_add(row, "effective", effective ? json_object_new_string(effective) : NULL);
	json_object_object_add(row, "live", json_object_new_boolean(true));
	assert_int_equal(sheet_put_row(list->sheet, id, row), 0);
	json_object_put(row);
	assert_int_equal(list_update(list), 0);
}

static struct list *make_list(struct list *list)
{
	list_init(list, list_view(ROWS_MAPPINGS), 3);
	put(list, 1, "0000:3b:00.0", "900", "qemu", "wc");
	put(list, 2, "0000:3b:00.1", "80", "dpdk", "uc-");
	put(list, 3, "0000:81:00.0", "7", "spdk", NULL);
	put(list, 4, NULL, "900", "qemu", "mixed");
	return list;
}

static void assert_filtered(const char *filter, const char *wanted)
{
	struct list list;
	char error[256], got[64] = "";

	make_list(&list);
	assert_true(list_set_filter(&list, filter, error, sizeof(error)));
	assert_int_equal(list_update(&list), 0);
	for (size_t i = 0; i < list.n_lines; i++)
		sprintf(got + strlen(got), "%d", (int)list.lines[i].id);
	assert_string_equal(got, wanted);
	list_done(&list);
}

static void a_filter_takes_what_it_says(void **state)
{
	(void)state;
	assert_filtered("", "3214");
	assert_filtered("device=0000:3b", "21");
	assert_filtered("device=3b:00.1", "2");
	assert_filtered("device=-", "4");
	assert_filtered("pid=900", "14");
	assert_filtered("pid=90", "");
	assert_filtered("pid!=900", "32");
	assert_filtered("comm=pdk", "32");
	assert_filtered("command=q*", "14");
	assert_filtered("effective=wc", "1");
	assert_filtered("type=wc", "1");
	assert_filtered("type=uc", "3214");
	assert_filtered("EFFECTIVE=-", "3");
	assert_filtered("type=wc device=0000:81", "");
	assert_filtered("spd", "3");
}

static void a_wrong_filter_is_told_and_changes_nothing(void **state)
{
	struct list list;
	char error[256];

	(void)state;
	make_list(&list);
	assert_true(list_set_filter(&list, "pid=7", error, sizeof(error)));
	assert_false(list_set_filter(&list, "colour=red", error, sizeof(error)));
	assert_non_null(strstr(error, "no column colour: there are ID DEVICE"));
	assert_false(list_set_filter(&list, "type=red", error, sizeof(error)));
	assert_non_null(strstr(error, "red is no memory type"));
	assert_false(list_set_filter(&list, "pid=", error, sizeof(error)));
	assert_string_equal(list.filter.text, "pid=7");
	list_done(&list);
}

static void the_same_object_stays_selected(void **state)
{
	struct list list;

	(void)state;
	make_list(&list);
	assert_true(list_select(&list, 2));
	assert_int_equal(list.cursor, 1);
	list_sort(&list, 3);
	assert_int_equal(list_update(&list), 0);
	assert_true(list.descending);
	assert_int_equal(list.selected, 2);
	assert_int_equal(list.cursor, 2);
	put(&list, 9, "0000:01:00.0", "99999", "new", "wc");
	assert_int_equal(list_selected(&list)->id, 2);
	assert_int_equal(list.cursor, 3);
	list_set_tree(&list, TREE_DEVICE);
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list_selected(&list)->id, 2);
	/* When it goes, what stands at its place is. */
	list_set_tree(&list, TREE_NONE);
	assert_int_equal(list_update(&list), 0);
	sheet_remove(list.sheet, 2);
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.cursor, 3);
	assert_int_equal(list_selected(&list)->id, 3);
	list_done(&list);
}

static void unknown_sorts_last_both_ways(void **state)
{
	struct list list;
	int column = sheet_column(list_view(ROWS_MAPPINGS), "EFFECTIVE", 9);

	(void)state;
	make_list(&list);
	list_sort(&list, column);
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.lines[3].id, 3);
	list_sort(&list, column);
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.lines[3].id, 3);
	list_done(&list);
}

static void groups_shut_and_open(void **state)
{
	struct list list;

	(void)state;
	make_list(&list);
	list_set_tree(&list, TREE_PROCESS);
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.n_lines, 7);
	assert_true(list_select(&list, 4));
	assert_true(list_shut(&list, true));
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.n_lines, 5);
	assert_null(list_selected(&list));
	assert_true(list_toggle(&list));
	assert_int_equal(list_update(&list), 0);
	assert_int_equal(list.n_lines, 7);
	list_done(&list);
}

static struct strip_cell cell_of(uint16_t populated, uint16_t asked)
{
	return (struct strip_cell){.populated = populated, .asked = asked, .bytes = 1, .depth = 1};
}

static void a_cell_of_a_strip_says_its_types(void **state)
{
	struct strip_cell nothing = {}, cell = cell_of(1 << MEMTYPE_WC, 0);

	(void)state;
	assert_int_equal(strip_letter(&nothing), 0);
	assert_int_equal(strip_letter(&cell), 'W');
	cell = cell_of(0, 1 << MEMTYPE_UC_MINUS | 1 << MEMTYPE_UC);
	assert_int_equal(strip_letter(&cell), 'u');
	cell = cell_of(1 << MEMTYPE_UC, 1 << MEMTYPE_WB);
	assert_int_equal(strip_letter(&cell), '*');
	cell = cell_of(1 << MEMTYPE_UNKNOWN, 0);
	assert_int_equal(strip_letter(&cell), '?');
	assert_int_equal(strip_mark(&cell), ' ');
	cell.depth = 3;
	assert_int_equal(strip_mark(&cell), '3');
	cell.other_type = true;
	assert_int_equal(strip_mark(&cell), '~');
	cell.conflict = true;
	assert_int_equal(strip_mark(&cell), '!');
}

static void cells_of_a_strip_cover_a_bar(void **state)
{
	const uint64_t size = 16 << 20, top = UINT64_MAX;

	(void)state;
	assert_int_equal(strip_start(0, size, 78, 1) % 4096, 0);
	assert_int_equal(strip_start(0, size, 78, 78), size);
	assert_int_equal(strip_start(0, 78, 78, 1), 1);
	assert_int_equal(strip_start(top - 10, top, 3, 2), top - 2);
	assert_int_equal(strip_start(0, top, 3, 3), top);
}

static void assert_strip(const struct ledger *ledger, uint64_t start, uint64_t end, const char *letters,
			 const char *marks)
{
	const int n = (int)strlen(letters);
	struct strip strip;

	assert_int_equal(
		strip_make(&strip, ledger, ledger_device_by_name(ledger, "0000:00:01.0"), start, end, n), 0);
	for (int i = 0; i < n; i++) {
		char letter = strip_letter(&strip.cells[i]);

		assert_int_equal(letter ? letter : '.', letters[i]);
		assert_int_equal(strip_mark(&strip.cells[i]), marks[i]);
	}
	strip_done(&strip);
}

/* Pages 1 to 3 uncached, 2 to 5 write-combining, 5 to 6 as well by another one. */
static void a_strip_shows_what_overlaps(void **state)
{
	struct event event;
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &(struct ledger_limits){}), 0);
	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, by(mapping_event(EVENT_MAP, 1, 1, 0x10000000, 1, 3), 10));
	event = mapping_event(EVENT_MAP, 2, 1, 0x20000000, 2, 4);
	event.mapping.page_prot = PROT_WC;
	apply(ledger, by(event, 11));
	event = mapping_event(EVENT_MAP, 3, 1, 0x30000000, 5, 2);
	event.mapping.page_prot = PROT_WC;
	apply(ledger, by(event, 12));
	assert_strip(ledger, BAR_2, BAR_2 + 8 * PAGE, ".u**www.", "  !! 2  ");
	ledger_free(ledger);
}

/* Of tests/replay, from the root of the tree. */
static void a_replay_goes_where_it_is_told(void **state)
{
	struct failure failure = {};
	struct player player;
	struct world world;
	uint64_t position, mappings;

	(void)state;
	world_init(&world);
	assert_int_equal(player_open(&player, &world, "tests/replay/promotion-7.2.capture", &failure),
			 EXIT_OK);
	assert_int_equal(player.n_events, 46);
	assert_int_equal(player.position, 5);
	assert_true(player_find(&player, "50%", &position));
	assert_int_equal(position, 23);
	assert_true(player_find(&player, "#40", &position));
	assert_int_equal(position, 40);
	assert_true(player_find(&player, "+119.7ms", &position));
	assert_int_equal(position, 6);
	assert_false(player_find(&player, "+1parsec", &position));
	assert_false(player_find(&player, "somewhere", &position));
	assert_false(player_find(&player, "", &position));
	assert_int_equal(player_seek(&player, 35, &failure), EXIT_OK);
	mappings = ledger_next_live(world.ledger.model.ledger, NULL) != NULL;
	assert_int_equal(mappings, 1);
	assert_int_equal(player_step(&player, -1, &failure), EXIT_OK);
	assert_int_equal(player.position, 34);
	assert_int_equal(player_seek(&player, UINT64_MAX, &failure), EXIT_OK);
	assert_int_equal(player.position, 46);
	assert_null(ledger_next_live(world.ledger.model.ledger, NULL));
	/* Half a second of the capture is a second at half the speed. */
	assert_int_equal(player_seek(&player, 0, &failure), EXIT_OK);
	player.playing = true;
	player.speed = -1;
	assert_int_equal(player_tick(&player, 1000000, &failure), EXIT_OK);
	assert_int_equal(player_tick(&player, 1500000, &failure), EXIT_OK);
	assert_true(player.position > 30 && player.position < 46);
	assert_int_equal(player_tick(&player, 2000000, &failure), EXIT_OK);
	assert_int_equal(player.position, 46);
	assert_false(player.playing);
	world_done(&world);
}

/* Rows of each party, and of one process only once. */
static void a_finding_is_in_the_group_of_each_of_its_processes(void **state)
{
	static const char rows[] = "[{\"id\": 3, \"kind\": \"alias\", \"active\": true, \"parties\": "
				   "[{\"pid\": 7, \"comm\": \"a\"},"
				   "{\"pid\": 8, \"comm\": \"b\"}]},"
				   "{\"id\": 9, \"kind\": \"alias\", \"active\": true, \"parties\": "
				   "[{\"pid\": 8, \"comm\": \"b\"},"
				   "{\"pid\": 8, \"comm\": \"b\"}]},"
				   "{\"id\": 12, \"kind\": \"demotion\", \"active\": true, \"parties\": 5}]";
	struct world world;
	struct ui ui;
	struct list *list;

	(void)state;
	world_init(&world);
	ui_init(&ui, &world, NULL);
	world.live = true;
	assert_int_equal(world_take_rows(&world, ROWS_CONFLICTS, json_tokener_parse(rows)), WORLD_OK);
	ui_go(&ui, SCREEN_FINDINGS);
	list = ui_list(&ui);
	list_set_tree(list, TREE_PROCESS);
	assert_int_equal(fill_findings(&ui, list), 0);
	assert_int_equal(list_update(list), 0);
	assert_int_equal(list->n_groups, 3);
	assert_string_equal(list->groups[0].title, "- ");
	assert_string_equal(list->groups[1].title, "7 a");
	assert_string_equal(list->groups[2].title, "8 b");
	assert_int_equal(list->groups[2].n, 2);
	assert_int_equal(list->n_lines, 7);
	/* The same finding in the same group stays selected. */
	list_go(list, 5);
	assert_int_equal(list_selected(list)->id, 3);
	list->stale = true;
	assert_int_equal(list_update(list), 0);
	assert_int_equal(list->cursor, 5);
	ui_done(&ui);
	world_done(&world);
}

/* What a screen that followed every event says of a mapping is what is said when all is looked at anew. */
static void compare_rows(struct ui *ui)
{
	const struct model *model = &ui->world->ledger.model;
	struct list *list = &ui->lists[SCREEN_MAPPINGS];
	const struct mapping *mapping = NULL;
	struct sheet anew = {.view = list->sheet->view};
	struct sheet_row *row, *next, *same;

	while ((mapping = ledger_next_live(model->ledger, mapping))) {
		struct json_object *object =
			snapshot_mapping_row(model->ledger, model->policy, mapping, &ui->world->ledger.clock);

		assert_int_equal(sheet_put_row(&anew, mapping->id, object), 0);
		json_object_put(object);
	}
	assert_int_equal(sheet_rows(&anew), sheet_rows(list->sheet));
	HASH_ITER (hh, anew.rows, row, next) {
		HASH_FIND(hh, list->sheet->rows, &row->id, sizeof(row->id), same);
		assert_non_null(same);
		for (size_t i = 0; i < anew.view->n_fields; i++) {
			if (!row->cells[i].text || !same->cells[i].text)
				assert_ptr_equal(row->cells[i].text, same->cells[i].text);
			else
				assert_string_equal(row->cells[i].text, same->cells[i].text);
		}
	}
	sheet_clear(&anew);
}

static void verdicts_follow_the_ledger(void **state)
{
	static const char *const captures[] = {"variant-6.12", "promotion-7.2", "steps-6.1", "policy-7.2"};
	struct policy *policy = make_policy("[Policy]\nMode=enforce\n" TEST_RULES);
	struct json_object *told = snapshot_policy(policy);
	unsigned int verdicts = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		struct failure failure = {};
		struct player player;
		struct world world;
		struct ui ui;
		char path[64];

		snprintf(path, sizeof(path), "tests/replay/%s.capture", captures[i]);
		world_init(&world);
		ui_init(&ui, &world, &player);
		assert_int_equal(player_open(&player, &world, path, &failure), EXIT_OK);
		world_take_policy(&world, told);
		assert_non_null(world.policy);
		assert_false(world.policy_unread);
		ui_go(&ui, SCREEN_MAPPINGS);
		while (!player.ended) {
			assert_int_equal(player_step(&player, 1, &failure), EXIT_OK);
			assert_int_equal(ui_refresh(&ui), 0);
			compare_rows(&ui);
			verdicts +=
				ui.lists[SCREEN_MAPPINGS]
					.widths[sheet_column(list_view(ROWS_MAPPINGS), "VERDICT", 7)] != 0;
		}
		ui_done(&ui);
		world_done(&world);
	}
	assert_true(verdicts > 10);
	json_object_put(told);
	policy_free(policy);
}

static void a_policy_that_is_not_understood_is_told(void **state)
{
	static const char *const bad[] = {
		"{\"text\": [\"[Policy]\", \"Mode=audit\"]}",
		"{\"text\": [\"[Poli\"]}",
		"{\"text\": [5, null]}",
		"{\"text\": []}",
		"{\"text\": \"[Policy]\"}",
	};
	struct world world;

	(void)state;
	world_init(&world);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json_object *object = json_tokener_parse(bad[i]);

		world_take_policy(&world, object);
		assert_null(world.policy);
		assert_true(world.policy_unread);
		json_object_put(object);
	}
	world_take_policy(&world, NULL);
	assert_false(world.policy_unread);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_in_its_cells),
		cmocka_unit_test(a_wide_character_that_is_cut_leaves_a_space),
		cmocka_unit_test(nothing_is_drawn_outside_of_an_area),
		cmocka_unit_test(a_filter_takes_what_it_says),
		cmocka_unit_test(a_wrong_filter_is_told_and_changes_nothing),
		cmocka_unit_test(the_same_object_stays_selected),
		cmocka_unit_test(unknown_sorts_last_both_ways),
		cmocka_unit_test(groups_shut_and_open),
		cmocka_unit_test(a_cell_of_a_strip_says_its_types),
		cmocka_unit_test(cells_of_a_strip_cover_a_bar),
		cmocka_unit_test(a_strip_shows_what_overlaps),
		cmocka_unit_test(a_replay_goes_where_it_is_told),
		cmocka_unit_test(a_finding_is_in_the_group_of_each_of_its_processes),
		cmocka_unit_test(verdicts_follow_the_ledger),
		cmocka_unit_test(a_policy_that_is_not_understood_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
