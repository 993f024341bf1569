/*
 * What an endpoint answers: status line, headers, body, whatever its bytes, cut anywhere. The call
 * ends, keeps its limits and says what came. The first byte says how the rest is cut and how the
 * endpoint goes away.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/check.h"
#include "common/io/http_client.h"
#include "services/webhooker/delivery_verdict.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BODY   1000
#define DAY_MS     (INT64_C(24) * 3600 * 1000)
#define MAX_ROUNDS 100000

static struct loop *loop;
static struct url_guard *guard;
static struct http_client *client;
static int listener;
static char url[64];
static int n_answers;

static void start(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	loop = loop_new();
	guard = url_guard_new(true, SV_LIT(""), NULL);
	client = http_client_new(loop, guard, 4, 4);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ASSERT(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0);
	ASSERT(listen(listener, 8) == 0);
	ASSERT(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/h", ntohs(address.sin_port));
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
	const uint8_t *first = ctx;
	bool is_cut = *first % 2 == 0;

	n_answers++;
	ASSERT(answer->status >= 0 && answer->status <= 999);
	ASSERT(answer->failure != HTTP_FAILURE_NONE || answer->status >= 100);
	ASSERT(answer->failure != HTTP_FAILURE_GUARD && answer->failure != HTTP_FAILURE_RESOLVE);
	ASSERT(answer->failure == HTTP_FAILURE_NONE || answer->err.text[0] != '\0');
	ASSERT(answer->body.len <= MAX_BODY);
	ASSERT(!is_cut || answer->failure != HTTP_FAILURE_TOO_LARGE || answer->body.len < MAX_BODY);
	ASSERT(answer->retry_after_ms >= -1 && answer->retry_after_ms <= DAY_MS);
	struct delivery_verdict verdict = delivery_verdict_of(answer->failure, answer->status);
	ASSERT((verdict.verdict == VERDICT_OK) ==
		(answer->failure == HTTP_FAILURE_NONE && answer->status / 100 == 2));
}

/* Answer every connection that is there with the bytes, and hang up. */
static void serve(const uint8_t *data, size_t size_bytes, bool is_reset)
{
	char request[2048];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	ASSERT(recv(fd, request, sizeof(request), 0) >= 0);
	(void)!send(fd, data, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	struct linger linger = {.l_onoff = 1};
	if (is_reset)
		ASSERT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	if (size_bytes == 0)
		return 0;
	if (client == NULL)
		start();
	struct http_call_options options = {.method = "POST",
		.url = url,
		.body = SV_LIT("{}"),
		.total_timeout_ms = 3000,
		.max_response_bytes = MAX_BODY,
		.cut_response = data[0] % 2 == 0};
	uint8_t first = data[0];

	n_answers = 0;
	ASSERT(http_client_start(client, &options, on_answer, &first) != NULL);
	for (int i = 0; i < MAX_ROUNDS && n_answers == 0; i++) {
		ASSERT(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
		serve(data + 1, size_bytes - 1, data[0] % 16 == 3);
	}
	ASSERT(n_answers == 1);
	ASSERT(http_client_in_flight(client) == 0);
	return 0;
}
