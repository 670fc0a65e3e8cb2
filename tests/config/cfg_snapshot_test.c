/* The snapshot's references. That the last one frees it is what a leak checker sees. */
#include "cfg_test.h"

#include <pthread.h>

enum { THREADS = 4, TIMES = 20000 };

static void *take_and_let_go(void *arg)
{
    const struct config *cfg = arg;
    for (int i = 0; i < TIMES; i++) {
        const struct config *mine = cfg_ref(cfg);
        if (mine != cfg || mine->workers != 3) {
            return arg;
        }
        cfg_unref(mine);
    }
    cfg_unref(cfg); /* the one that it was given */
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct loaded l = load_text("workers=3\nbackend=h,80;/a\nbackend=h,80\n");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_and_let_go, (void *)(uintptr_t)cfg_ref(l.cfg)),
            0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(l.cfg->nbackend, 2); /* still there: the first reference is */
    loaded_free(&l);
    cfg_unref(NULL);
    test_folder_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
