/* A Redis of the test's own, to be killed and started empty again. It also dies with the test. */
#ifndef WA_TESTS_UNIT_IO_REDIS_SERVER_H
#define WA_TESTS_UNIT_IO_REDIS_SERVER_H

struct redis_server;

/* Starts one on a free port and waits until it answers. password may be NULL. */
struct redis_server *redis_server_new(const char *password);
void redis_server_free(struct redis_server **server); /* kills it */
const char *redis_server_url(const struct redis_server *server);
void redis_server_kill(struct redis_server *server);
void redis_server_start(struct redis_server *server); /* again, empty, on the same port */
/* SIGSTOP and SIGCONT: it holds its sockets and answers nothing. */
void redis_server_freeze(struct redis_server *server);
void redis_server_thaw(struct redis_server *server);

#endif
