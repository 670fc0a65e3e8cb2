/*
 * The two heads that are measured: what a browser sends, and what a server answers.
 */
#ifndef H1_BENCH_MESSAGES_H
#define H1_BENCH_MESSAGES_H

/* 700 octets: a page asked for over HTTP/1.1, with the fields that a browser of 2026 sends. */
static const char browser_request[] =
    "GET /articles/2026/11/parsing-heads?lang=en&page=27 HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.example.org/articles/2026/11/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=8f1d6cb2a94e4f7f9f0c5b1c8e2d7a63; theme=dark; consent=essential; "
    "visits=17; cart=4711; region=eu-west\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Priority: u=0, i\r\n"
    "Cache-Control: max-age=0\r\n"
    "\r\n";

/* 400 octets. */
static const char server_response[] = "HTTP/1.1 200 OK\r\n"
                                      "Server: nginx\r\n"
                                      "Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
                                      "Content-Type: text/html; charset=utf-8\r\n"
                                      "Content-Length: 18231\r\n"
                                      "Connection: keep-alive\r\n"
                                      "Last-Modified: Fri, 20 Nov 2026 17:45:10 GMT\r\n"
                                      "ETag: \"655b9d16-4737\"\r\n"
                                      "Cache-Control: public, max-age=3600000\r\n"
                                      "Vary: Accept-Encoding, Origin\r\n"
                                      "X-Content-Type-Options: nosniff\r\n"
                                      "Strict-Transport-Security: max-age=3153600000\r\n"
                                      "Accept-Ranges: bytes\r\n"
                                      "\r\n";

#endif
