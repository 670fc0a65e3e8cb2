/* The messages that the tests of requests and of responses are made of. */
#ifndef MESSAGE_TESTING_H
#define MESSAGE_TESTING_H

/* With these options a message gets nothing that it did not bring. */
#define PLAIN "no-via\nno-add-x-forwarded-proto\n"

#define GET11 "GET /p HTTP/1.1\nHost: a.example\n"
#define GET20 ":method: GET\n:scheme: http\n:authority: a.example\n:path: /p\n"

#define KEY       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
#define ACCEPT    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define WEBSOCKET GET11 "Connection: Upgrade\nUpgrade: WebSocket\nSec-WebSocket-Version: 13\n" KEY

#endif
