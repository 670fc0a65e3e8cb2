/*
 * As much of cmocka as the tests of h1parser use, for machines that it is not installed for: they
 * are built for arm64 and run by an emulator (scripts/arm64). The first failure ends the program.
 */
#ifndef ARM64_CMOCKA_H
#define ARM64_CMOCKA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    void *initial_state;
};

#define print_message(...) printf(__VA_ARGS__)

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
        .name = #f, .test_func = f                                                                 \
    }

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)

#define assert_true(x)                                                                             \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fail_msg("%s", #x);                                                                    \
        }                                                                                          \
    } while (0)
#define assert_false(x)               assert_true(!(x))
#define assert_null(x)                assert_true((x) == NULL)
#define assert_non_null(x)            assert_true((x) != NULL)
#define assert_int_equal(a, b)        assert_true((uint64_t)(a) == (uint64_t)(b))
#define assert_ptr_equal(a, b)        assert_true((const void *)(a) == (const void *)(b))
#define assert_string_equal(a, b)     assert_true(strcmp((a), (b)) == 0)
#define assert_string_not_equal(a, b) assert_true(strcmp((a), (b)) != 0)
#define assert_memory_equal(a, b, n)  assert_true(memcmp((a), (b), (n)) == 0)
#define assert_in_range(x, low, high)                                                              \
    assert_true((uint64_t)(x) >= (uint64_t)(low) && (uint64_t)(x) <= (uint64_t)(high))

static inline int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                                          size_t n, CMFixtureFunction setup,
                                          CMFixtureFunction teardown)
{
    void *group = NULL;
    assert_true(setup == NULL || setup(&group) == 0);
    for (size_t i = 0; i < n; i++) {
        void *state = tests[i].initial_state;
        tests[i].test_func(&state);
    }
    assert_true(teardown == NULL || teardown(&group) == 0);
    printf("%s: %zu passed\n", name, n);
    return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    _cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

#endif
