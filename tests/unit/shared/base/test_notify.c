/* What systemd is told, over sockets as it makes them. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/notify.h"

static int listen_at(const char *name, size_t size)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(at.sun_path, name, size);
	assert_true(fd >= 0);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)), 0);
	return fd;
}

static void expect_told(int fd)
{
	char got[64];
	assert_true(notify_systemd("READY=1"));
	ssize_t n = recv(fd, got, sizeof got, 0);
	assert_int_equal(n, strlen("READY=1"));
	assert_memory_equal(got, "READY=1", strlen("READY=1"));
}

static void a_socket_with_a_path(void **state)
{
	char folder[] = "/tmp/kedge-notify-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/socket", folder);
	int fd = listen_at(path, strlen(path));
	setenv("NOTIFY_SOCKET", path, 1);
	expect_told(fd);
	close(fd);
	assert_false(notify_systemd("READY=1")); /* nobody is there any more */
	unlink(path);
	assert_false(notify_systemd("READY=1"));
	rmdir(folder);
}

static void a_socket_without_one(void **state)
{
	char name[64], shown[64];
	(void)state;
	int n = snprintf(name, sizeof name, "%ckedge-notify-%d", '\0', (int)getpid());
	int fd = listen_at(name, (size_t)n);
	(void)snprintf(shown, sizeof shown, "@%s", name + 1);
	setenv("NOTIFY_SOCKET", shown, 1);
	expect_told(fd);
	close(fd);
}

static void nobody_wants_to_know(void **state)
{
	char longest[200];
	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[0] = '/';
	longest[sizeof longest - 1] = '\0';
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_systemd("READY=1"));
	static const char *const wrong[] = {"", "/", "@", "vsock:2:1234", "relative/socket"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		assert_false(notify_systemd("READY=1"));
	}
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_false(notify_systemd("READY=1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_socket_with_a_path),
	    cmocka_unit_test(a_socket_without_one),
	    cmocka_unit_test(nobody_wants_to_know),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
