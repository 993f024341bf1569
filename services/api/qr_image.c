/* libqrencode makes the modules; a PNG of one bit a pixel needs no compressor. */
#include "services/api/qr_image.h"

#include <qrencode.h>
#include <stdint.h>
#include <string.h>

#include "common/base/digest.h"

#define MARGIN           4 /* modules, as the standard wants */
#define PIXELS           6 /* a module's, each way */
#define TEXT_MAX_BYTES   2953
#define STORED_BLOCK_MAX 65535

static QRcode *encode(struct strview text)
{
	if (text.len == 0 || text.len > TEXT_MAX_BYTES)
		return NULL;
	return QRcode_encodeData((int)text.len, (const unsigned char *)text.ptr, 0, QR_ECLEVEL_L);
}

static bool is_dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return false;
	return (code->data[y * code->width + x] & 1) != 0;
}

static void put_u32(struct strbuf *out, uint32_t number)
{
	const unsigned char bytes[4] = {(unsigned char)(number >> 24),
		(unsigned char)(number >> 16), (unsigned char)(number >> 8), (unsigned char)number};
	strbuf_append(out, bytes, sizeof(bytes));
}

static void put_chunk(struct strbuf *out, const char *type, struct strview data)
{
	put_u32(out, (uint32_t)data.len);
	size_t start = out->len;
	strbuf_append(out, type, 4);
	strbuf_append_sv(out, data);
	put_u32(out, crc32_ieee(sv_make(out->data + start, out->len - start)));
}

static uint32_t adler32(struct strview data)
{
	uint32_t a = 1;
	uint32_t b = 0;
	for (size_t i = 0; i < data.len; i++) {
		a = (a + (unsigned char)data.ptr[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* A zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4). */
static void put_stored(struct strbuf *out, struct strview data)
{
	uint32_t check = adler32(data);
	strbuf_append(out, "\x78\x01", 2);
	do {
		size_t n = data.len < STORED_BLOCK_MAX ? data.len : STORED_BLOCK_MAX;
		const unsigned char head[5] = {data.len == n, (unsigned char)n,
			(unsigned char)(n >> 8), (unsigned char)~n, (unsigned char)(~n >> 8)};
		strbuf_append(out, head, sizeof(head));
		strbuf_append(out, data.ptr, n);
		data = sv_make(data.ptr + n, data.len - n);
	} while (data.len > 0);
	put_u32(out, check);
}

/* A row of pixels: its filter (none), then eight pixels a byte; 1 is white. */
static void put_row(struct strbuf *out, const QRcode *code, int y)
{
	int width = (code->width + 2 * MARGIN) * PIXELS;
	strbuf_append_char(out, '\0');
	for (int first = 0; first < width; first += 8) {
		unsigned byte = 0;
		for (int x = first; x < first + 8; x++)
			byte = byte << 1 | (x >= width || !is_dark(code, x / PIXELS - MARGIN, y));
		strbuf_append_char(out, (char)byte);
	}
}

int qr_image_png(struct strview text, struct strbuf *out)
{
	QRcode *code = encode(text);
	if (code == NULL)
		return -1;
	struct strbuf part = STRBUF_INIT;
	struct strbuf pixels = STRBUF_INIT;
	uint32_t side = (uint32_t)((code->width + 2 * MARGIN) * PIXELS);
	strbuf_append(out, "\x89PNG\r\n\x1a\n", 8);
	put_u32(&part, side);
	put_u32(&part, side);
	strbuf_append(&part, "\x01\x00\x00\x00\x00", 5); /* one bit, greyscale */
	put_chunk(out, "IHDR", strbuf_view(&part));
	for (int y = 0; y < (int)side; y++)
		put_row(&pixels, code, y / PIXELS - MARGIN);
	strbuf_reset(&part);
	put_stored(&part, strbuf_view(&pixels));
	put_chunk(out, "IDAT", strbuf_view(&part));
	put_chunk(out, "IEND", SV_LIT(""));
	strbuf_deinit(&part);
	strbuf_deinit(&pixels);
	QRcode_free(code);
	return 0;
}

int qr_image_svg(struct strview text, struct strbuf *out)
{
	QRcode *code = encode(text);
	if (code == NULL)
		return -1;
	int side = code->width + 2 * MARGIN;
	strbuf_printf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" shape-rendering=\"crispEdges\"><rect width=\"%d\" height=\"%d\" "
		"fill=\"#fff\"/><path fill=\"#000\" d=\"",
		side, side, side * PIXELS, side * PIXELS, side, side);
	for (int y = 0; y < code->width; y++) {
		for (int x = 0; x < code->width; x++) {
			if (is_dark(code, x, y))
				strbuf_printf(out, "M%d %dh1v1h-1z", x + MARGIN, y + MARGIN);
		}
	}
	strbuf_append_cstr(out, "\"/></svg>\n");
	QRcode_free(code);
	return 0;
}
