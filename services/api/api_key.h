/*
 * The text of an API key: "sk_live_" or "sk_test_", 32 random base-62 characters (190 bits), and 6
 * that hold the CRC-32 of what stands before them, so that a mistyped key is refused without asking
 * anybody. Only its SHA-256 is ever stored. Pure but for chance.
 */
#ifndef WA_API_API_KEY_H
#define WA_API_API_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/strview.h"

#define API_KEY_LEN       46
#define API_KEY_SIZE      (API_KEY_LEN + 1)
#define API_KEY_HINT_SIZE 24

void api_key_new(bool sandbox, char ret_key[API_KEY_SIZE]);
/* Right by shape and checksum? */
bool api_key_is(struct strview text);
void api_key_hash(struct strview key, uint8_t ret_hash[SHA256_SIZE]);
/* "sk_live_abcd…wxyz", for people to tell keys apart. */
void api_key_hint(const char *key, char ret_hint[API_KEY_HINT_SIZE]);

#endif
