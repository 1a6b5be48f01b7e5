/* RULES R16: what a host's restore points are read from, as its mounts tell it. */
#include "agent/keeper/storage.h"

#include <string.h>

#include "tests/lib/unit.h"

#define ROOT "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static const char *named(const char *mounts, const char *path)
{
	static char name[NAME_MAX_BYTES + 1];
	memset(name, 'x', sizeof name);
	return storage_of_mount(mounts, path, name) ? name : NULL;
}

static void test_a_disk_of_its_own_is_no_shared_storage(void **state)
{
	(void)state;
	assert_null(named(ROOT, "/var/lib/kedge-agent"));
	assert_null(named(ROOT "40 22 0:41 / /srv rw - nfs4 nas-1:/srv rw\n", "/var/lib/kedge-agent"));
	assert_null(named(ROOT "40 22 0:41 / /var/lib/kedge rw - nfs4 nas-1:/srv rw\n", "/var/lib/kedge-agent"));
	assert_null(named("", "/var/lib/kedge-agent"));
	assert_null(named("40 22\n\n - \n", "/var/lib/kedge-agent"));
}

static void test_a_server_is_one_storage_whichever_share_is_read(void **state)
{
	(void)state;
	assert_string_equal(named(ROOT "40 22 0:41 / /var/lib rw shared:7 master:2 - nfs4 nas-1:/a rw,vers=4.2\n",
				"/var/lib/kedge-agent"),
	    "nas-1");
	assert_string_equal(
	    named(ROOT "40 22 0:41 / /var/lib/kedge-agent rw - nfs nas-1:/b rw", "/var/lib/kedge-agent"), "nas-1");
	assert_string_equal(
	    named(ROOT "40 22 0:41 / /var rw - cifs //files.example/c rw\n", "/var/lib/kedge-agent"), "files.example");
	assert_string_equal(
	    named(ROOT "40 22 0:41 / /var rw - fuse.glusterfs g1:vol0 rw\n", "/var/lib/kedge-agent"), "g1-vol0");
	assert_string_equal(named(ROOT "40 22 0:41 / /var rw - nfs4 [fd00::1]:/c rw\n", "/var/lib/k"), "-fd00--1-");
	assert_string_equal(named("22 1 0:41 / / rw - nfs4 nas-2:/root rw\n", "/var/lib/k"), "nas-2");
}

static void test_the_deepest_and_latest_mount_counts(void **state)
{
	(void)state;
	assert_null(named(ROOT "40 22 0:41 / /var rw - nfs4 nas-1:/v rw\n"
			       "41 40 8:2 / /var/lib/kedge-agent rw - ext4 /dev/sdb1 rw\n",
	    "/var/lib/kedge-agent"));
	assert_string_equal(named(ROOT "41 22 8:2 / /var/lib rw - ext4 /dev/sdb1 rw\n"
				       "42 41 0:43 / /var/lib rw - nfs4 nas-3:/v rw\n",
				"/var/lib/kedge-agent"),
	    "nas-3");
	assert_string_equal(
	    named(ROOT "41 22 253:4 / /var/lib rw - ocfs2 /dev/mapper/pool rw\n", "/var/lib/kedge-agent"),
	    "dev-mapper-pool");
}

static void test_what_is_declared_comes_first(void **state)
{
	(void)state;
	char name[NAME_MAX_BYTES + 1];
	struct agent_config c = {.state_directory = "/var/lib/kedge-agent", .storage = "san-east"};
	assert_true(storage_name(&c, name));
	assert_string_equal(name, "san-east");
	c = (struct agent_config){.state_directory = "/proc/self/no such folder"};
	assert_false(storage_name(&c, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_disk_of_its_own_is_no_shared_storage),
	    cmocka_unit_test(test_a_server_is_one_storage_whichever_share_is_read),
	    cmocka_unit_test(test_the_deepest_and_latest_mount_counts),
	    cmocka_unit_test(test_what_is_declared_comes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
