#include "common/io/redis_info.h"

struct strview redis_info_find(struct strview info, const char *field)
{
	struct strview line;
	struct strview name;
	while (sv_split(&info, '\n', &line)) {
		line = sv_trim(line);
		if (sv_split(&line, ':', &name) && sv_eq_cstr(name, field) && !sv_is_null(line))
			return line;
	}
	return SV_NULL;
}
