/* hosts(5) and the name servers of resolv.conf(5), as tables. */
#include "net/dns_files.h"

#include "proxy_testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *write_text(const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/file", testing_folder());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void print(const struct dns_address *a, size_t n, char *out, size_t cap)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char ip[INET6_ADDRSTRLEN];
        inet_ntop(a[i].family, a[i].octets, ip, sizeof(ip));
        used +=
            (size_t)snprintf(out + used, cap - used, "%s%s %u", i > 0 ? ", " : "", ip, a[i].port);
    }
}

static void hosts_says_which_addresses_a_name_has(void **state)
{
    (void)state;
    static const struct {
        const char *text, *addrs;
    } cases[] = {
        {"", ""},
        {"192.0.2.1 name", "192.0.2.1 0"}, /* no end of the line */
        {"192.0.2.1 name\n", "192.0.2.1 0"},
        {" \t192.0.2.1\t \tother  Name \r\n", "192.0.2.1 0"},
        {"192.0.2.1 NAME name name\n", "192.0.2.1 0"},
        {"192.0.2.1 name\n::1 x name y\n192.0.2.1 name\n", "192.0.2.1 0, ::1 0, 192.0.2.1 0"},
        {"192.0.2.1 #name\n#192.0.2.2 name\n192.0.2.3 x#name\n", ""},
        {"192.0.2.1 name#x\n", "192.0.2.1 0"},
        {"192.0.2.1 name.x xname nam\n", ""},
        {"name 192.0.2.1\n192.0.2.256 name\n1.2.3 name\n", ""},
        {"fe80::1%eth0 name\n\n192.0.2.1\n", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_address out[DNS_FILE_MAX];
        char text[512];
        print(out, dns_hosts_lookup(write_text(cases[i].text), "name", out), text, sizeof(text));
        assert_string_equal(text, cases[i].addrs);
    }
    struct dns_address out[DNS_FILE_MAX];
    assert_int_equal(dns_hosts_lookup("/nonexistent", "name", out), 0);
    assert_int_equal(dns_hosts_lookup(testing_folder(), "name", out), 0);
}

static void hosts_gives_so_many_addresses_at_the_most(void **state)
{
    (void)state;
    static char text[8192];
    struct dns_address out[DNS_FILE_MAX];
    for (unsigned i = 0; i < 200; i++) {
        sprintf(text + strlen(text), "192.0.2.%u name\n", i);
    }
    assert_int_equal(dns_hosts_lookup(write_text(text), "name", out), DNS_FILE_MAX);
}

static void resolv_conf_names_servers_with_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum dns_servers_result result;
        unsigned bad_line;
        const char *servers;
    } cases[] = {
        {"nameserver 192.0.2.1\n", DNS_SERVERS_OK, 0, "192.0.2.1 53"},
        {"nameserver 192.0.2.1", DNS_SERVERS_OK, 0, "192.0.2.1 53"},
        {"nameserver 192.0.2.1:5353\nnameserver ::1\nnameserver [::2]\nnameserver [::3]:1\n",
         DNS_SERVERS_OK, 0, "192.0.2.1 5353, ::1 53, ::2 53, ::3 1"},
        {"# x\n; y\nsearch a b\noptions ndots:3\n\tnameserver\t127.0.0.1:65535  # z\n",
         DNS_SERVERS_OK, 0, "127.0.0.1 65535"},
        {"", DNS_SERVERS_NONE, 0, ""},
        {"nameservers 192.0.2.1\n#nameserver 192.0.2.1\n", DNS_SERVERS_NONE, 0, ""},
        {"nameserver\n", DNS_SERVERS_BAD, 1, NULL},
        {"\nnameserver name\n", DNS_SERVERS_BAD, 2, NULL},
        {"nameserver 192.0.2.1 192.0.2.2\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1,192.0.2.2\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1:0\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1:\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1:65536\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1:+53\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver 192.0.2.1:5x\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver [192.0.2.1]:53\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver [::1\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver [::1]53\n", DNS_SERVERS_BAD, 1, NULL},
        {"nameserver fe80::1%eth0\n", DNS_SERVERS_BAD, 1, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_address out[DNS_FILE_MAX];
        char text[512];
        size_t n;
        unsigned bad_line;
        assert_int_equal(dns_servers_read(write_text(cases[i].text), out, &n, &bad_line),
                         cases[i].result);
        assert_int_equal(bad_line, cases[i].bad_line);
        if (cases[i].servers != NULL) {
            print(out, n, text, sizeof(text));
            assert_string_equal(text, cases[i].servers);
        }
    }
    struct dns_address out[DNS_FILE_MAX];
    size_t n;
    unsigned bad_line;
    assert_int_equal(dns_servers_read("/nonexistent", out, &n, &bad_line), DNS_SERVERS_UNREADABLE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(dns_servers_read(testing_folder(), out, &n, &bad_line),
                     DNS_SERVERS_UNREADABLE);
    assert_int_equal(errno, EISDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_says_which_addresses_a_name_has),
        cmocka_unit_test(hosts_gives_so_many_addresses_at_the_most),
        cmocka_unit_test(resolv_conf_names_servers_with_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
