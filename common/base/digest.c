/* Hashes and MACs on OpenSSL's libcrypto. */
#include "common/base/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct sha256_stream {
	EVP_MD_CTX *context;
};

/* Looked up once: an EVP_sha256() call costs a fetch under a lock each time. */
static const EVP_MD *sha256_method(void)
{
	static EVP_MD *method;
	if (method == NULL) {
		method = EVP_MD_fetch(NULL, "SHA256", NULL);
		ASSERT(method != NULL);
	}
	return method;
}

static void sha256_begin(EVP_MD_CTX *context)
{
	int ok = EVP_DigestInit_ex2(context, sha256_method(), NULL);
	ASSERT(ok == 1);
}

static void sha256_end(EVP_MD_CTX *context, uint8_t ret_hash[SHA256_SIZE])
{
	unsigned len = 0;
	int ok = EVP_DigestFinal_ex(context, ret_hash, &len);
	ASSERT(ok == 1 && len == SHA256_SIZE);
}

void sha256(struct strview data, uint8_t ret_hash[SHA256_SIZE])
{
	static EVP_MD_CTX *context;
	if (context == NULL) {
		context = EVP_MD_CTX_new();
		ASSERT(context != NULL);
	}
	sha256_begin(context);
	int ok = EVP_DigestUpdate(context, data.ptr, data.len);
	ASSERT(ok == 1);
	sha256_end(context, ret_hash);
}

static EVP_MAC_CTX *hmac_context_new(void)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
	EVP_MAC_free(method);
	ASSERT(context != NULL);
	int ok = EVP_MAC_CTX_set_params(context, params);
	ASSERT(ok == 1);
	return context;
}

void hmac_sha256(struct strview key, struct strview data, uint8_t ret_mac[SHA256_SIZE])
{
	static EVP_MAC_CTX *context;
	if (context == NULL)
		context = hmac_context_new();
	/* A NULL key would mean "the key of last time". */
	const char *key_bytes = key.ptr != NULL ? key.ptr : "";
	size_t len = 0;
	int ok = EVP_MAC_init(context, (const unsigned char *)key_bytes, key.len, NULL);
	ASSERT(ok == 1);
	ok = EVP_MAC_update(context, (const unsigned char *)data.ptr, data.len);
	ASSERT(ok == 1);
	ok = EVP_MAC_final(context, ret_mac, &len, SHA256_SIZE);
	ASSERT(ok == 1 && len == SHA256_SIZE);
}

struct sha256_stream *sha256_stream_new(void)
{
	struct sha256_stream *stream = mem_new(struct sha256_stream);
	stream->context = EVP_MD_CTX_new();
	ASSERT(stream->context != NULL);
	sha256_begin(stream->context);
	return stream;
}

void sha256_stream_add(struct sha256_stream *stream, const void *data, size_t len)
{
	int ok = EVP_DigestUpdate(stream->context, data, len);
	ASSERT(ok == 1);
}

void sha256_stream_end(struct sha256_stream **stream, uint8_t ret_hash[SHA256_SIZE])
{
	struct sha256_stream *gone = *stream;
	*stream = NULL;
	if (gone == NULL)
		return;
	if (ret_hash != NULL)
		sha256_end(gone->context, ret_hash);
	EVP_MD_CTX_free(gone->context);
	mem_free(gone);
}

bool bytes_equal_const_time(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

/* Polynomial 0x04C11DB7 reflected, as in Ethernet, gzip and PNG. */
uint32_t crc32_ieee(struct strview data)
{
	static uint32_t table[256];
	if (table[1] == 0) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t value = i;
			for (int bit = 0; bit < 8; bit++)
				value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0);
			table[i] = value;
		}
	}
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < data.len; i++)
		crc = (crc >> 8) ^ table[(crc ^ (uint8_t)data.ptr[i]) & 0xff];
	return ~crc;
}
