#include "tests/unit/io/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct redis_server {
	int port;
	pid_t pid; /* 0 when it is not running */
	char password[64];
	char url[128];
};

static struct sockaddr_in local_address(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int free_port(void)
{
	struct sockaddr_in address = local_address(0);
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT(fd >= 0);
	ASSERT(bind(fd, (struct sockaddr *)&address, len) == 0);
	ASSERT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

static void exec_redis(const struct redis_server *server)
{
	char port[12];
	(void)snprintf(port, sizeof(port), "%d", server->port);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	(void)dup2(null, 0);
	(void)dup2(null, 1);
	(void)dup2(null, 2);
	(void)execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--requirepass", server->password,
		(char *)NULL);
	_exit(127);
}

/* Does it say anything (a pong, or that it wants a password)? */
static int answers(int port)
{
	struct sockaddr_in address = local_address(port);
	char c;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval second = {.tv_sec = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	int yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		  write(fd, "PING\r\n", 6) == 6 && read(fd, &c, 1) == 1;
	(void)close(fd);
	return yes;
}

void redis_server_start(struct redis_server *server)
{
	ASSERT(server->pid == 0);
	server->pid = fork();
	ASSERT(server->pid >= 0);
	if (server->pid == 0)
		exec_redis(server);
	for (int i = 0; !answers(server->port); i++) {
		ASSERT(i < 1000);
		ASSERT(waitpid(server->pid, NULL, WNOHANG) == 0);
		(void)poll(NULL, 0, 10);
	}
}

struct redis_server *redis_server_new(const char *password)
{
	struct redis_server *server = mem_new(struct redis_server);
	server->port = free_port();
	(void)snprintf(
		server->password, sizeof(server->password), "%s", password != NULL ? password : "");
	(void)snprintf(server->url, sizeof(server->url), "redis://%s%s%s127.0.0.1:%d",
		password != NULL ? ":" : "", server->password, password != NULL ? "@" : "",
		server->port);
	redis_server_start(server);
	return server;
}

void redis_server_kill(struct redis_server *server)
{
	ASSERT(server->pid > 0);
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void redis_server_freeze(struct redis_server *server)
{
	ASSERT(server->pid > 0);
	(void)kill(server->pid, SIGSTOP);
}

void redis_server_thaw(struct redis_server *server)
{
	ASSERT(server->pid > 0);
	(void)kill(server->pid, SIGCONT);
}

void redis_server_free(struct redis_server **server)
{
	if (*server == NULL)
		return;
	if ((*server)->pid > 0)
		redis_server_kill(*server);
	mem_free(*server);
	*server = NULL;
}

const char *redis_server_url(const struct redis_server *server)
{
	return server->url;
}
