/* Encryption at rest: AES-256-GCM under a small ring of master keys. */
#include "common/base/secret_box.h"

#include <limits.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

#define VERSION     1
#define KEY_BYTES   32
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define HEAD_BYTES  (2 + NONCE_BYTES)
#define MAX_KEYS    16
#define LONE_KEY_ID 1

struct key {
	uint8_t id;
	uint8_t bytes[KEY_BYTES];
};

struct secret_box {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *work; /* reused by every call */
	int n_keys;
	struct key keys[MAX_KEYS]; /* the first one seals */
};

static const struct key *secret_box_find_key(const struct secret_box *box, uint8_t id)
{
	for (int i = 0; i < box->n_keys; i++) {
		if (box->keys[i].id == id)
			return &box->keys[i];
	}
	return NULL;
}

static int secret_box_add_key(struct secret_box *box, struct strview text, struct err *err)
{
	int number = box->n_keys + 1;
	int64_t id = LONE_KEY_ID;
	struct strview hex = sv_trim(text);
	struct strview id_text;
	if (box->n_keys == MAX_KEYS)
		return err_set(err, "more than %d master keys", MAX_KEYS);
	if (hex.len != 2 * KEY_BYTES) {
		(void)sv_split(&hex, ':', &id_text);
		if (sv_is_null(hex) || sv_to_i64(id_text, &id) < 0 || id < 1 || id > 255)
			return err_set(err,
				"master key %d is neither 64 hex digits nor <id 1..255>:<64 hex "
				"digits>",
				number);
	}
	struct key *key = &box->keys[box->n_keys];
	if (hex_decode(hex, key->bytes, KEY_BYTES) < 0)
		return err_set(err, "master key %d is not 64 hex digits", number);
	if (secret_box_find_key(box, (uint8_t)id) != NULL)
		return err_set(err, "master key %d repeats id %d", number, (int)id);
	key->id = (uint8_t)id;
	box->n_keys++;
	return 0;
}

struct secret_box *secret_box_new(struct strview master_keys, struct err *err)
{
	struct secret_box *box = mem_new(struct secret_box);
	struct strview part;

	if (sv_is_null(master_keys))
		master_keys = SV_LIT("");
	while (sv_split(&master_keys, ',', &part)) {
		if (secret_box_add_key(box, part, err) < 0) {
			secret_box_free(&box);
			return NULL;
		}
	}
	box->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	box->work = EVP_CIPHER_CTX_new();
	ASSERT(box->cipher != NULL && box->work != NULL);
	return box;
}

void secret_box_free(struct secret_box **box)
{
	struct secret_box *gone = *box;
	*box = NULL;
	if (gone == NULL)
		return;
	EVP_CIPHER_CTX_free(gone->work);
	EVP_CIPHER_free(gone->cipher);
	mem_wipe(gone, sizeof(*gone));
	mem_free(gone);
}

void secret_box_seal(const struct secret_box *box, struct strview context, struct strview plain,
	struct strbuf *out)
{
	ASSERT(plain.len <= INT_MAX && context.len <= INT_MAX);
	const struct key *key = &box->keys[0];
	uint8_t head[HEAD_BYTES] = {VERSION, key->id};
	rng_bytes(head + 2, NONCE_BYTES);
	strbuf_append(out, head, sizeof(head));
	strbuf_reserve(out, plain.len + TAG_BYTES);

	unsigned char *cipher_text = (unsigned char *)out->data + out->len;
	unsigned char *tag = cipher_text + plain.len;
	int len = 0;
	int ok = EVP_EncryptInit_ex2(box->work, box->cipher, key->bytes, head + 2, NULL) == 1 &&
		 EVP_EncryptUpdate(box->work, NULL, &len, (const unsigned char *)context.ptr,
			 (int)context.len) == 1 &&
		 EVP_EncryptUpdate(box->work, cipher_text, &len, (const unsigned char *)plain.ptr,
			 (int)plain.len) == 1 &&
		 EVP_EncryptFinal_ex(box->work, tag, &len) == 1 &&
		 EVP_CIPHER_CTX_ctrl(box->work, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
	ASSERT(ok);
	out->len += plain.len + TAG_BYTES;
	out->data[out->len] = '\0';
}

/* Decrypt into out's spare room; true when the tag fits. */
static bool secret_box_decrypt(const struct secret_box *box, const struct key *key,
	struct strview context, struct strview sealed, unsigned char *ret_plain)
{
	const uint8_t *bytes = (const uint8_t *)sealed.ptr;
	size_t cipher_len = sealed.len - HEAD_BYTES - TAG_BYTES;
	uint8_t tag[TAG_BYTES];
	int len = 0;

	for (size_t i = 0; i < TAG_BYTES; i++)
		tag[i] = bytes[sealed.len - TAG_BYTES + i];
	return EVP_DecryptInit_ex2(box->work, box->cipher, key->bytes, bytes + 2, NULL) == 1 &&
	       EVP_DecryptUpdate(box->work, NULL, &len, (const unsigned char *)context.ptr,
		       (int)context.len) == 1 &&
	       EVP_DecryptUpdate(box->work, ret_plain, &len, bytes + HEAD_BYTES, (int)cipher_len) ==
		       1 &&
	       EVP_CIPHER_CTX_ctrl(box->work, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
	       EVP_DecryptFinal_ex(box->work, ret_plain + cipher_len, &len) == 1;
}

int secret_box_open(const struct secret_box *box, struct strview context, struct strview sealed,
	struct strbuf *out, struct err *err)
{
	ASSERT(context.len <= INT_MAX);
	if (sealed.len > INT_MAX)
		return err_set(err, "sealed value is too long (%zu bytes)", sealed.len);
	if (sealed.len < HEAD_BYTES + TAG_BYTES)
		return err_set(err, "sealed value is too short (%zu bytes)", sealed.len);
	uint8_t version = (uint8_t)sealed.ptr[0];
	uint8_t id = (uint8_t)sealed.ptr[1];
	if (version != VERSION)
		return err_set(err, "sealed value has unknown version %d", version);
	const struct key *key = secret_box_find_key(box, id);
	if (key == NULL)
		return err_set(err, "sealed with master key id %d, which is not configured", id);

	size_t plain_len = sealed.len - HEAD_BYTES - TAG_BYTES;
	strbuf_reserve(out, plain_len);
	unsigned char *plain = (unsigned char *)out->data + out->len;
	bool fits = secret_box_decrypt(box, key, context, sealed, plain);
	if (!fits) {
		mem_wipe(plain, plain_len);
		plain[0] = '\0';
		return err_set(
			err, "sealed value does not open: wrong key, wrong place or damaged");
	}
	out->len += plain_len;
	out->data[out->len] = '\0';
	return 0;
}

int secret_box_n_keys(const struct secret_box *box)
{
	return box->n_keys;
}

void secret_box_derive(
	const struct secret_box *box, int index, struct strview label, uint8_t ret_key[SHA256_SIZE])
{
	ASSERT(index >= 0 && index < box->n_keys);
	hmac_sha256(sv_make(box->keys[index].bytes, KEY_BYTES), label, ret_key);
}
