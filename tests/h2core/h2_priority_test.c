/* The priority field: two members are read, the rest is stepped over. */
#include "h2_script.h"

#include "h2_internal.h"

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int urgency; /* 9: left alone */
        int incremental;
    } cases[] = {
        {"", 9, 9},
        {"u=0", 0, 9},
        {"u=7", 7, 9},
        {"u=8", 9, 9},
        {"u=-1", 9, 9},
        {"u=10", 9, 9},
        {"u=1.0", 9, 9},
        {"u", 9, 9},
        {"u=", 9, 9},
        {"i", 9, 1},
        {"i=?1", 9, 1},
        {"i=?0", 9, 0},
        {"i=1", 9, 9},
        {"i=?2", 9, 9},
        {"u=5, i", 5, 1},
        {"u=5,i", 5, 1},
        {"i,u=5", 5, 1},
        {" u=2 ", 2, 9},
        {"u=2\t,\ti", 2, 1},
        {"u=2;x=1", 2, 9},
        {"i;a", 9, 1},
        {"u=1, u=4", 4, 9},
        {"i, i=?0", 9, 0},
        {"U=1", 9, 9},
        {"uu=1", 9, 9},
        {"ui, iu", 9, 9},
        {"x=\"u=1, i\"", 9, 9},
        {"x=\"\\\", i\", u=1", 1, 9},
        {"x=\"", 9, 9},
        {"x=\"\\", 9, 9},
        {"a=b, u=3 , c=d", 3, 9},
        {",,u=1,,", 1, 9},
        {"u=1 i", 9, 9},
        {"u=\"1\"", 9, 9},
        {"u =1", 9, 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int before = 0; before < 2; before++) {
            uint8_t urgency = 6;
            bool incremental = before != 0;
            size_t len = strlen(cases[i].value);
            char *exact = malloc(len + 1);
            assert_non_null(exact);
            memcpy(exact, cases[i].value, len);
            char *text = realloc(exact, len > 0 ? len : 1);
            h2_priority_parse(text, len, &urgency, &incremental);
            free(text);
            if (urgency != (cases[i].urgency == 9 ? 6 : cases[i].urgency) ||
                incremental != (cases[i].incremental == 9 ? before : cases[i].incremental)) {
                fail_msg("%s: u=%d i=%d", cases[i].value, urgency, incremental);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
