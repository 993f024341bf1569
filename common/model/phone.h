/* Phone numbers, E.164 by shape: '+' and 7 to 15 digits, the first not 0. Not checked against a
   numbering plan. */
#ifndef WA_MODEL_PHONE_H
#define WA_MODEL_PHONE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/strview.h"

#define PHONE_SIZE 17 /* '+', 15 digits, NUL */

/*
 * Forgiving: spaces (also no-break), dashes, dots, slashes, brackets are dropped; a leading "00" or
 * nothing stands for '+'; a '+' that a query string turned into a space is put back. 0, or -1 with
 * err that says what is wrong with it.
 */
int phone_parse(struct strview text, char ret_phone[PHONE_SIZE], struct err *err);
bool phone_is(struct strview text); /* in the stored form already */

#endif
