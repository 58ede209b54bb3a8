/** What a frame is (RFC 6455 §5.2); from `close` on it is a control frame. */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The bit that says that this frame is the last of its message. */
export const FIN = 0x80;
