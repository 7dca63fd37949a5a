/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_PRESS_H
#define VFIOWATCH_TUI_PRESS_H

/* A key or a mouse button, whatever terminal it comes from. */

/* Codes below are Unicode characters, control characters included. */
enum press_code {
	PRESS_UP = 0x110000,
	PRESS_DOWN,
	PRESS_LEFT,
	PRESS_RIGHT,
	PRESS_PAGE_UP,
	PRESS_PAGE_DOWN,
	PRESS_HOME,
	PRESS_END,
	PRESS_BACK_TAB,
	PRESS_BACKSPACE,
	PRESS_DELETE,
	PRESS_F1,
	PRESS_F10 = PRESS_F1 + 9,
	PRESS_CLICK, /* at row, column */
	PRESS_DOUBLE_CLICK,
	PRESS_WHEEL_UP,
	PRESS_WHEEL_DOWN,
	PRESS_END_OF_CODES,
};

#define PRESS_ESCAPE  0x1b
#define PRESS_ENTER   '\r'
#define PRESS_TAB     '\t'
#define PRESS_CTRL(c) ((c)&0x1f)

struct press {
	int code;
	int row, column; /* of the mouse */
};

#endif
