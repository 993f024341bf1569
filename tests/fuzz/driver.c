/*
 * Runs a fuzz target without libFuzzer: every corpus file as it is, then N mutations from a seed.
 *   fuzz_<name> [-n N] [-s SEED] [-o FILE] FILE-OR-FOLDER…
 * -o writes each input to FILE before it runs, so that the one that crashes is found there.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES ((size_t)64 * 1024)
#define MAX_INPUTS      1024

static struct {
	struct strbuf inputs[MAX_INPUTS];
	int n_inputs;
	uint64_t state;
	const char *out_path;
} driver;

/* A generator of its own: the target may use that of rng.h. SplitMix64. */
static uint64_t draw(uint64_t bound)
{
	uint64_t z = (driver.state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % bound;
}

NORETURN static void die(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void read_file(const char *path, struct strbuf *out)
{
	char chunk[4096];
	size_t got;
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		die(path);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0 && out->len < MAX_INPUT_BYTES)
		strbuf_append(out, chunk, got);
	(void)fclose(file);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void add_path(const char *path)
{
	struct stat info;
	if (stat(path, &info) < 0)
		die(path);
	if (!S_ISDIR(info.st_mode)) {
		ASSERT(driver.n_inputs < MAX_INPUTS);
		read_file(path, &driver.inputs[driver.n_inputs++]);
		return;
	}
	/* Sorted, so that a seed means the same everywhere. */
	struct dirent **entries;
	int n_entries = scandir(path, &entries, not_hidden, alphasort);
	if (n_entries < 0)
		die(path);
	for (int i = 0; i < n_entries; i++) {
		struct strbuf child = STRBUF_INIT;
		strbuf_printf(&child, "%s/%s", path, entries[i]->d_name);
		add_path(strbuf_cstr(&child));
		strbuf_deinit(&child);
		mem_free(entries[i]);
	}
	mem_free(entries);
}

static void run(struct strview input)
{
	/* A copy of exactly this size, so that a sanitizer sees a read beyond it. */
	uint8_t *copy = mem_dup(input.ptr, input.len);
	if (driver.out_path != NULL) {
		FILE *file = fopen(driver.out_path, "wb");
		if (file == NULL || fwrite(copy, 1, input.len, file) != input.len)
			die(driver.out_path);
		(void)fclose(file);
	}
	(void)LLVMFuzzerTestOneInput(copy, input.len);
	mem_free(copy);
}

static struct strview any_piece(struct strview from)
{
	size_t at = draw(from.len + 1);
	size_t len = draw(from.len - at + 1);
	return sv_make(from.ptr + at, len > 64 ? draw(64) : len);
}

/* Put `piece` in the place of `cut` bytes at `at`. */
static void splice(struct strbuf *text, size_t at, size_t cut, struct strview piece)
{
	struct strbuf result = STRBUF_INIT;
	strbuf_append(&result, strbuf_cstr(text), at);
	strbuf_append_sv(&result, piece);
	strbuf_append(&result, strbuf_cstr(text) + at + cut, text->len - at - cut);
	strbuf_deinit(text);
	*text = result;
}

static void mutate(struct strbuf *text)
{
	static const char *const tokens[] = {"0", "-1", "9223372036854775808", "1e999", "\"", "\\",
		"\\u0000", "{", "[", "}", "]", ":", ",", ".", "/", "@", "%", "=", "\n", "\xff",
		"\xc3\xa9", "\xed\xa0\x80", "0x7f", "::", "T", "Z", "+", "ms", "null"};
	char byte = (char)draw(256);
	size_t at = draw(text->len + 1);
	size_t left = text->len - at;
	switch (draw(7)) {
	case 0:
		if (left > 0)
			text->data[at] = (char)(text->data[at] ^ (1 << draw(8)));
		break;
	case 1:
		splice(text, at, left > 0 ? 1 : 0, sv_make(&byte, 1));
		break;
	case 2:
		splice(text, at, 0, sv_make(&byte, 1));
		break;
	case 3:
		splice(text, at, draw(left < 16 ? left + 1 : 16), SV_NULL);
		break;
	case 4:
		splice(text, at, 0, sv_from(tokens[draw(array_len(tokens))]));
		break;
	case 5: {
		struct strview other = strbuf_view(&driver.inputs[draw((uint64_t)driver.n_inputs)]);
		splice(text, at, draw(left < 16 ? left + 1 : 16), any_piece(other));
		break;
	}
	default:
		splice(text, at, 0, any_piece(strbuf_view(text)));
		break;
	}
}

static void run_mutations(int64_t n_runs)
{
	for (int64_t i = 0; i < n_runs; i++) {
		struct strbuf text = STRBUF_INIT;
		strbuf_append_sv(
			&text, strbuf_view(&driver.inputs[draw((uint64_t)driver.n_inputs)]));
		for (uint64_t n = 1 + draw(6); n > 0; n--)
			mutate(&text);
		run(strbuf_view(&text));
		strbuf_deinit(&text);
	}
}

static int64_t number_of(const char *text)
{
	int64_t number = 0;
	if (sv_to_i64(sv_from(text), &number) < 0 || number < 0) {
		(void)fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	int64_t n_runs = 0;
	int option;
	while ((option = getopt(argc, argv, "n:s:o:")) != -1) {
		if (option == 'n')
			n_runs = number_of(optarg);
		else if (option == 's')
			driver.state = (uint64_t)number_of(optarg);
		else if (option == 'o')
			driver.out_path = optarg;
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		add_path(argv[i]);
	if (driver.n_inputs == 0) {
		(void)fprintf(stderr, "no corpus\n");
		return 2;
	}
	run(SV_LIT(""));
	for (int i = 0; i < driver.n_inputs; i++)
		run(strbuf_view(&driver.inputs[i]));
	run_mutations(n_runs);
	(void)printf("%d files, %lld mutations\n", driver.n_inputs, (long long)n_runs);
	for (int i = 0; i < driver.n_inputs; i++)
		strbuf_deinit(&driver.inputs[i]);
	return 0;
}
