/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies that are wrong: each is refused with its file, its line, what is wrong, and what to write instead.
 */
#include "policy_texts.h"

#include "core/snapshot.h"

#define R "[Rule r]\n"
#define L "Action=log\n"

struct malformed {
	const char *text;
	unsigned int line;
	const char *what,
		*remedy; /* each is somewhere in the part of the error before, and after, the last "; " */
};

static const struct malformed table[] = {
	/* sections */
	{"Mode=audit\n", 1, "\"Mode\" is in no section", "[Policy]"},
	{"\n\nAction=log\n", 3, "no section", "[Rule NAME]"},
	{"Junk=1\n", 1, "no section", "[Policy]"},
	{"[]\n", 1, "no name", "[Policy]"},
	{"[ ]\nMode=audit\n", 1, "no name", "[Policy]"},
	{"[Policy\nMode=audit\n", 1, "\"]\" is missing", "[Policy]"},
	{"[Policy]\n[Rule x\n", 2, "\"]\" is missing", "[Rule NAME]"},
	{"[Polcy]\n", 1, "unknown section [Polcy]", "did you mean [Policy]?"},
	{"[policy]\n", 1, "unknown section [policy]", "did you mean [Policy]?"},
	{"[rule x]\n", 1, "unknown section [rule]", "did you mean [Rule NAME]?"},
	{"[Rules x]\n", 1, "unknown section [Rules]", "did you mean [Rule NAME]?"},
	{"[Service]\n", 1, "unknown section [Service]", "write [Policy] or [Rule NAME]"},
	{"[Rulex]\n", 1, "unknown section [Rulex]", "did you mean [Rule NAME]?"},
	{"[Policy x]\n", 1, "unknown section [Policy]", "[Policy]"},
	{"[Rule]\n" L, 1, "no name", "[Rule NAME]"},
	{"[Rule ]\n" L, 1, "no name", "[Rule NAME]"},
	{"[Rule a;b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a ; b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a#b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a\\b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule \"a\"]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a[b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a  b]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule a\tb]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule \xc3\xa9]\n" L, 1, "cannot be the name", "letters"},
	{"[Rule 1234567890123456789012345678901234567890123456789012345678901234]\n" L, 1,
	 "has 64 characters", "shorter"},
	{"[Rule r]x\n" L, 1, "text after \"]\"", "line of its own"},
	{"[Rule r];x\n" L, 1, "text after \"]\"", "\" ;\""},
	{"[Rule r] # x\n" L, 1, "text after \"]\"", "\" ;\""},
	{"[Rule a]b]\n" L, 1, "text after \"]\"", "line of its own"},
	{"[Policy] Mode=audit\n", 1, "text after \"]\"", "line of its own"},
	{R L "[Rule r]\nAction=deny\n", 3, "there is a rule \"r\" in 10-test.conf:1 already", "another name"},
	{R L "[Rule  r ]\nAction=deny\n", 3, "there is a rule \"r\"", "another name"},
	{"[Policy]\n\n[Policy]\n", 3, "[Policy] begins in line 1", "write its keys there"},
	{"[Policy]\nMode=audit\n" R L "[Policy]\nOnUnknown=deny\n", 5, "[Policy] begins in line 1", "there"},

	/* lines */
	{R "Action\n", 2, "neither a section nor a setting", "Key=Value"},
	{R L "nonsense\n", 3, "\"nonsense\" is neither", "Key=Value"},
	{R L "nonsense", 3, "\"nonsense\" is neither", "Key=Value"},
	{"nonsense\n[Policy]\n", 1, "\"nonsense\" is neither", "Key=Value"},
	{R "Action log ; x\n", 2, "neither", "Key=Value"},
	{R "Action ;=log\n", 2, "neither", "Key=Value"},
	{R "Action: log\n", 2, "\"Action: log\" is no setting", "Key=Value"},
	{R "Device:3b:00.0=x\n" L, 2, "is no setting", "Key=Value"},
	{R "=log\n", 2, "\"=log\" is no setting", "Key=Value"},
	{R "==\n", 2, "is no setting", "Key=Value"},
	{R " Action=log\n", 2, "begins with a blank", "first column"},
	{R "\tAction=log\n", 2, "begins with a blank", "first column"},
	{R L "Unit=a.service\n  b.service\n", 4, "begins with a blank", "first column"},
	{"  [Policy]\n", 1, "begins with a blank", "first column"},
	{R L "\n\n \t x\n", 5, "begins with a blank", "first column"},
	{"\xef\xbb\xbf[Policy]\n", 1, "byte order mark", "plain UTF-8"},
	{"[Policy]\r\nMode=audit\r\n", 1, "carriage return", "Unix"},
	{"[Policy]\nMode=audit\r\n", 2, "carriage return", "Unix"},
	{"[Policy]\n\r\n", 2, "carriage return", "Unix"},
	{"[Policy]\nMode=au\rdit\n", 2, "byte 8 of the line (\\x0d)", "remove it"},
	{"[Policy]\n# \033[31m\n", 2, "byte 3 of the line (\\x1b)", "remove it"},
	{"[Policy]\n; \x7f\n", 2, "byte 3 of the line (\\x7f)", "remove it"},
	{"[Policy]\n\vMode=audit\n", 2, "byte 1 of the line (\\x0b)", "remove it"},
	{"[Policy]\n\fMode=audit\n", 2, "byte 1 of the line (\\x0c)", "remove it"},
	{"[Policy]\n; \xc3\n", 2, "byte 3 of the line (\\xc3)", "remove it"},
	{"[Policy]\n; \xff\n", 2, "byte 3 of the line (\\xff)", "remove it"},
	{"[Policy]\n; \xc0\xaf\n", 2, "byte 3 of the line (\\xc0)", "remove it"},
	{"[Policy]\n; a\xe2\x80\xae\n", 2, "byte 4 of the line (\\xe2)", "remove it"},
	{"[Policy]\n; \xed\xa0\x80\n", 2, "byte 3 of the line (\\xed)", "remove it"},
	{"[Policy]\n; \xc2\xa0\n", 2, "byte 3 of the line (\\xc2)", "remove it"},

	/* keys */
	{R "Actoin=log\n", 2, "unknown key \"Actoin\"", "did you mean Action?"},
	{R "action=log\n", 2, "unknown key \"action\"", "did you mean Action?"},
	{R "ACTION=log\n", 2, "unknown key \"ACTION\"", "did you mean Action?"},
	{R L "Type=wc\n", 3, "unknown key \"Type\"", "did you mean Types?"},
	{R L "Sources=vfio\n", 3, "unknown key \"Sources\"", "did you mean Source?"},
	{R L "Regoin=1\n", 3, "unknown key \"Regoin\"", "did you mean Region?"},
	{R L "Vendor=10de\n", 3, "unknown key \"Vendor\"", "write Device, Id, Class"},
	{R L "Device 3b=x\n", 3, "unknown key \"Device 3b\"", "write Device"},
	{R L "[x]=y\n", 3, "text after \"]\"", "line of its own"},
	{R L "\xc3\xa9=1\n", 3, "unknown key \"??\"", "write Device"},
	{R "Action=log\nAction=log\n", 3, "Action is in line 2 of this rule already", "remove one"},
	{R "Device=3b:00.0\n" L "Device=3b:00.1\n", 4, "Device is in line 2", "second rule"},
	{R "Unit=a.service\nUnit=b.service\n" L, 3, "Unit is in line 2", "second rule"},
	{R "Kind=alias\nKind=request\n" L, 3, "Kind is in line 2", "second rule"},
	{R L "Mode=audit\n", 3, "Mode is no key of a rule", "write it in [Policy]"},
	{R L "OnUnknown=deny\n", 3, "OnUnknown is no key of a rule", "write it in [Policy]"},
	{"[Policy]\nAction=deny\n", 2, "Action is no key of [Policy]", "[Rule NAME]"},
	{"[Policy]\nUnknown=deny\n", 2, "unknown key \"Unknown\"", "did you mean OnUnknown?"},
	{"[Policy]\nmode=audit\n", 2, "unknown key \"mode\"", "did you mean Mode?"},
	{"[Policy]\nDefault=deny\n", 2, "unknown key \"Default\"", "write Mode or OnUnknown"},
	{"[Policy]\nMode=audit\nMode=audit\n", 3, "Mode is in line 2 of this file already", "remove one"},
	{"[Policy]\nOnUnknown=deny\nMode=audit\nOnUnknown=allow\n", 4, "OnUnknown is in line 2",
	 "remove one"},
	{R, 1, "[Rule r] says not what to do", "add Action=allow, log, deny or kill"},
	{R "Device=3b:00.0\n", 1, "says not what to do", "add Action="},
	{R "Device=3b:00.0\n[Rule s]\n" L, 1, "[Rule r] says not what to do", "add Action="},
	{"[Policy]\n\n" R "[Policy]\n", 3, "says not what to do", "add Action="},

	/* values */
	{"[Policy]\nMode=\n", 2, "Mode has no value", "write one"},
	{"[Policy]\nMode= ; audit\n", 2, "Mode has no value", "write one"},
	{"[Policy]\nMode=Audit\n", 2, "Mode=Audit is not known", "did you mean audit?"},
	{"[Policy]\nMode=enforced\n", 2, "Mode=enforced is not known", "did you mean enforce?"},
	{"[Policy]\nMode=on\n", 2, "Mode=on is not known", "write audit or enforce"},
	{"[Policy]\nMode=audit # x\n", 2, "text after the value of Mode", "\" ;\""},
	{"[Policy]\nMode=audit;x\n", 2, "Mode=audit;x is not known", "did you mean audit?"},
	{"[Policy]\nMode=\"audit\"\n", 2, "Mode is in quotes", "without"},
	{"[Policy]\nMode=audit enforce\n", 2, "is not known", "write audit or enforce"},
	{"[Policy]\nOnUnknown=kill\n", 2, "OnUnknown=kill is not known", "write allow or deny"},
	{"[Policy]\nOnUnknown=Deny\n", 2, "OnUnknown=Deny is not known", "did you mean deny?"},
	{R "Action=\n", 2, "Action has no value", "remove the line"},
	{R "Action=dney\n", 2, "Action=dney is not known", "did you mean deny?"},
	{R "Action=DENY\n", 2, "Action=DENY is not known", "did you mean deny?"},
	{R "Action=block\n", 2, "Action=block is not known", "write allow, log, deny or kill"},
	{R "Action=deny|log\n", 2, "is not known", "write allow, log, deny or kill"},
	{R "Action='log'\n", 2, "in quotes", "without"},
	{R "Action=l\xc3\xb6g\n", 2, "not all in ASCII", "write ?"},
	{R L "Kind=aliases\n", 3, "Kind=aliases is not known", "did you mean alias?"},
	{R L "Kind=mapping\n", 3, "Kind=mapping is not known", "write alias, promotion, demotion or request"},
	{R L "Kind=alias|request\n", 3, "is not known", "write alias"},
	{R L "Kind=*\n", 3, "Kind=* is not known", "write alias"},
	{R L "Source=vifo\n", 3, "Source=vifo is not known", "did you mean vfio?"},
	{R L "Source=other\n", 3, "Source=other is not known", "write vfio, dmabuf, sysfs or devmem"},
	{R L "Source=vfio,sysfs\n", 3, "is not known", "write vfio"},
	{R L "Source=vfio usb\n", 3, "Source=vfio usb is not known", "write vfio"},
	{R L "Source=vfio|sysfs dmabuf\n", 3, "Source=sysfs dmabuf is not known", "write vfio"},
	{R L "Kind=alias\nTypes=wc x/uc\n", 4, "names no memory type", "write uc"},
	{R L "Kind=request\nTypes=wc uc\n", 4, "names no memory type", "write uc"},
	{R L "Source=vfio|\n", 3, "Source= is not known", "write vfio"},
	{R L "Source=|vfio\n", 3, "Source= is not known", "write vfio"},
	{R L "Source=vfio||sysfs\n", 3, "Source= is not known", "write vfio"},
	{R L "Source=dma-buf\n", 3, "Source=dma-buf is not known", "did you mean dmabuf?"},
	{R L "Source=/dev/mem\n", 3, "Source=/dev/mem is not known", "did you mean devmem?"},
	{R L "Region=6\n", 3, "Region=6 is no list", "0 to 5"},
	{R L "Region=-1\n", 3, "Region=-1 is no list", "0 to 5"},
	{R L "Region=0,\n", 3, "Region=0, is no list", "0 to 5"},
	{R L "Region=,0\n", 3, "is no list", "0 to 5"},
	{R L "Region=3-1\n", 3, "is no list", "0 to 5"},
	{R L "Region=1-\n", 3, "is no list", "0 to 5"},
	{R L "Region=1-6\n", 3, "is no list", "0 to 5"},
	{R L "Region=1-2-3\n", 3, "is no list", "0 to 5"},
	{R L "Region=1 2\n", 3, "is no list", "0 to 5"},
	{R L "Region=*\n", 3, "is no list", "0 to 5"},
	{R L "Region=0x1\n", 3, "is no list", "0 to 5"},
	{R L "Region=BAR0\n", 3, "is no list", "0 to 5"},
	{R L "Region=10\n", 3, "is no list", "0 to 5"},
	{R L "User=bob\n", 3, "User=bob is not known on this host", "number"},
	{R L "User=*\n", 3, "User=* is not known", "number"},
	{R L "User=-1\n", 3, "User=-1 is not known", "number"},
	{R L "User=4294967295\n", 3, "User=4294967295 is no user", "below 4294967295"},
	{R L "User=99999999999999999999\n", 3, "is no user", "below"},
	{R L "User=broken\n", 3, "cannot be looked up", "number"},

	/* patterns */
	{R L "Device=[\n", 3, "\"[\" is not closed", "[[]"},
	{R L "Device=3b:00.[0-\n", 3, "\"[\" is not closed", "[[]"},
	{R L "Unit=[]\n", 3, "\"[\" is not closed", "[[]"},
	{R L "Unit=[!]*.scope\n", 3, "\"[\" is not closed", "[[]"},
	{R L "Device=3b:00.[7-0]\n", 3, "ends before it begins", "lower character first"},
	{R L "Device=3b:00.[^0]\n", 3, "negated by \"!\"", "[!..]"},
	{R L "Id=[[:xdigit:]]*:*\n", 3, "classes of characters", "[0-9]"},
	{R L "Device=[0-3][0-3]:[0-3]*\n", 3, "more than two sets", "\"?\""},
	{R L "Unit=12345678901234567890123456789012345678901234567890123456789012345.scope\n", 3,
	 "more than 64 characters", "\"*\""},
	{R L "Device=0000:3b:00\n", 3, "Device=0000:3b:00 can never match", "0000:3b:00.0"},
	{R L "Device=3b:00.8\n", 3, "can never match", "3b:00.*"},
	{R L "Device=3b:20.0\n", 3, "can never match", "3b:00.*"},
	{R L "Device=000:3b:00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=00000:3b:00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=gg:00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=0000-3b-00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=pci0000:3b:00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=[g-z]*\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=3b:00.0 3b:00.1\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Device=0000:3b:00.0,0000:3c:00.0\n", 3, "can never match", "0000:3b:00.0"},
	{R L "Id=10de\n", 3, "can never match", "10de:2204"},
	{R L "Id=0x10de:*\n", 3, "can never match", "10de:2204"},
	{R L "Id=10de:220\n", 3, "can never match", "10de:2204"},
	{R L "Id=10de:22040\n", 3, "can never match", "10de:2204"},
	{R L "Id=10de-2204\n", 3, "can never match", "10de:2204"},
	{R L "Id=nvidia:*\n", 3, "can never match", "10de:2204"},
	{R L "Class=0302\n", 3, "can never match", "0302*"},
	{R L "Class=0x0302*\n", 3, "can never match", "0302*"},
	{R L "Class=display*\n", 3, "can never match", "0302*"},
	{R L "Class=03:02*\n", 3, "can never match", "0302*"},
	{R L "Class=0302000\n", 3, "can never match", "0302*"},
	{R L "Class=???????\n", 3, "can never match", "0302*"},
	{R L "Driver=vfio pci\n", 3, "can never match", "vfio-pci"},
	{R L "Unit=qemu\n", 3, "can never match", "qemu.service"},
	{R L "Unit=machine.slice\n", 3, "can never match", "machine-*.scope"},
	{R L "Unit=.scope\n", 3, "can never match", "machine-*.scope"},
	{R L "Unit=a b.service\n", 3, "can never match", "machine-*.scope"},
	{R L "Unit=/machine.slice/*.scope\n", 3, "can never match", "machine-*.scope"},
	{R L "Machine=1234567890123456789012345678901234567890123456789012345678901234\n", 3,
	 "can never match", "write *"},
	{R L "Driver=1234567890123456789012345678901234567890123456789012345678901234*\n", 3,
	 "more than 64 characters", "\"*\""},
	{R L "Driver=1234567890123456789012345678901234567890123456789012345678901234\n", 3,
	 "can never match", "vfio-pci"},
	{R L
	 "Machine=["
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
	 3, "128 are the most", "shorter"},

	/* types */
	{R L "Types=wc\n", 3, "Types without Kind", "add Kind="},
	{R L "Types=wc/uc\n", 3, "Types without Kind", "add Kind="},
	{R L "Kind=alias\nTypes=wc\n", 4, "Types=wc is one type", "wc/uc"},
	{R L "Types=wc\nKind=alias\n", 3, "Types=wc is one type", "wc/uc"},
	{R L "Kind=request\nTypes=wc/uc\n", 4, "are two types", "Types=wc"},
	{R L "Kind=request\nTypes=xx\n", 4, "names no memory type", "write uc, uc-"},
	{R L "Kind=request\nTypes=WC\n", 4, "names no memory type", "did you mean wc?"},
	{R L "Kind=request\nTypes=*\n", 4, "names no memory type", "write uc, uc-"},
	{R L "Kind=request\nTypes=wc|uc\n", 4, "names no memory type", "write uc, uc-"},
	{R L "Kind=request\nTypes=devices\n", 4, "names no memory type", "did you mean device?"},
	{R L "Kind=alias\nTypes=wc/\n", 4, "names no memory type", "write uc"},
	{R L "Kind=alias\nTypes=/wc\n", 4, "names no memory type", "write uc"},
	{R L "Kind=alias\nTypes=wc/uc/wb\n", 4, "names no memory type", "write uc"},
	{R L "Kind=alias\nTypes=wc,uc\n", 4, "is one type", "wc/uc"},
	{R L "Kind=alias\nTypes=uc/uc\n", 4, "can never match", "wc/uc"},
	{R L "Kind=alias\nTypes=uc/uc-\n", 4, "can never match", "wc/uc"},
	{R L "Kind=alias\nTypes=device/uc-\n", 4, "can never match", "wc/uc"},
	{R L "Kind=alias\nTypes=wc/wc\n", 4, "do not conflict", "wc/uc"},
	{R L "Kind=promotion\nTypes=wc/wc\n", 4, "neither is stronger", "wc/uc"},
	{R L "Kind=promotion\nTypes=wt/wp\n", 4, "neither is stronger", "wc/uc"},
	{R L "Kind=demotion\nTypes=uc/device\n", 4, "neither is stronger", "wc/uc"},

	/* actions that cannot be, and rules that others take */
	{R "Kind=demotion\nAction=deny\n", 3, "demotion cannot be foreseen", "Action=kill or Action=log"},
	{R "Action=deny\nKind=demotion\nTypes=wc/uc\n", 2, "demotion cannot be foreseen", "Action=kill"},
	{R "Source=devmem\nAction=deny\n", 3, "/dev/mem cannot be foreseen", "Action=kill or Action=log"},
	{R "Action=deny\nSource=devmem\nKind=alias\n", 2, "/dev/mem cannot be foreseen", "Action=kill"},
	{R "Action=deny\nSource=devmem\nKind=request\n", 2, "/dev/mem cannot be foreseen", "Action=log"},
	{R "Action=kill\nSource=devmem\nKind=request\n", 2, "/dev/mem is seen afterwards", "Action=log"},
	{R L "[Rule s]\nAction=deny\n", 3, "[Rule r] in 10-test.conf:1 takes all", "remove it, or move it"},
	{R L "[Rule s]\nDevice=3b:00.0\nAction=deny\n", 3, "can never match", "move it"},
	{R L "Device=*\n[Rule s]\nDevice=3b:00.0\nAction=deny\n", 4, "can never match", "move it"},
	{R L "Device=3b:*\n[Rule s]\nDevice=3B:*\nAction=deny\n", 4, "can never match", "move it"},
	{R L "Device=0000:3b:00.*\n[Rule s]\nDevice=0000:3b:00.1\nAction=deny\n", 4, "can never match",
	 "move it"},
	{R L "Kind=alias\n[Rule s]\nKind=alias\nTypes=wc/uc\nAction=deny\n", 4, "can never match", "move it"},
	{R L "Kind=alias\nTypes=wc/uc\n[Rule s]\nKind=alias\nTypes=uc-/wc\nAction=deny\n", 5,
	 "can never match", "move it"},
	{R L "Source=vfio|sysfs\n[Rule s]\nSource=sysfs\nAction=deny\n", 4, "can never match", "move it"},
	{R L "Source=vfio|dmabuf|sysfs|devmem\n[Rule s]\nAction=deny\n", 4, "can never match", "move it"},
	{R L "Region=0-2\n[Rule s]\nRegion=1\nAction=deny\n", 4, "can never match", "move it"},
	{R L "User=alice\n[Rule s]\nUser=1042\nUnit=a.service\nAction=deny\n", 4, "can never match",
	 "move it"},
	{R L "Unit=*\nMachine=*\n[Rule t]\nId=10de:*\nAction=deny\n[Rule s]\nAction=deny\n", 5,
	 "can never match", "move it"},
	{R L "Kind=request\nTypes=uc\n[Rule s]\nKind=request\nTypes=device\nAction=deny\n", 5,
	 "can never match", "move it"},
};

static void test_table(void **state)
{
	size_t n = sizeof(table) / sizeof(table[0]);

	(void)state;
	assert_true(n >= 200);
	for (size_t i = 0; i < n; i++) {
		const struct policy_text file = text_at(POLICY_PATH, table[i].text);
		const char *error = refused(&file, 1, POLICY_PATH, table[i].line), *remedy;

		remedy = strstr(error, table[i].what);
		remedy = remedy ? strstr(remedy + strlen(table[i].what), "; ") : NULL;
		if (!remedy || !strstr(remedy, table[i].remedy))
			fail_msg("\"%s\"; \"%s\" expected of\n%s, got\n%s", table[i].what, table[i].remedy,
				 table[i].text, error);
	}
}

/* The same behind another file, whose lines do not count and whose settings are no duplicates. */
static void test_table_in_second_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct policy_text files[] = {
			text_at("/usr/lib/vfiowatch/policy.d/01-first.conf",
				"\n\n[Policy]\nMode=audit\nOnUnknown=allow\n[Rule "
				"first]\nUser=77\nAction=log\n"),
			text_at(POLICY_PATH, table[i].text),
		};

		refused(files, 2, POLICY_PATH, table[i].line);
	}
}

static void test_zero_byte(void **state)
{
	const struct policy_text file = {POLICY_PATH, "[Policy]\nMode\0=audit\n", 21};

	(void)state;
	assert_non_null(strstr(refused(&file, 1, POLICY_PATH, 2), "byte 5 of the line (\\x00)"));
}

static void test_sizes(void **state)
{
	static char text[POLICY_FILE_MAX + 2];
	static struct policy_text files[POLICY_FILES_MAX + 1];
	static char rules[64 * 64];
	struct policy_text file = {POLICY_PATH, text, sizeof(text) - 1};
	size_t at = 0;

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	assert_non_null(strstr(refused(&file, 1, POLICY_PATH, 1), "262145 bytes"));
	file.length--;
	policy_free(parsed_files(&file, 1));

	for (size_t i = 0; i < POLICY_FILES_MAX + 1; i++)
		files[i] = text_at(i < POLICY_FILES_MAX ? "a.conf" : POLICY_PATH, "");
	assert_non_null(strstr(refused(files, POLICY_FILES_MAX + 1, POLICY_PATH, 1), "256 are the most"));
	policy_free(parsed_files(files, POLICY_FILES_MAX));

	memset(text, 'x', POLICY_LINE_MAX + 1);
	text[0] = ';';
	text[POLICY_LINE_MAX + 1] = 0;
	file = text_at(POLICY_PATH, text);
	assert_non_null(strstr(refused(&file, 1, POLICY_PATH, 1), "191 bytes, 190 are the most"));

	for (int i = 0; i <= POLICY_RULES_MAX; i++)
		at += snprintf(rules + at, sizeof(rules) - at, "[Rule %d]\nUser=%d\nAction=kill\n", i, i);
	file = text_at(POLICY_PATH, rules);
	assert_non_null(strstr(refused(&file, 1, POLICY_PATH, 3 * POLICY_RULES_MAX + 1), "64 are the most"));
}

/* A path cannot steer a terminal, and a long one leaves room for what is wrong. */
static void test_hostile_paths(void **state)
{
	char path[1024], error[POLICY_ERROR_LEN];
	const struct policy_text file = {path, "x\n", 2};
	enum policy_outcome outcome;
	struct policy *policy;

	(void)state;
	for (size_t length = 1; length < sizeof(path); length++) {
		memset(path, length % 2 ? '\033' : 'p', length);
		path[length] = 0;
		memcpy(path + length / 2, "\xe2\x82\xac", length > 8 ? 3 : 0);
		assert_int_equal(policy_parse(&policy, &file, 1, NULL, NULL, &outcome, error), 0);
		assert_int_equal(outcome, POLICY_REFUSED);
		assert_non_null(
			strstr(error, ":1: \"x\" is neither a section nor a setting; write Key=Value"));
		for (const char *at = error; *at; at++)
			assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
}

/* What does not fit is cut between two characters: the bus takes no half ones. */
static void test_cut_between_characters(void **state)
{
	char names[2][300], safe[4 * POLICY_ERROR_LEN + 1], error[POLICY_ERROR_LEN];
	enum policy_outcome outcome;
	struct policy *policy;

	(void)state;
	for (size_t shift = 0; shift < 6; shift++) {
		const struct policy_text files[] = {{names[0], R L, strlen(R L)},
						    {names[1], R L, strlen(R L)}};

		for (size_t i = 0; i < 2; i++) {
			size_t at = snprintf(names[i], sizeof(names[i]), "/%zu%.*s", i, (int)shift, "12345");

			for (; at < 235; at += 3)
				memcpy(names[i] + at, "\xe2\x82\xac", 4);
		}
		assert_int_equal(policy_parse(&policy, files, 2, NULL, NULL, &outcome, error), 0);
		assert_int_equal(outcome, POLICY_REFUSED);
		assert_non_null(strstr(error, ":1: there is a rule \"r\" in "));
		assert_true(strlen(error) > POLICY_ERROR_LEN - 5);
		assert_string_equal(text_escape(error, strlen(error), safe, sizeof(safe)), error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),         cmocka_unit_test(test_table_in_second_file),
		cmocka_unit_test(test_zero_byte),     cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_hostile_paths), cmocka_unit_test(test_cut_between_characters)};

	return cmocka_run_group_tests_name("policy_malformed", tests, NULL, NULL);
}
