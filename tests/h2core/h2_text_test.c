/* Names and sentences: each there, each different. */
#include "h2_script.h"

static void every_code_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(h2_code_name(H2_NO_ERROR), "NO_ERROR");
    assert_string_equal(h2_code_name(H2_HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED");
    assert_string_equal(h2_code_name(14), "UNKNOWN");
    assert_string_equal(h2_code_name(UINT32_MAX), "UNKNOWN");
    for (uint32_t a = 0; a <= H2_HTTP_1_1_REQUIRED; a++) {
        assert_string_not_equal(h2_code_name(a), "UNKNOWN");
        for (uint32_t b = 0; b < a; b++) {
            assert_string_not_equal(h2_code_name(a), h2_code_name(b));
        }
    }
}

static void every_result_has_its_sentence(void **state)
{
    (void)state;
    for (int a = H2_OK; a <= H2_ERR_VALUE; a++) {
        assert_string_not_equal(h2_rc_text(a), "unknown return code");
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(h2_rc_text(a), h2_rc_text(b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name),
        cmocka_unit_test(every_result_has_its_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
