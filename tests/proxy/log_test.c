/* The error log's file: opened, opened again, and what it must not be. */
#include "ops/log.h"
#include "ops/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static int real_stderr;

static char *in_folder(const char *name)
{
    static char path[4][128];
    static size_t next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/nghttpx-log-test-XXXXXX");
    real_stderr = dup(STDERR_FILENO);
    return mkdtemp(folder) != NULL && real_stderr >= 0 ? 0 : -1;
}

static int clean_up(void **state)
{
    (void)state;
    char command[128];
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static bool open_log(const char *path)
{
    char *name = strdup(path);
    struct config cfg = {.errorlog_file = name, .log_level = CFG_LOG_NOTICE};
    bool ok = log_open(&cfg);
    memset(name, 'X', strlen(name)); /* the configuration is gone */
    free(name);
    return ok;
}

static bool contains(const char *path, const char *what)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, what) != NULL;
}

static void it_is_opened_again_by_its_name_when_its_configuration_is_gone(void **state)
{
    (void)state;
    assert_true(open_log(in_folder("a")));
    LOG(NOTICE, "first");
    assert_true(contains(in_folder("a"), "first"));
    assert_int_equal(rename(in_folder("a"), in_folder("a.1")), 0);
    log_reopen();
    LOG(NOTICE, "second");
    assert_true(contains(in_folder("a"), "second"));
    assert_false(contains(in_folder("a.1"), "second"));
}

static void one_that_cannot_be_opened_leaves_the_one_before(void **state)
{
    (void)state;
    assert_true(open_log(in_folder("b")));
    assert_false(open_log(in_folder("no/such/folder")));
    assert_true(contains(in_folder("b"), "no/such/folder: No such file or directory"));
    assert_int_equal(rename(in_folder("b"), in_folder("b.1")), 0);
    log_reopen();
    LOG(NOTICE, "still here");
    assert_true(contains(in_folder("b"), "still here"));
}

static void opening_waits_for_nobody(void **state)
{
    (void)state;
    char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(log_file_open(fifo, false), -1);
    assert_int_equal(errno, ENXIO);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int fd = log_file_open(fifo, false);
    assert_true(reader >= 0 && fd >= 0);
    char block[4096] = {0};
    ssize_t n;
    do {
        n = write(fd, block, sizeof(block));
    } while (n > 0); /* until the reader is behind: it is not waited for either */
    assert_int_equal(errno, EAGAIN);
    close(fd);
    close(reader);
}

static void folders_are_no_logs_and_devices_may_be(void **state)
{
    (void)state;
    assert_int_equal(log_file_open(folder, false), -1);
    assert_int_equal(errno, EISDIR);
    int fd = log_file_open("/dev/null", false);
    assert_true(fd >= 0);
    close(fd);
}

/* Root must not be led away by what a user has put into a folder of his. */
static void links_are_followed_for_oneself_only(void **state)
{
    (void)state;
    char *file = in_folder("file"), *soft = in_folder("soft"), *hard = in_folder("hard");
    int fd = log_file_open(file, true);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(symlink(file, soft), 0);
    for (int users = 0; users < 2; users++) {
        bool refused = users && geteuid() == 0;
        fd = log_file_open(soft, users);
        assert_int_equal(fd < 0, refused);
        assert_true(!refused || errno == ELOOP);
        close(fd);
    }
    assert_int_equal(link(file, hard), 0);
    for (int users = 0; users < 2; users++) {
        bool refused = users && geteuid() == 0;
        fd = log_file_open(hard, users);
        assert_int_equal(fd < 0, refused);
        assert_true(!refused || errno == EMLINK);
        close(fd);
    }
}

static void a_file_that_is_there_keeps_its_owner(void **state)
{
    (void)state;
    struct stat before, after;
    char *file = in_folder("owned"), *to_nothing = in_folder("to-nothing");
    int fd = log_file_open(file, false);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(stat(file, &before), 0);
    assert_true(log_file_make(file, 65534, 65534));
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(after.st_uid, before.st_uid);
    /* and nothing is made at the other end of a link */
    assert_int_equal(symlink(in_folder("nothing"), to_nothing), 0);
    assert_true(log_file_make(to_nothing, 65534, 65534));
    assert_int_equal(access(in_folder("nothing"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_opened_again_by_its_name_when_its_configuration_is_gone),
        cmocka_unit_test(one_that_cannot_be_opened_leaves_the_one_before),
        cmocka_unit_test(opening_waits_for_nobody),
        cmocka_unit_test(folders_are_no_logs_and_devices_may_be),
        cmocka_unit_test(links_are_followed_for_oneself_only),
        cmocka_unit_test(a_file_that_is_there_keeps_its_owner),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
