/* A QR code as a picture: PNG (W3C PNG, third edition) and SVG. Pure. */
#ifndef WA_API_QR_IMAGE_H
#define WA_API_QR_IMAGE_H

#include "common/base/attr.h"
#include "common/base/strbuf.h"

/* Each appends the picture, with the margin that scanners need. 0, or -1 when the text is too long
 * for a QR code (2,953 bytes at most) or empty. */
int qr_image_png(struct strview text, struct strbuf *out) MUST_CHECK;
int qr_image_svg(struct strview text, struct strbuf *out) MUST_CHECK;

#endif
