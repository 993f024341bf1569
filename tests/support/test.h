/* What every unit test includes first: cmocka and the headers that it wants before itself. */
#ifndef WA_TESTS_SUPPORT_TEST_H
#define WA_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/attr.h"
#include "common/base/strview.h"

/* A test function that uses no fixture: static void TEST(empty_text_is_refused) { … } */
#define TEST(name) name(UNUSED void **state)

#define assert_sv(view, text)                                                                      \
	do {                                                                                       \
		struct strview assert_sv_ = (view);                                                \
		assert_int_equal(assert_sv_.len, strlen(text));                                    \
		assert_memory_equal(assert_sv_.ptr, (text), assert_sv_.len);                       \
	} while (0)

#endif
