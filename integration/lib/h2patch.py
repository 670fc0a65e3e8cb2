"""What python3-h2 4.1 lacks for this suite."""

import h2.connection
import h2.settings
import h2.stream


def set_local_settings(conn, **values):
    """Settings for the first SETTINGS frame. Must come before initiate_connection()."""
    codes = {getattr(h2.settings.SettingCodes, name): value for name, value in values.items()}
    conn.local_settings = h2.settings.Settings(client=conn.config.client_side, initial_values=codes)
    conn.decoder.max_header_list_size = conn.local_settings.max_header_list_size
    conn.max_inbound_frame_size = conn.local_settings.max_frame_size


# RFC 9110, 8.6: in a 304, Content-Length is that of the 200 which was not sent. python3-h2 takes it for a body that is
# missing.
_initialize = h2.stream.H2Stream._initialize_content_length


def _initialize_content_length(self, headers):
    for name, value in headers:
        if name in (b":status", ":status") and value in (b"304", "304"):
            return
    _initialize(self, headers)


h2.stream.H2Stream._initialize_content_length = _initialize_content_length


# RFC 9113, 6.8: behind a GOAWAY the streams that are open go on. python3-h2 takes it for the end of everything.
_States, _Inputs = h2.connection.ConnectionState, h2.connection.ConnectionInputs
for _state in (_States.CLIENT_OPEN, _States.SERVER_OPEN):
    h2.connection.H2ConnectionStateMachine._transitions[(_state, _Inputs.RECV_GOAWAY)] = (None, _state)


# RFC 9113, 5.1: what was on its way when a stream was reset is ignored; python3-h2 knows that of all HEADERS but those
# with a 1xx.
_Stream, _Input = h2.stream.StreamState, h2.stream.StreamInputs
h2.stream._transitions[(_Stream.CLOSED, _Input.RECV_INFORMATIONAL_HEADERS)] = h2.stream._transitions[
    (_Stream.CLOSED, _Input.RECV_HEADERS)
]
