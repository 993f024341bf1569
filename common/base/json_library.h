/* jansson, under names that do not meet those of json.h. Only for json.c. */
#ifndef WA_BASE_JSON_LIBRARY_H
#define WA_BASE_JSON_LIBRARY_H

#include "common/base/attr.h"

#define json_type       jansson_type
#define json_string     jansson_string
#define json_real       jansson_real
#define json_array_get  jansson_array_get
#define json_object_get jansson_object_get
#define JSON_OBJECT     JANSSON_OBJECT
#define JSON_ARRAY      JANSSON_ARRAY
#define JSON_STRING     JANSSON_STRING
#define JSON_REAL       JANSSON_REAL
#define JSON_NULL       JANSSON_NULL

#include <jansson.h>

#undef json_type
#undef json_string
#undef json_real
#undef json_array_get
#undef json_object_get
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_REAL
#undef JSON_NULL

/* Those of the renamed functions that are called: what the linker knows them by. */
json_t *jansson_real(double value) LINK_AS("json_real");
json_t *jansson_array_get(const json_t *array, size_t index) LINK_AS("json_array_get");
json_t *jansson_object_get(const json_t *object, const char *key) LINK_AS("json_object_get");

#endif
