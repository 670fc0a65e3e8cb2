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
    for (unsigned a = H2_OK; a <= H2_ERR_PROTOCOL; a++) {
        assert_non_null(h2_error_text(a));
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(h2_error_text(a), h2_error_text(b));
            assert_string_not_equal(h2_error_name(a), h2_error_name(b));
        }
    }
    assert_string_equal(h2_error_name(H2_ERR_PROTOCOL), "PROTOCOL");
    assert_string_equal(h2_error_name(H2_ERR_PROTOCOL + 1), "UNKNOWN");
    assert_string_equal(h2_error_text(H2_ERR_PROTOCOL + 1), "unknown error");
}

static void frames_and_settings_have_names(void **state)
{
    (void)state;
    assert_string_equal(h2_frame_name(0), "DATA");
    assert_string_equal(h2_frame_name(0x10), "PRIORITY_UPDATE");
    assert_string_equal(h2_frame_name(0x0b), "UNKNOWN");
    assert_string_equal(h2_frame_name(0xff), "UNKNOWN");
    assert_string_equal(h2_setting_name(H2_SETTINGS_MAX_FRAME_SIZE), "MAX_FRAME_SIZE");
    assert_string_equal(h2_setting_name(7), "UNKNOWN");
    assert_string_equal(h2_setting_name(0xffff), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name),
        cmocka_unit_test(every_result_has_its_sentence),
        cmocka_unit_test(frames_and_settings_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
