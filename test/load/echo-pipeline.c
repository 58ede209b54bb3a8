/*
 * The echo pipeline of a load test in one thread that costs next to nothing: a WebSocket server on 127.0.0.1 that gives back
 * what it hears, as the embedded pipeline does (`echo`, no delay).
 *
 *   echo-pipeline
 *
 * stdout: the port in one line. It ends with its stdin. A client asks for /v1/sessions/{session_id}/connect?token={token}; the
 * token is not looked at: it serves a test, on loopback only. Messages are read as the gateway writes them: JSON without white
 * space or escapes, `type` first, each in one frame. A client that breaks the rules, sends too large a message or does not read
 * what it gets loses its own connection only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "websocket.h"

#define MAX_MESSAGE (1024 * 1024)
#define MAX_WAITING (1024 * 1024) /* bytes of answers that a client has not taken */
#define SEND_BUFFER (64 * 1024)   /* so that the kernel does not take megabytes more */
#define MAX_HEAD 8192
#define AUDIO "\"audio\":{\"encoding\":\"mulaw\",\"sample_rate_hz\":8000,\"payload\":\""

struct bytes {
  uint8_t *at;
  size_t used, room;
};

struct client {
  int fd;
  /* CLOSING: all is said, what still comes is dropped until the client hangs up. */
  enum { UPGRADING, OPEN, CLOSING, LOST } state;
  int swaps; /* the output names the other role as its speaker, so that it plays back to the party itself */
  uint64_t sequence;
  char session[65];
  struct bytes in, out;
};

static int epoll;
/* A frame that is to be sent: its payload is written first, its header then before it. */
static uint8_t frame[MOST_HEADER + MAX_MESSAGE + 256];
static char *const payload = (char *)frame + MOST_HEADER;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void make_room(struct bytes *b, size_t room) {
  if (b->room >= room) return;
  b->at = realloc(b->at, b->room = room);
  if (!b->at) die("realloc");
}

static void drop_first(struct bytes *b, size_t count) {
  b->used -= count;
  memmove(b->at, b->at + count, b->used);
}

static void watch(int how, int fd, uint32_t events, void *who) {
  struct epoll_event event = {.events = events, .data.ptr = who};
  if (epoll_ctl(epoll, how, fd, &event)) die("epoll_ctl");
}

/* @returns how much the network has taken */
static size_t send_some(struct client *c, const uint8_t *bytes, size_t length) {
  ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) c->state = LOST;
  return sent < 0 ? 0 : (size_t)sent;
}

static void send_bytes(struct client *c, const uint8_t *bytes, size_t length) {
  size_t sent = c->out.used == 0 ? send_some(c, bytes, length) : 0, left = length - sent;
  if (left == 0 || c->state == LOST) return;
  if (c->out.used == 0) watch(EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT, c);
  if (c->out.used + left > MAX_WAITING) {
    c->state = LOST;
    return;
  }
  make_room(&c->out, MAX_WAITING);
  memcpy(c->out.at + c->out.used, bytes + sent, left);
  c->out.used += left;
}

/* What was kept, as soon as there is room for it. */
static void send_kept(struct client *c) {
  drop_first(&c->out, send_some(c, c->out.at, c->out.used));
  if (c->out.used > 0 || c->state == LOST) return;
  watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
  free(c->out.at);
  c->out = (struct bytes){0};
  if (c->state == CLOSING) shutdown(c->fd, SHUT_WR);
}

static void hang_up(struct client *c) {
  if (c->state == LOST) return;
  c->state = CLOSING;
  if (c->out.used == 0) shutdown(c->fd, SHUT_WR);
}

/* @param size of what stands at `payload` */
static void send_frame(struct client *c, int opcode, size_t size) {
  size_t header = size < 126 ? 2 : size <= UINT16_MAX ? 4 : MOST_HEADER;
  uint8_t *start = frame + MOST_HEADER - header;
  start[0] = (uint8_t)(0x80 | opcode);
  start[1] = (uint8_t)(header == 2 ? size : header == 4 ? 126 : 127);
  for (size_t i = 2, left = size; i < header; i++, left >>= 8) start[header + 1 - i] = (uint8_t)left;
  send_bytes(c, start, header + size);
}

/* @returns 0, of what came nothing more is read */
static size_t send_close(struct client *c, int code) {
  payload[0] = (char)(code >> 8);
  payload[1] = (char)code;
  send_frame(c, CLOSE, 2);
  hang_up(c);
  return 0;
}

__attribute__((format(printf, 2, 3))) static void send_text(struct client *c, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int size = vsnprintf(payload, MAX_MESSAGE, format, values);
  va_end(values);
  send_frame(c, TEXT, (size_t)size);
}

static void complain(struct client *c, const char *code, const char *message) {
  send_text(c, "{\"type\":\"session.error\",\"session_id\":\"%s\",\"code\":\"%s\",\"message\":\"%s\"}", c->session, code,
            message);
}

/* @returns what comes after the word, or NULL */
static const char *after(const char *word, const char *text, size_t size) {
  const char *found = memmem(text, size, word, strlen(word));
  return found ? found + strlen(word) : NULL;
}

static void echo(struct client *c, const char *text, size_t size) {
  const char *audio = after(AUDIO, text, size);
  const char *end = audio ? memchr(audio, '"', (size_t)(text + size - audio)) : NULL;
  if (!end) return complain(c, "invalid_audio_format", "audio must be mulaw at 8000 Hz");
  size_t before = (size_t)(audio - text), length = (size_t)(end - audio);
  int is_customer = after("\"speaker\":\"customer\"", text, before) != NULL;
  if (!is_customer && !after("\"speaker\":\"agent\"", text, before))
    return complain(c, "invalid_message", "the audio.input is not complete");
  const char *speaker = is_customer != c->swaps ? "customer" : "agent";
  size_t at = (size_t)sprintf(payload, "{\"type\":\"audio.output\",\"sequence\":%lu,\"speaker\":\"%s\"," AUDIO, ++c->sequence,
                              speaker);
  memcpy(payload + at, audio, length);
  memcpy(payload + at + length, "\"}}", 3);
  send_frame(c, TEXT, at + length + 3);
}

static void read_message(struct client *c, const char *text, size_t size) {
  static const char start[] = "{\"type\":\"";
  size_t skipped = sizeof start - 1;
  if (size <= skipped || memcmp(text, start, skipped))
    return complain(c, "invalid_message", "the message is not JSON that begins with its type");
  const char *type = text + skipped;
  size_t left = size - skipped;
  if (left >= 12 && !memcmp(type, "audio.input\"", 12)) {
    echo(c, text, size);
  } else if (left >= 5 && !memcmp(type, "ping\"", 5)) {
    send_text(c, "{\"type\":\"pong\",\"session_id\":\"%s\"}", c->session);
  } else if (left >= 12 && !memcmp(type, "session.end\"", 12)) {
    send_text(c, "{\"type\":\"session.ended\",\"session_id\":\"%s\",\"reason\":\"explicit_end\"}", c->session);
    send_close(c, CLOSED_NORMALLY);
  }
}

/* @returns how many bytes the frame took; 0: it is not whole yet, or not acceptable */
static size_t read_frame(struct client *c, uint8_t *bytes, size_t length) {
  if (length < 2) return 0;
  int opcode = bytes[0] & 0x0f, marked = bytes[1] & 0x7f;
  int is_whole = (bytes[0] & 0xf0) == 0x80 && opcode != 0, is_masked = bytes[1] & 0x80;
  if (!is_whole || !is_masked || (opcode >= CLOSE && marked > 125)) return send_close(c, PROTOCOL_ERROR);
  size_t header = marked < 126 ? 2 : marked == 126 ? 4 : MOST_HEADER, size = marked < 126 ? (size_t)marked : 0;
  if (length < header + 4) return 0;
  for (size_t i = 2; i < header; i++) size = size << 8 | bytes[i];
  if (size > MAX_MESSAGE) return send_close(c, TOO_LARGE);
  uint8_t *content = bytes + header + 4;
  if (length < header + 4 + size) return 0;
  unmask(content, size, bytes + header);
  if (opcode == TEXT) read_message(c, (char *)content, size);
  if (opcode == CLOSE) send_close(c, CLOSED_NORMALLY);
  if (opcode == PING) {
    memcpy(payload, content, size);
    send_frame(c, PONG, size);
  }
  return header + 4 + size;
}

static void send_head(struct client *c, const char *status, const char *headers, const char *last) {
  int size = sprintf(payload, "HTTP/1.1 %s\r\nConnection: %s%s\r\n\r\n", status, headers, last);
  send_bytes(c, (uint8_t *)payload, (size_t)size);
}

static void refuse(struct client *c, const char *status) {
  send_head(c, status, "close\r\nContent-Length: ", "0");
  hang_up(c);
}

static void answer_head(struct client *c, const char *head) {
  const char *key = header_of(head, "Sec-WebSocket-Key:"), *mode = header_of(head, "X-Kallglot-Mode:");
  char accept[29], next;
  if (!key || strcspn(key, " \r") != KEY_LENGTH) return refuse(c, "426 Upgrade Required");
  if (sscanf(head, "GET /v1/sessions/%64[A-Za-z0-9_]/connect%c", c->session, &next) != 2) return refuse(c, "401 Unauthorized");
  accept_of(key, accept);
  send_head(c, "101 Switching Protocols", "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ", accept);
  c->swaps = !mode || (strncmp(mode, "ai_agent\r", 9) && strncmp(mode, "help_chat_voice\r", 16));
  if (c->state != LOST) c->state = OPEN;
  send_text(c, "{\"type\":\"session.ready\",\"session_id\":\"%s\"}", c->session);
}

/* @returns how many bytes the request took; 0: it is not whole yet */
static size_t read_head(struct client *c, uint8_t *bytes, size_t length) {
  uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end && length >= MAX_HEAD) c->state = LOST;
  if (!end) return 0;
  end[2] = 0;
  answer_head(c, (char *)bytes);
  return (size_t)(end + 4 - bytes);
}

static void receive(struct client *c) {
  if (c->in.used == c->in.room) make_room(&c->in, c->in.room ? 2 * c->in.room : MAX_HEAD);
  ssize_t got = recv(c->fd, c->in.at + c->in.used, c->in.room - c->in.used, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) c->state = LOST;
  if (got <= 0 || c->state == CLOSING) return;
  c->in.used += (size_t)got;
  size_t read = 0, taken = 1;
  while (taken > 0 && c->state <= OPEN) {
    taken = (c->state == OPEN ? read_frame : read_head)(c, c->in.at + read, c->in.used - read);
    read += taken;
  }
  drop_first(&c->in, c->state <= OPEN ? read : c->in.used);
}

static void serve(struct client *c, uint32_t events) {
  if (events & EPOLLOUT) send_kept(c);
  if (events & ~(uint32_t)EPOLLOUT && c->state != LOST) receive(c);
  if (c->state != LOST) return;
  close(c->fd);
  free(c->in.at);
  free(c->out.at);
  free(c);
}

static int listen_on_loopback(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int on = 1, size = SEND_BUFFER, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, SOMAXCONN)) die("listen");
  /* Each of its connections has these options as well. */
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  getsockname(fd, (struct sockaddr *)&at, &length);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void welcome(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE)) die("accept");
  if (fd < 0) return;
  struct client *c = calloc(1, sizeof *c);
  if (!c) die("calloc");
  c->fd = fd;
  watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
}

int main(void) {
  epoll = epoll_create1(0);
  int listener = listen_on_loopback();
  /* Known by what they point to: the listener to itself, stdin to nothing. */
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, NULL);
  struct epoll_event events[256];
  /* What comes in a millisecond is served in one go: to be woken for each message costs more than the message. */
  const struct timespec nap = {.tv_nsec = 1000000};
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == NULL) return 0;
      if (events[i].data.ptr == &listener) welcome(listener);
      else serve(events[i].data.ptr, events[i].events);
    }
    nanosleep(&nap, NULL);
  }
}
