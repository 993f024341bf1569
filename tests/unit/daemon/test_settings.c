/* settings: environment, config file, and every way to get them wrong. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/daemon/settings.h"
#include "tests/support/death.h"

#define KEY      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REQUIRED "WA_DATABASE_URL=postgresql://d", "WA_REDIS_URL=redis://r", "WA_MASTER_KEY=" KEY

static char file_path[] = "/tmp/wa-settings-XXXXXX";
static char other_path[] = "/tmp/wa-settings-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	close(mkstemp(file_path));
	close(mkstemp(other_path));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file_path);
	unlink(other_path);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	fputs(text, file);
	fclose(file);
}

static struct settings *load(
	const char *service, const char *const *list, const char *file, struct err *err)
{
	char *environ_list[32] = {NULL};
	struct settings *settings;
	int n = 0;

	for (; list[n] != NULL; n++)
		environ_list[n] = mem_strdup(list[n]);
	err->text[0] = '\0';
	settings = settings_load(service, environ_list, file, err);
	for (int i = 0; i < n; i++)
		mem_free(environ_list[i]);
	return settings;
}

static struct settings *load_good(const char *service, const char *const *list, const char *file)
{
	struct err err;
	struct settings *settings = load(service, list, file, &err);

	assert_string_equal(err.text, "");
	assert_non_null(settings);
	return settings;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* --- good ones --- */

static void TEST(what_is_not_given_has_its_default)
{
	struct settings *settings =
		load_good("sender", LIST(REQUIRED, "HOME=/root", "WATER=1"), NULL);

	assert_string_equal(setting_text(settings, SETTING_MODE), "production");
	assert_string_equal(setting_text(settings, SETTING_INSTANCE), "");
	assert_int_equal(setting_int(settings, SETTING_SESSION_RATE_PER_MIN), 20);
	assert_int_equal(setting_ms(settings, SETTING_DRAIN_TIMEOUT), 8000);
	assert_int_equal(setting_schedule(settings, SETTING_SEND_RETRY_SCHEDULE).n_delays, 8);
	assert_false(setting_is_set(settings, SETTING_MODE));
	assert_true(setting_is_set(settings, SETTING_REDIS_URL));
	settings_free(&settings);
	assert_null(settings);
	settings_free(&settings);
}

static void TEST(all_defaults_of_all_services_are_good)
{
	static const char *const services[] = {"api", "sender", "gateway", "webhooker"};

	for (size_t i = 0; i < array_len(services); i++) {
		struct settings *settings = load_good(services[i], LIST(REQUIRED), NULL);
		settings_free(&settings);
	}
}

static void TEST(what_is_given_is_read)
{
	struct settings *settings = load_good("sender",
		LIST(REQUIRED, "WA_MODE=development", "WA_INSTANCE= s 1 ",
			"WA_SESSION_RATE_PER_MIN=1000000", "WA_DRAIN_TIMEOUT=1m",
			"WA_ACK_TIMEOUT=100ms", "WA_RECIPIENT_INTERVAL=0",
			"WA_SEND_RETRY_SCHEDULE=1s,2m"),
		NULL);

	assert_string_equal(setting_text(settings, SETTING_MODE), "development");
	assert_string_equal(setting_text(settings, SETTING_INSTANCE), "s 1");
	assert_string_equal(setting_text(settings, SETTING_MASTER_KEY), KEY);
	assert_int_equal(setting_int(settings, SETTING_SESSION_RATE_PER_MIN), 1000000);
	assert_int_equal(setting_ms(settings, SETTING_DRAIN_TIMEOUT), 60000);
	assert_int_equal(setting_ms(settings, SETTING_ACK_TIMEOUT), 100);
	assert_int_equal(setting_ms(settings, SETTING_RECIPIENT_INTERVAL), 0);
	assert_int_equal(setting_schedule(settings, SETTING_SEND_RETRY_SCHEDULE).n_delays, 2);
	assert_int_equal(
		setting_schedule(settings, SETTING_SEND_RETRY_SCHEDULE).delay_ms[1], 120000);
	settings_free(&settings);
}

static void TEST(an_empty_schedule_is_one_attempt)
{
	struct settings *settings =
		load_good("sender", LIST(REQUIRED, "WA_SEND_RETRY_SCHEDULE="), NULL);

	assert_int_equal(setting_schedule(settings, SETTING_SEND_RETRY_SCHEDULE).n_delays, 0);
	settings_free(&settings);
}

static void TEST(settings_of_other_services_are_ignored)
{
	struct settings *settings = load_good("sender",
		LIST(REQUIRED, "WA_API_PORT=nonsense", "WA_BUILD_DIR=/b",
			"WA_ADMIN_TOKEN_FILE=/none"),
		NULL);

	settings_free(&settings);
}

static void TEST(a_file_is_read_and_the_environment_wins)
{
	struct settings *settings;

	write_file(file_path, "# a comment\n\n  WA_INSTANCE = from file \r\nWA_SESSION_BURST=7\n"
			      "WA_DATABASE_URL='postgresql://d?a=b#c'\nWA_REDIS_URL=\"redis://"
			      "r\"\n#WA_NO_SUCH=1\n"
			      "WA_MASTER_KEY=" KEY "\nWA_API_PORT=1\nWA_ACK_TIMEOUT=1s");
	settings = load_good("sender", LIST("WA_SESSION_BURST=9"), file_path);
	assert_string_equal(setting_text(settings, SETTING_INSTANCE), "from file");
	assert_string_equal(setting_text(settings, SETTING_DATABASE_URL), "postgresql://d?a=b#c");
	assert_string_equal(setting_text(settings, SETTING_REDIS_URL), "redis://r");
	assert_int_equal(setting_int(settings, SETTING_SESSION_BURST), 9);
	assert_int_equal(setting_ms(settings, SETTING_ACK_TIMEOUT), 1000);
	settings_free(&settings);
}

static void TEST(a_secret_may_have_a_file_of_its_own)
{
	struct settings *settings;
	char entry[64];

	write_file(other_path, KEY "\n");
	snprintf(entry, sizeof(entry), "WA_MASTER_KEY_FILE=%s", other_path);
	settings = load_good("sender",
		LIST("WA_DATABASE_URL=d", "WA_REDIS_URL=r", "WA_MASTER_KEY=", entry), NULL);
	assert_string_equal(setting_text(settings, SETTING_MASTER_KEY), KEY);
	settings_free(&settings);
	/* The environment's file wins over the config file's value. */
	write_file(file_path, "WA_MASTER_KEY=short\nWA_DATABASE_URL=d\nWA_REDIS_URL=r\n");
	settings = load_good("sender", LIST(entry), file_path);
	assert_string_equal(setting_text(settings, SETTING_MASTER_KEY), KEY);
	settings_free(&settings);
}

/* --- bad ones --- */

static const struct {
	const char *service;
	const char *entry;
	const char *error;
} bad[] = {
	{"sender", "WA_SESSION_BURTS=1",
		"WA_SESSION_BURTS is no setting; did you mean WA_SESSION_BURST?"},
	{"sender", "WA_=1", "WA_ is no setting"},
	{"sender", "WA_SOMETHING_ELSE_ALTOGETHER=1", "WA_SOMETHING_ELSE_ALTOGETHER is no setting"},
	{"sender", "WA_MODE_FILE=/x",
		"WA_MODE is no secret: only secrets may come from a file of their own"},
	{"sender", "WA_MASTER_KEYS_FILE=/x", "WA_MASTER_KEYS_FILE is no setting"},
	{"sender", "WA_MODE=live", "WA_MODE is \"live\", but must be production or development"},
	{"sender", "WA_MODE=", "WA_MODE is empty, but must be production or development"},
	{"sender", "WA_MODE=production|development",
		"WA_MODE is \"production|development\", but must be production or development"},
	{"sender", "WA_SESSION_BURST=0",
		"WA_SESSION_BURST is \"0\", but must be a whole number between 1 and 1000000"},
	{"sender", "WA_SESSION_BURST=1000001",
		"WA_SESSION_BURST is \"1000001\", but must be a whole number between 1 and "
		"1000000"},
	{"sender", "WA_SESSION_BURST=five",
		"WA_SESSION_BURST is \"five\", but must be a whole number between 1 and 1000000"},
	{"sender", "WA_SESSION_BURST=1.5", "WA_SESSION_BURST is \"1.5\", but must be"},
	{"sender", "WA_SESSION_BURST=", "WA_SESSION_BURST is empty, but must be"},
	{"sender", "WA_SESSION_BURST=99999999999999999999", "but must be a whole number between 1"},
	{"sender", "WA_ACK_TIMEOUT=99ms",
		"WA_ACK_TIMEOUT is \"99ms\", but must be a duration between 100ms and 10m"},
	{"sender", "WA_ACK_TIMEOUT=11m",
		"WA_ACK_TIMEOUT is \"11m\", but must be a duration between 100ms and 10m"},
	{"sender", "WA_ACK_TIMEOUT=soon", "WA_ACK_TIMEOUT is \"soon\", but must be a duration"},
	{"sender", "WA_RECIPIENT_INTERVAL=2d", "but must be a duration between 0s and 1d"},
	{"sender", "WA_SEND_RETRY_SCHEDULE=1s,,2s",
		"but must be up to 32 durations with commas between"},
	{"sender", "WA_PRIVATE_ADDR=", "WA_PRIVATE_ADDR is empty, but must be 1 to 64 bytes"},
	{"sender", "WA_INSTANCE=a\nb", "WA_INSTANCE has a control byte"},
	{"sender", "WA_INSTANCE=\xff", "WA_INSTANCE has a control byte in it, or is not UTF-8"},
	{"sender", "WA_INSTANCE=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg",
		"ffff\"..., but must be 0 to 64 bytes"},
	{"api", "WA_ADMIN_TOKEN_FILE=/nonexistent/file",
		"WA_ADMIN_TOKEN_FILE: cannot open /nonexistent/file: No such file or directory"},
	{"api", "WA_ADMIN_TOKEN_FILE=/", "WA_ADMIN_TOKEN_FILE: cannot read /: Is a directory"},
	{"api", "WA_ADMIN_TOKEN_FILE=/dev/zero",
		"WA_ADMIN_TOKEN_FILE: /dev/zero has more than 65536 bytes"},
	{"api", "WA_API_PORT=65536",
		"WA_API_PORT is \"65536\", but must be a whole number between 0 and 65535"},
};

static void TEST(each_error_names_the_setting_and_what_is_wanted)
{
	struct err err;

	for (size_t i = 0; i < array_len(bad); i++) {
		assert_null(load(bad[i].service, LIST(REQUIRED, bad[i].entry), NULL, &err));
		if (strstr(err.text, bad[i].error) == NULL)
			print_message("# %s\n", err.text);
		assert_non_null(strstr(err.text, bad[i].error));
	}
}

static void TEST(what_is_required_is_asked_for_by_name)
{
	struct err err;

	assert_null(load("sender", LIST("WA_REDIS_URL=r", "WA_MASTER_KEY=" KEY), NULL, &err));
	assert_string_equal(err.text, "WA_DATABASE_URL is required");
	assert_null(load("gateway",
		LIST("WA_DATABASE_URL=d", "WA_REDIS_URL=", "WA_MASTER_KEY=" KEY), NULL, &err));
	assert_string_equal(err.text, "WA_REDIS_URL is required");
	assert_null(load("api", LIST("WA_DATABASE_URL=d", "WA_REDIS_URL=r"), NULL, &err));
	assert_string_equal(err.text, "WA_MASTER_KEY is required");
}

static void TEST(a_bad_secret_is_not_shown)
{
	struct err err;

	assert_null(load("api", LIST("WA_DATABASE_URL=d", "WA_REDIS_URL=r", "WA_MASTER_KEY=hush"),
		NULL, &err));
	assert_string_equal(err.text, "WA_MASTER_KEY has 4 bytes, but must have 64 to 4096 bytes");
}

static void TEST(what_is_given_twice_is_refused)
{
	struct err err;

	assert_null(load(
		"api", LIST(REQUIRED, "WA_ADMIN_TOKEN=t", "WA_ADMIN_TOKEN_FILE=/f"), NULL, &err));
	assert_string_equal(err.text, "WA_ADMIN_TOKEN and WA_ADMIN_TOKEN_FILE are both given");
	assert_null(load("api", LIST(REQUIRED, "WA_API_PORT=1", "WA_API_PORT=1"), NULL, &err));
	assert_string_equal(err.text, "WA_API_PORT is given twice");
}

static const struct {
	const char *text;
	const char *error; /* after the file's path */
} bad_files[] = {
	{"\nWA_API_PORT\n", ": line 2: there is no '=' after a name"},
	{"hush-hush-a-secret\n", ": line 1: there is no '=' after a name"},
	{"# c\nPATH=/bin\n", ": line 2: PATH is no setting"},
	{"export WA_API_PORT=1\n", ": line 1: export WA_API_PORT is no setting"},
	{"=1\n", ": line 1:  is no setting"},
	{"WA_API_PROT=1\n", ": line 1: WA_API_PROT is no setting; did you mean WA_API_PORT?"},
	{"WA_API_PORT=1\n\nWA_API_PORT=2\n", ": line 3: WA_API_PORT is given twice"},
	{"WA_ADMIN_TOKEN=1\nWA_ADMIN_TOKEN_FILE=2\n",
		": line 2: WA_ADMIN_TOKEN and WA_ADMIN_TOKEN_FILE are both given"},
};

static void TEST(a_bad_file_is_told_by_its_line)
{
	struct err err;

	for (size_t i = 0; i < array_len(bad_files); i++) {
		write_file(file_path, bad_files[i].text);
		assert_null(load("api", LIST(REQUIRED), file_path, &err));
		assert_ptr_equal(strstr(err.text, file_path), err.text);
		assert_string_equal(err.text + strlen(file_path), bad_files[i].error);
	}
	assert_null(load("api", LIST(REQUIRED), "/nonexistent", &err));
	assert_string_equal(err.text, "cannot open /nonexistent: No such file or directory");
	assert_null(load("api", LIST(REQUIRED), "/tmp", &err));
	assert_string_equal(err.text, "cannot read /tmp: Is a directory");
	assert_null(load("api", LIST(REQUIRED), "/dev/zero", &err));
}

static void ask_for_others(void *arg)
{
	(void)setting_int(arg, SETTING_API_PORT);
}

static void ask_for_other_kind(void *arg)
{
	(void)setting_int(arg, SETTING_DRAIN_TIMEOUT);
}

static void TEST(asking_for_what_is_not_there_is_our_bug)
{
	struct settings *settings = load_good("sender", LIST(REQUIRED), NULL);

	assert_true(death_by_abort(ask_for_others, settings));
	assert_true(death_by_abort(ask_for_other_kind, settings));
	settings_free(&settings);
}

/* --- printed --- */

static char *read_back(const char *path)
{
	FILE *file = fopen(path, "r");
	static char text[65536];
	size_t n = fread(text, 1, sizeof(text) - 1, file);

	fclose(file);
	text[n] = '\0';
	return text;
}

static void TEST(what_is_printed_is_a_config_file_without_secrets)
{
	struct settings *settings = load_good("sender",
		LIST(REQUIRED, "WA_ACK_TIMEOUT=90s", "WA_DRAIN_TIMEOUT=0", "WA_INSTANCE=s-1"),
		NULL);
	FILE *out = fopen(file_path, "w");
	const char *text;

	settings_print(settings, out);
	fclose(out);
	settings_free(&settings);
	text = read_back(file_path);
	assert_non_null(strstr(text, "\nWA_INSTANCE=s-1\n"));
	assert_non_null(strstr(text, "\nWA_MODE=production\n"));
	assert_non_null(strstr(text, "\nWA_ACK_TIMEOUT=90s\n"));
	assert_non_null(strstr(text, "\nWA_DRAIN_TIMEOUT=0s\n"));
	assert_non_null(strstr(text, "\nWA_MASTER_KEY=***\n"));
	assert_non_null(strstr(text, "\nWA_SESSION_BURST=5\n"));
	assert_null(strstr(text, "=postgresql"));
	assert_null(strstr(text, KEY));
	assert_null(strstr(text, "WA_API_PORT"));
	/* Read again it gives the same, but for the secrets. */
	settings = load_good("sender", LIST("WA_MASTER_KEY=" KEY), file_path);
	assert_int_equal(setting_ms(settings, SETTING_ACK_TIMEOUT), 90000);
	settings_free(&settings);
}

static void TEST(help_names_each_setting_of_the_service)
{
	FILE *out = fopen(file_path, "w");
	const char *text;

	settings_print_help("api", out);
	fclose(out);
	text = read_back(file_path);
	assert_non_null(strstr(text, "  WA_API_PORT\n"));
	assert_non_null(strstr(text, "a whole number between 0 and 65535; default 8000\n"));
	assert_non_null(strstr(text, "production or development; default production\n"));
	assert_non_null(strstr(
		text, "; required; or the path of a file that has it in WA_MASTER_KEY_FILE\n"));
	assert_null(strstr(text, "WA_SESSION_BURST"));
	assert_null(strstr(text, "WA_BUILD_DIR"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(all_defaults_of_all_services_are_good),
		cmocka_unit_test(what_is_given_is_read),
		cmocka_unit_test(an_empty_schedule_is_one_attempt),
		cmocka_unit_test(settings_of_other_services_are_ignored),
		cmocka_unit_test(a_file_is_read_and_the_environment_wins),
		cmocka_unit_test(a_secret_may_have_a_file_of_its_own),
		cmocka_unit_test(each_error_names_the_setting_and_what_is_wanted),
		cmocka_unit_test(what_is_required_is_asked_for_by_name),
		cmocka_unit_test(a_bad_secret_is_not_shown),
		cmocka_unit_test(what_is_given_twice_is_refused),
		cmocka_unit_test(a_bad_file_is_told_by_its_line),
		cmocka_unit_test(asking_for_what_is_not_there_is_our_bug),
		cmocka_unit_test(what_is_printed_is_a_config_file_without_secrets),
		cmocka_unit_test(help_names_each_setting_of_the_service),
	};

	return cmocka_run_group_tests_name("settings", tests, set_up, tear_down);
}
