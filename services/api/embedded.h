/* Files that are part of the binary; their arrays are made at build time by embed.py. */
#ifndef WA_API_EMBEDDED_H
#define WA_API_EMBEDDED_H

extern const unsigned char openapi_json_data[];
extern const unsigned long openapi_json_size;
extern const unsigned char docs_html_data[];
extern const unsigned long docs_html_size;
extern const unsigned char errors_html_data[];
extern const unsigned long errors_html_size;

#endif
