/*
 * What a load of RTP costs at least: receives packets on so many ports and sends each back, paced, one every 20 ms and port,
 * and does nothing else. One thread, one socket per call, no batching of system calls, no priority.
 *
 *   rtp-echo PORTS
 *
 * stdout: the ports in one line. It ends with its stdin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_NS 5000000L
#define PHASES 4 /* ticks in 20 ms */
#define HELD 8   /* packets per port that wait to be sent, a power of two */
#define START 3  /* so many wait before the first is sent */
#define MAX_DATAGRAM 1500
#define RTP_HEADER 12

struct packet {
  ssize_t length;
  uint8_t bytes[MAX_DATAGRAM];
};

struct port {
  int fd;
  int connected, playing;
  uint32_t written, sent;
  uint16_t sequence;
  struct packet held[HELD];
};

static struct port *ports;
static int count;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void open_ports(int epoll) {
  for (int i = 0; i < count; i++) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = ports[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at)) die("bind");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &ports[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    getsockname(fd, (struct sockaddr *)&at, &length);
    printf("%d%c", ntohs(at.sin_port), i + 1 < count ? ' ' : '\n');
  }
  fflush(stdout);
}

static void receive(struct port *p) {
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  struct packet *packet = &p->held[p->written % HELD];
  packet->length = recvfrom(p->fd, packet->bytes, MAX_DATAGRAM, 0, (struct sockaddr *)&from, &size);
  if (packet->length < RTP_HEADER) return;
  if (!p->connected) p->connected = !connect(p->fd, (struct sockaddr *)&from, sizeof from);
  /* Beyond what is held the oldest goes. */
  if (++p->written - p->sent > HELD - 1) p->sent++;
}

static void send_next(struct port *p) {
  uint32_t waiting = p->written - p->sent;
  if (waiting >= START) p->playing = 1;
  if (waiting == 0) p->playing = 0;
  if (!p->playing) return;
  struct packet *packet = &p->held[p->sent++ % HELD];
  packet->bytes[2] = (uint8_t)(p->sequence >> 8);
  packet->bytes[3] = (uint8_t)p->sequence++;
  send(p->fd, packet->bytes, (size_t)packet->length, 0);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  count = atoi(argv[1]);
  ports = calloc((size_t)count, sizeof *ports);
  int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  open_ports(epoll);
  struct itimerspec tick = {{0, TICK_NS}, {0, TICK_NS}};
  timerfd_settime(timer, 0, &tick, NULL);
  /* Known by what they point to: the timer to nothing, stdin to the ports' own pointer. */
  struct epoll_event on_tick = {.events = EPOLLIN, .data.ptr = NULL}, on_end = {.events = EPOLLIN, .data.ptr = &ports};
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &on_tick);
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &on_end);
  struct epoll_event events[256];
  for (uint64_t tick_number = 0, ticks;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == &ports) return 0;
      if (events[i].data.ptr != NULL) {
        receive(events[i].data.ptr);
      } else if (read(timer, &ticks, sizeof ticks) > 0) {
        for (; ticks > 0; ticks--, tick_number++)
          for (int port = (int)(tick_number % PHASES); port < count; port += PHASES) send_next(&ports[port]);
      }
    }
  }
}
