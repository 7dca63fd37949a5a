# Writes malformed policies: DIRECTORY/N.conf, one mistake each, and DIRECTORY/expected: "N LINE" of each.
# -v directory=DIRECTORY
function emit(at, mistake, inserted,   i, line, file) {
	file = directory "/" ++n ".conf"
	line = 0
	for (i = 1; i <= lines; i++) {
		if (i == at) {
			printf "%s\n", mistake >file
			if (!inserted)
				continue
		}
		printf "%s\n", good[i] >file
	}
	if (at > lines)
		printf "%s\n", mistake >file
	close(file)
	print n, at >(directory "/expected")
}

BEGIN {
	lines = split("[Policy]\nMode=enforce\nOnUnknown=deny\n\n[Rule one]\nDevice=0000:00:01.*\nId=1af4:*\nClass=05*\n" \
		"Driver=vfio-pci\nRegion=0-2\nUnit=*.service\nMachine=*\nUser=root\nSource=vfio|sysfs\nKind=alias\nTypes=wc/uc\n" \
		"Action=deny\n\n[Rule two]\nKind=request\nAction=log", good, "\n")
	for (i = 1; i <= lines; i++)
		if (split(good[i], pair, "=") == 2 && !(pair[1] in where))
			where[pair[1]] = i
	bad["Mode"] = "EMPTY|enforced|Enforce|on|1|audit,enforce"
	bad["OnUnknown"] = "EMPTY|log|kill|maybe|Deny|0"
	bad["Device"] = "EMPTY|0000:00:01|00:1f.8|zz:00.0|0000:00:01.0.0|0000-00-01.0|[0000:00:01.0|0000:00:01.[|gpu|00000000:00:01.0"
	bad["Id"] = "EMPTY|1af4|1af4:11100|1af4:xyzw|1af4-1110|:|1af4:1110:00"
	bad["Class"] = "EMPTY|0|0500000|xx|display|05 00"
	bad["Region"] = "EMPTY|6|-1|0-9|2-0|a|0,|,0|0;1|0-|2,2-"
	bad["User"] = "EMPTY|no-such-user-here|-1|4294967296|99999999999|0x0"
	bad["Source"] = "EMPTY|pci|vfio,sysfs|vfio\\||\\|vfio|VFIO|vfio\\|vfio\\|x"
	bad["Kind"] = "EMPTY|overlap|Alias|alias,request"
	bad["Types"] = "EMPTY|wc|wc/|/uc|wc/uc/wb|wc/xx|uc/uc|wc/wc|wc,uc|uc/device"
	bad["Action"] = "EMPTY|block|Deny|deny,log|drop|eperm"
	for (key in bad) {
		gsub(/\\\|/, "\001", bad[key])
		count = split(bad[key], values, "|")
		for (i = 1; i <= count; i++) {
			gsub("\001", "|", values[i])
			emit(where[key], key "=" (values[i] == "EMPTY" ? "" : values[i]), 0)
		}
	}
	# settings that are wrong wherever they stand
	count = split("Nonsense=1|no equals sign|=value|Modee=audit|Actoin=deny|  indented=1|\xef\xbb\xbfMode=audit|\x01|Mode = \x80", wrong, "|")
	for (i = 1; i <= count; i++)
		for (at = 2; at <= lines; at++)
			if (good[at] != "" && !(good[at] ~ /^\[/))
				emit(at, wrong[i], 1)
	# sections: after the first one, after a whole rule, and at the end
	count = split("[Unclosed|[]|[Rule]|[Other]|[Rule a\tb]|[ Rule x|Rule x]|[Policy|[Rule one]", wrong, "|")
	for (i = 1; i <= count; i++) {
		if (wrong[i] != "[Rule one]")
			emit(4, wrong[i], 1)
		emit(18, wrong[i], 1)
		emit(lines + 1, wrong[i], 1)
	}
	# every key twice
	for (key in where)
		emit(where[key] + 1, good[where[key]], 1)
	# a line that is too long
	long = "Device=0000:00:01.0"
	while (length(long) < 250)
		long = long " "
	emit(where["Device"], long "x", 0)
	print n
}
