// The same exchange as a C++17 program would have it: the engines owned by smart pointers, the
// streams' user pointers leading back to objects. Only <h2core/h2core.h> is included.
#include <h2core/h2core.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace
{

struct FreeConn {
    void operator()(h2_conn *c) const
    {
        h2_conn_free(c);
    }
};
using Conn = std::unique_ptr<h2_conn, FreeConn>;

struct Message {
    std::string body;
    unsigned status = 0;
    bool ended = false;
};

void must(bool held, const char *rule)
{
    if (!held) {
        throw std::runtime_error(rule);
    }
}

Conn make(h2_role role)
{
    h2_options opts;
    h2_options_init(&opts);
    Conn conn(h2_conn_new(role, &opts));
    must(conn != nullptr, "there is memory");
    return conn;
}

h2_field field(std::string_view name, std::string_view value)
{
    h2_field f{};
    f.name = name.data();
    f.name_len = static_cast<uint32_t>(name.size());
    f.value = value.data();
    f.value_len = static_cast<uint32_t>(value.size());
    return f;
}

void send_body(h2_conn *c, uint32_t stream_id, std::string_view body)
{
    must(h2_conn_send_data(c, stream_id, body.data(), body.size(), H2_NO_PADDING, true) == H2_OK,
         "a body within the window is taken");
}

std::vector<uint8_t> output_of(h2_conn *c)
{
    std::vector<uint8_t> wire(h2_conn_output_len(c));
    wire.resize(h2_conn_send(c, wire.data(), wire.size()));
    return wire;
}

// Feeds what the other end has sent; a request is answered with its own body, reversed.
void feed(h2_conn *c, const std::vector<uint8_t> &wire, Message &received)
{
    h2_event ev;
    h2_conn_feed(c, wire.data(), wire.size());
    while (h2_conn_next_event(c, 0, &ev)) {
        must(ev.type != H2_EVENT_FAILED, "two engines understand each other");
        if (ev.type == H2_EVENT_REQUEST) {
            h2_stream_set_user(c, ev.stream_id, &received);
        } else if (ev.type == H2_EVENT_RESPONSE) {
            received.status = ev.status;
        } else if (ev.type == H2_EVENT_DATA) {
            must(ev.user == &received, "a stream's user pointer comes with its events");
            received.body.append(reinterpret_cast<const char *>(ev.data), ev.len);
            must(h2_conn_consume(c, ev.stream_id, ev.flow_len) == H2_OK, "credit is taken");
        } else if (ev.type == H2_EVENT_STREAM_ENDED) {
            received.ended = true;
            if (received.status == 0) { // the server's end
                const h2_field head = field(":status", "203");
                must(h2_conn_respond(c, ev.stream_id, &head, 1, false) == H2_OK, "it can answer");
                send_body(c, ev.stream_id,
                          std::string(received.body.rbegin(), received.body.rend()));
            }
        }
    }
}

} // namespace

int main()
try {
    const Conn client = make(H2_CLIENT);
    const Conn server = make(H2_SERVER);
    Message request;
    Message response;
    const h2_field fields[] = {field(":method", "POST"), field(":scheme", "https"),
                               field(":authority", "example.org"), field(":path", "/")};
    uint32_t id = 0;
    must(h2_conn_request(client.get(), fields, 4, false, &response, &id) == H2_OK, "it can ask");
    send_body(client.get(), id, "stressed");

    for (bool moved = true; moved;) {
        const std::vector<uint8_t> asked = output_of(client.get());
        feed(server.get(), asked, request);
        const std::vector<uint8_t> answered = output_of(server.get());
        feed(client.get(), answered, response);
        moved = !asked.empty() || !answered.empty();
    }
    must(request.ended && request.body == "stressed", "the request arrives as it was sent");
    must(response.ended && response.status == 203 && response.body == "desserts",
         "the response arrives as it was sent");
    std::puts("exchanged");
    return 0;
} catch (const std::exception &broken) {
    std::fprintf(stderr, "not so: %s\n", broken.what());
    return 1;
}
